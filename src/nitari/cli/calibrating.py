"""``nitari calibrate``: make scores the probability that an item is relevant, and see how far they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nitari.cli.output import CommandContext, json_option, print_json, print_table
from nitari.errors import UsageError
from nitari.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nitari.catalog.base import CollectionSpec
    from nitari.evaluate.calibrate import Fit, Pair
    from nitari.evaluate.runner import Run
    from nitari.types import Hit

PROTOCOLS = ("luma", "flat", "qrels", "unrelated")
ITEMS = 500


@click.command("calibrate")
@click.argument("judged", nargs=-1, metavar="[PROTOCOL DIR]...")
@click.option("--items", type=click.IntRange(50, 10_000), default=ITEMS, show_default=True,
              help="Of your own catalog: how many items ask.")  # fmt: skip
@click.option("--folds", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="With protocols: ask each query with the card of its own fold.")  # fmt: skip
@click.option("--forget", is_flag=True, help="Go back to what the model card says.")
@json_option
@click.pass_obj
def calibrate_command(
    context: CommandContext,
    /,
    judged: tuple[str, ...],
    *,
    items: int,
    folds: Path | None,
    forget: bool,
    as_json: bool,
) -> int:
    r"""Fit scores, so that 0.5 means: as probably relevant as not.

    Without arguments, items of your own catalog ask, spread evenly, and what has their group or their category is
    relevant. With protocols of `nitari eval` (luma, flat, qrels, unrelated) and their folders, photos ask, and what is
    judged relevant, or has the query's category, is. A model that was trained on these very photos finds them too
    easily: give the --folds that `nitari train` wrote beside it. The fit is kept in the home folder, and servers use it
    once they are started again.

    \b
    nitari calibrate
    nitari calibrate luma LUMA_DIR unrelated PHOTO_DIR
    """
    from nitari.calibrations import calibration_path, keep_calibration, open_calibration
    from nitari.evaluate.calibrate import RECOMMENDED, fit_calibration
    from nitari.search.calibration import Calibration
    from nitari.wiring import open_extractor

    settings = context.settings()
    asked = _asked(judged)
    if forget:
        path = calibration_path(settings, open_extractor(settings).spec)
        path.unlink(missing_ok=True)
        click.echo(f"forgotten: {path}")
        return 0
    plain = settings.model_copy(update={"search": settings.search.model_copy(update={"calibrated": False})})
    if folds is not None and not asked:
        raise UsageError(
            "--folds is for protocols; a catalog's own items ask the model that embedded them",
            remedy="name a protocol of `nitari eval` and its folder too, or leave out --folds",
        )
    spec, pairs = _judged(plain, asked, folds, quiet=as_json) if asked else _own(plain, items)
    before = open_calibration(settings, spec)
    fit = fit_calibration(pairs, unfamiliar=0.0 if before is None else before.unfamiliar)
    told = {
        "from": [f"{protocol} {folder.name}" for protocol, folder in asked] or ["the catalog's own items"],
        "pairs": fit.pairs,
        "relevant": round(fit.relevant, 4),
        "error": round(fit.error, 4),
    }
    path = keep_calibration(settings, spec, Calibration(fit.slope, fit.offset, RECOMMENDED), told)
    if as_json:
        print_json(_document(fit, spec, path, told))
    else:
        _print(fit, path)
    return 0


def _asked(judged: tuple[str, ...]) -> list[tuple[str, Path]]:
    """The arguments as pairs."""
    if len(judged) % 2:
        raise UsageError(
            f"{len(judged)} arguments are not pairs of a protocol and a folder",
            remedy="give PROTOCOL DIR, as to `nitari eval`, or nothing to use your own catalog",
        )
    pairs = [(judged[at], Path(judged[at + 1])) for at in range(0, len(judged), 2)]
    for protocol, folder in pairs:
        if protocol not in PROTOCOLS:
            raise UsageError(f"protocol {protocol!r} is not one of {', '.join(PROTOCOLS)}")
        if not folder.is_dir():
            raise UsageError(f"folder {folder} does not exist", remedy="get the catalogs with `nitari sample`")
    return pairs


def _judged(
    settings: Settings, asked: list[tuple[str, Path]], folds: Path | None, *, quiet: bool
) -> tuple[CollectionSpec, list[Pair]]:
    """What protocols teach."""
    from nitari.cli.evaluating import measure
    from nitari.recipes import Extractors

    pairs: list[Pair] = []
    for protocol, folder in asked:
        pairs += _pairs_of(measure(settings, protocol, folder, folds=folds, quiet=quiet), settings.search.category)
    return Extractors(settings).build().spec, pairs


def _pairs_of(run: Run, attribute: str) -> Iterator[Pair]:
    """The first hits of a run's queries that have no threshold, judged."""
    judgments, sweep = run.protocol.judgments or {}, run.protocol.sweep
    strangers = frozenset(() if sweep is None else sweep.unwanted)
    for query in run.protocol.queries:
        known = query.query_id in judgments
        if "min_score" in query.options or not (known or query.query_id in strangers):
            continue
        hits, familiarity = run.hits.get(query.query_id, ()), run.familiarity.get(query.query_id, 1.0)
        for pair in _pairs(hits, judgments.get(query.query_id, {}), query.category, attribute):
            yield replace(pair, familiarity=familiarity)


def _pairs(hits: tuple[Hit, ...], relevant: Mapping[str, int], category: str, attribute: str) -> Iterator[Pair]:
    """Hits as pairs: relevant is what is judged so, and what is of the query's category."""
    from nitari.evaluate.calibrate import SHOWN, Pair

    for hit in hits[:SHOWN]:
        alike = bool(category) and hit.attributes.get(attribute) == category
        yield Pair(hit.score, alike or relevant.get(hit.item_id, 0) > 0)


def _own(settings: Settings, count: int) -> tuple[CollectionSpec, list[Pair]]:
    """What the catalog's own items teach, each asked for as a photo would be that nobody knows the category of."""
    from nitari.evaluate.calibrate import SHOWN, Pair
    from nitari.search.query import Query
    from nitari.wiring import open_catalog, open_extractor, open_searcher

    extractor, attribute = open_extractor(settings), settings.search.category
    pairs: list[Pair] = []
    with open_catalog(settings) as catalog, open_searcher(settings, extractor=extractor) as searcher:
        for item_id in searcher.sample(count):
            stored = catalog.get(item_id)
            if stored is None:  # deleted this very moment
                continue
            kind = stored.item.attributes.get(attribute)
            answer = searcher.search(Query(liked=(item_id,), k=SHOWN))
            familiarity = 1.0 if answer.familiarity is None else answer.familiarity
            for hit in answer.hits:
                alike = kind is not None and hit.attributes.get(attribute) == kind
                pairs.append(Pair(hit.score, alike or hit.group_id == stored.item.group_id, familiarity))
    return extractor.spec, pairs


def _document(fit: Fit, spec: CollectionSpec, path: Path, told: Mapping[str, object]) -> dict[str, object]:
    from nitari.evaluate.calibrate import RECOMMENDED

    numbers = {"slope": fit.slope, "offset": fit.offset, "recommended": RECOMMENDED}
    return {"collection": spec.name, **numbers, **told, "path": str(path)}


def _print(fit: Fit, path: Path) -> None:
    from nitari.evaluate.calibrate import RECOMMENDED

    rows = [
        ("hits looked at", f"{fit.pairs}, {fit.relevant:.0%} of them relevant"),
        ("likeness of score 0.5", f"{-fit.offset / fit.slope:.3f}"),
        ("calibration error", f"{fit.error:.3f}"),
        ("recommended min_score", f"{RECOMMENDED:g}"),
        ("for a model card", f"[calibration] slope = {fit.slope:.2f}, offset = {fit.offset:.2f}"),
        ("kept in", str(path)),
    ]
    print_table(("calibration", ""), rows)
