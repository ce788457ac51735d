"""``nitari eval``: how good the answers are, with intervals, through the production searcher."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nitari.cli.output import CommandContext, err, is_terminal, json_option, print_error, print_json, print_table
from nitari.cli.searching import worn_choice
from nitari.errors import UsageError
from nitari.recipes import Extractors, remembering_outputs
from nitari.wiring import open_decoder, open_feed, open_ingester, open_searcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from nitari.evaluate.protocols import EvalProtocol, Materials
    from nitari.evaluate.runner import Run
    from nitari.settings import Settings

    _Bar: TypeAlias = Callable[[str, int, int], None]

HOMES = "eval"


@click.command("eval")
@click.argument("protocol", type=click.Choice(["luma", "flat", "worn", "color", "unrelated", "general", "qrels"]))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--emphasis", type=click.FloatRange(0, 1), help="Ask with this emphasis: 0 same shape, 1 same color.")
@click.option("--worn", metavar="auto|off|0-1", help="Ask with so much of what a wearer adds taken out.")
@click.option("--category", type=click.Choice(["boost", "restrict", "off"]), help="Ask with this use of the category.")
@click.option("--min-score", type=click.FloatRange(0, 1), help="Ask with this threshold.")
@click.option("--folds", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="Ask each query with the card of its own fold (0/card.toml ...).")  # fmt: skip
@click.option("--strict-folds", is_flag=True, help="With --folds: only items of the query's own fold may answer.")
@click.option("--run", "run_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the TREC run here.")
@click.option("--details", is_flag=True, help="With --json: the measures of every query too.")
@click.option("--judgments", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Further judgments (qrels), which count more than the protocol's own.")  # fmt: skip
@click.option("--save", "save_file", type=click.Path(path_type=Path, dir_okay=False),
              help="Save the run here, for `nitari compare`.")  # fmt: skip
@click.option("--small", is_flag=True, help="With --save: 20 ranks, no photos, no paths: fit to be committed.")
@json_option
@click.pass_obj
def eval_command(
    context: CommandContext,
    /,
    protocol: str,
    folder: Path,
    *,
    emphasis: float | None,
    worn: str | None,
    category: str | None,
    min_score: float | None,
    folds: Path | None,
    strict_folds: bool,
    run_file: Path | None,
    details: bool,
    judgments: Path | None,
    save_file: Path | None,
    small: bool,
    as_json: bool,
) -> int:
    r"""Measure PROTOCOL on DIR.

    \b
    luma       back views find their style among all main photos
    flat       1,500 photos find their type, other sellers' photos only
    worn       worn photos find garments of their type, worn or flat
    color      asked for the same in this color, photos find type and color
    unrelated  photos of anything else find nothing at the recommended score
    general    pieces of photos of anything find each other
    qrels      your own queries and judgments

    DIR holds feed.csv (and, for qrels, queries.csv and perhaps qrels.txt), but for worn: luma/ and flat/, unrelated:
    luma/ and unrelated/, general: photos (docs/accuracy.md says where from). The gallery is kept in the home folder,
    so that a repetition embeds nothing twice.
    """
    from nitari.evaluate.compare_marks import with_marks
    from nitari.evaluate.qrels import write_run
    from nitari.evaluate.report import report

    if strict_folds and folds is None:
        raise UsageError("--strict-folds says how --folds is to be done", remedy="add --folds FOLDER")
    given = {"emphasis": emphasis, "worn": worn and worn_choice(worn), "category": category, "min_score": min_score}
    options = {name: value for name, value in given.items() if value is not None}
    run = measure(
        context.settings(), protocol, folder, quiet=as_json, options=options, folds=folds, is_strict=strict_folds
    )
    if judgments is not None:
        run = with_marks(run, judgments)
    if run_file is not None:
        write_run(run_file, run.rankings)
    told = {**told_of(context.settings()), **options, **_told_folds(folds, is_strict=strict_folds)}
    found = report(run, settings=told, details=details)
    if save_file is not None:
        save(run, save_file, name=context.settings().models.embedder, told=told, is_small=small)
    if as_json:
        print_json(found)
    else:
        _print_report(found)
    return 3 if run.failures or run.gallery.rejected else 0


def save(run: Run, path: Path, *, name: str, told: Mapping[str, Any], is_small: bool = False) -> None:
    """Save a run for `nitari compare`.

    Args:
        run: What was asked and answered.
        path: Where.
        name: What answered, for people.
        told: What shaped the answers.
        is_small: Whether to leave out photos, paths and all but the first ranks.
    """
    from nitari.evaluate.compare_run import of_run, small, write_saved

    # Of a path only the end: a run may be shown to others.
    whole = of_run(run, name=Path(name).stem if name.endswith(".toml") else name, settings=told)
    write_saved(path, small(whole) if is_small else whole)


def measure(
    settings: Settings,
    protocol: str,
    folder: Path,
    *,
    quiet: bool,
    options: Mapping[str, Any] | None = None,
    folds: Path | None = None,
    is_strict: bool = False,
) -> Run:
    """Import the protocol's gallery into a home of its own and ask its queries there.

    Args:
        settings: With which models, and below which home.
        protocol: Its name.
        folder: What it is made from.
        quiet: Whether to show no progress.
        options: Arguments of ``Query`` that all queries are asked with, but for those that a protocol pins.
        folds: A folder of cards, each to be asked the queries of its fold; the settings' embedder if not given.
        is_strict: Whether only items of the query's fold may answer.
    """
    from nitari.evaluate.folds import asking, fold_cards, pooled, strictly
    from nitari.evaluate.protocols import make_protocol

    # Judgments are about items, so each of them counts, even where a shopper is shown one for all with its photo.
    options = {"collapse": False, **(options or {})}
    asked = make_protocol(protocol, folder.resolve(), _materials(settings))
    with _progress(quiet=quiet) as bar:
        if folds is None:
            return _run(settings, asked, bar, options)
        cards = fold_cards(folds)
        asked = strictly(asked, len(cards)) if is_strict else asked
        runs = []
        with remembering_outputs():  # what the folds' models have in common sees each photo once, not once a fold
            for fold, card in enumerate(cards):
                part = asking(asked, fold, len(cards))
                if part.queries:
                    models = settings.models.model_copy(update={"embedder": str(card.resolve())})
                    runs.append(_run(settings.model_copy(update={"models": models}), part, bar, options))
        return pooled(asked, runs)


def _run(settings: Settings, asked: EvalProtocol, bar: _Bar, options: Mapping[str, Any]) -> Run:
    """Carry a protocol out with the settings' models."""
    from nitari.evaluate.runner import home_for, run_protocol

    home = home_for(settings.home / HOMES, asked, Extractors(settings).build().fingerprint)
    there = settings.model_copy(update={"home": home})
    with open_ingester(there) as ingester:
        return run_protocol(
            asked,
            ingester=ingester,
            open_searcher=lambda: open_searcher(there),
            workers=settings.ingest.workers,
            options=options,
            on_import=lambda counts: bar("gallery", counts.rows, counts.total or 0),
            on_query=lambda done, total: bar("queries", done, total),
        )


def _materials(settings: Settings) -> Materials:
    from nitari.evaluate.protocols import Materials

    return Materials(
        open_feed=lambda folder: open_feed(settings, str(folder)),
        decoder=open_decoder(settings),
        work=settings.home / HOMES / "made",
    )


@contextmanager
def _progress(*, quiet: bool) -> Iterator[_Bar]:
    """Two progress bars on a terminal, nothing elsewhere."""
    if quiet or not is_terminal():
        yield lambda _stage, _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as progress:
        tasks = {stage: progress.add_task(stage, total=None) for stage in ("gallery", "queries")}
        yield lambda stage, done, total: progress.update(tasks[stage], completed=done, total=total)


def told_of(settings: Settings) -> dict[str, Any]:
    """The settings that shape an answer."""
    return {
        "embedder": settings.models.embedder,
        "regions": settings.extract.regions,
        "views": settings.extract.views,
        "engine": settings.index.engine,
    }


def _told_folds(folds: Path | None, *, is_strict: bool) -> dict[str, Any]:
    return {} if folds is None else {"folds": str(folds), "strict_folds": is_strict}


def _print_report(found: dict[str, Any]) -> None:
    click.echo(
        f"{found['protocol']}: {found['queries']} queries ({found['judged']} judged, {found['failed']} failed) "
        f"over {found['gallery']['items']} items"
    )
    if found["measures"]:
        rows = [
            (
                f"{name} (less is better)" if name in found.get("less_is_better", ()) else name,
                f"{measure['value']:.3f}",
                f"{measure['low']:.3f} - {measure['high']:.3f}",
            )
            for name, measure in found["measures"].items()
        ]
        print_table(("measure", "value", "95 % interval"), rows, right=("value",))
    if len(found["categories"]) > 1:
        names = list(found["measures"])
        rows = [
            (category, str(entry["queries"]), *(_value(entry["measures"], name) for name in names))
            for category, entry in found["categories"].items()
        ]
        print_table(("category", "queries", *names), rows, right=("queries", *names))
    if "thresholds" in found:
        _print_thresholds(found["thresholds"])
    for query_id, reason in found["failures"].items():
        print_error(f"query {query_id}: {reason}")
    timing = ", ".join(f"{stage} {spent:.1f}" for stage, spent in found["timing_ms"].items())
    click.echo(f"mean ms a query: {timing}; {found['seconds']:.0f} s of queries")


def _value(measures: Mapping[str, Any], name: str) -> str:
    return f"{measures[name]['value']:.3f}" if name in measures else ""


def _print_thresholds(found: dict[str, Any]) -> None:
    """What each threshold would do, and the two that the recommended one should lie between."""
    names = ("min_score", "answered", "kept")
    rows = [(f"{step['min_score']:.2f}", f"{step['answered']:.3f}", f"{step['kept']:.3f}") for step in found["steps"]]
    print_table(names, rows, right=names)
    for name, told in (("quiet", "lowest with at most 5 % answered"), ("open", "highest with at least 90 % kept")):
        at = found[name]
        click.echo(f"{told}: {at['min_score']:.3f} (answered {at['answered']:.3f}, kept {at['kept']:.3f})")
