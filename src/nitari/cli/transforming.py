"""``nitari transform``: take the wearer out of query photos; learned here, shown, switched off and on."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nitari.cli.output import CommandContext, json_option, print_error, print_json, print_table
from nitari.cli.progress import Tally, counting
from nitari.errors import UsageError

if TYPE_CHECKING:
    from nitari.embeddings.base import Embedder
    from nitari.embeddings.transforms import LinearTransform
    from nitari.extract import Extractor
    from nitari.models.card import Card
    from nitari.query_transforms import Found
    from nitari.settings import Settings
    from nitari.training.transform import Samples
    from nitari.training.transform_measure import Judgement
    from nitari.training.transform_photos import Labels
    from nitari.types import Item

_MODEL = click.option("--model", metavar="CARD", help="Of this model card, by name or file; by default the one in use.")


@click.group("transform")
def transform_group() -> None:
    """Query photos of worn garments: how the wearer is taken out of them."""


@transform_group.command("fit")
@click.option("--worn", "worn_feed", metavar="FEED", help="A feed whose garments are worn on the photos.")
@click.option("--flat", "flat_feed", metavar="FEED", help="A feed whose garments lie flat or hang.")
@click.option("--feed", "one_feed", metavar="FEED", help="In place of both: one feed with an attribute that tells.")
@click.option("--worn-if", metavar="NAME=VALUE", help="With --feed: the attribute, and its value for worn garments.")
@click.option("--not-worn", multiple=True, metavar="CATEGORY",
              help="A part of product_type in the worn feed that nobody wears, such as Gear.")  # fmt: skip
@click.option("--category-map", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="What kinds are called in both feeds (worn_types.toml); else product_type's last part.")  # fmt: skip
@_MODEL
@click.option("--into-card", is_flag=True, help="Write it beside the card and name it there, not into the home.")
@click.option("--folds", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="For the cards of folds (0/card.toml ...), each without its fold; into the cards.")  # fmt: skip
@click.option("--reach", nargs=2, type=click.FloatRange(0), metavar="AWAY TOWARDS",
              help="How far strength 1 moves, in cosines; else what does best here.")  # fmt: skip
@json_option
@click.pass_obj
def fit_command(
    context: CommandContext,
    /,
    worn_feed: str | None,
    flat_feed: str | None,
    one_feed: str | None,
    worn_if: str | None,
    *,
    not_worn: tuple[str, ...],
    category_map: Path | None,
    model: str | None,
    into_card: bool,
    folds: Path | None,
    reach: tuple[float, float] | None,
    as_json: bool,
) -> int:
    r"""Learn a transform from unpaired photos of worn and of flat garments.

    Prints how well the cue tells worn photos, and what the transform does to the share of worn photos among the first
    ten answers and to how many of them are of the right kind: for photos of styles and sellers that it was not learned
    from. Servers use it once they are started again.

    \b
    nitari transform fit --worn studio.csv --flat private.csv --not-worn Gear
    nitari transform fit --feed all.csv --worn-if presentation=model

    With --folds, `nitari eval worn DIR --folds FOLDER` then measures it through the whole product. Of a model that was
    trained on these very photos that is the only honest figure: then choose --reach by it.
    """
    settings = context.settings()
    feeds = _feeds(worn_feed, flat_feed, one_feed, worn_if, not_worn, category_map)
    if folds is None:
        made = [_fit(settings, model, feeds, None, reach, into_card=into_card, quiet=as_json)]
    else:
        made = _fit_folds(settings, folds, feeds, reach, quiet=as_json)
    if as_json:
        print_json([one.told for one in made] if folds else made[0].told)
    else:
        for one in made:
            _print_told(one.told)
            for reason in one.refused[:10]:
                print_error(reason)
            click.echo(f"{len(one.refused)} photos could not be used\nwritten: {one.path}")
    return 3 if any(one.refused for one in made) else 0


@transform_group.command("show")
@_MODEL
@json_option
@click.pass_obj
def show_command(context: CommandContext, /, *, model: str | None, as_json: bool) -> int:
    """Show what applies to query photos, where it is from, and what was measured when it was learned."""
    chosen = _chosen(context.settings(), model)
    found = chosen.found()
    if as_json:
        print_json(_document(chosen, found))
        return 0
    made = found.transform
    state = "off (nitari transform enable)" if found.disabled else "on" if made else "none: nitari transform fit"
    rows = [("model", chosen.embedder.name), ("state", state)]
    if made is not None:
        rows += [("from", f"{'this home' if found.origin == 'home' else 'the model card'}: {found.path}")]
        rows += [("strength", f"{made.base:g} x the cue's probability"), ("kinds", ", ".join(made.kinds) or "none")]
    if found.stale is not None:
        rows += [("passed over", f"{found.stale}: learned for other vectors")]
    print_table(("", ""), rows)
    if made is not None and made.told:
        _print_told(made.told)
    return 0


@transform_group.command("disable")
@_MODEL
@click.pass_obj
def disable_command(context: CommandContext, /, *, model: str | None) -> int:
    """Leave query photos as they are, whatever card or home hold. Servers do once they are started again."""
    from nitari.query_transforms import disable

    settings = context.settings()
    name = _chosen(settings, model).embedder.name
    disable(settings.home, name)
    click.echo(f"query photos of {name} stay as they are; nitari transform enable takes it back")
    return 0


@transform_group.command("enable")
@_MODEL
@click.pass_obj
def enable_command(context: CommandContext, /, *, model: str | None) -> int:
    """Take `nitari transform disable` back."""
    from nitari.query_transforms import enable

    settings = context.settings()
    chosen = _chosen(settings, model)
    enable(settings.home, chosen.embedder.name)
    there = chosen.found().transform is not None
    click.echo(f"{chosen.embedder.name}: {'on' if there else 'there is none to use: nitari transform fit'}")
    return 0


@dataclass(frozen=True, slots=True, eq=False)
class _Chosen:
    """A model and what makes its vectors."""

    settings: Settings
    card: Card
    embedder: Embedder
    extractor: Extractor

    def found(self) -> Found:
        from nitari.query_transforms import find_transform

        return find_transform(self.settings.home, self.card, self.embedder)


@dataclass(frozen=True, slots=True)
class _Feed:
    """A feed and how its items are labeled."""

    source: str
    labels: Labels


def _chosen(settings: Settings, model: str | None) -> _Chosen:
    """The model that is meant, its transform left aside: one that is damaged must not keep anybody from a new one."""
    from nitari.recipes import Extractors, open_store
    from nitari.wiring import settings_in_use

    if model is None:
        used = settings_in_use(settings)
    else:
        used = settings.model_copy(update={"models": settings.models.model_copy(update={"embedder": model})})
    extractors = Extractors(used)
    extractor = extractors.build(transformed=False)
    return _Chosen(settings, open_store(used).card(used.models.embedder), extractors.embedder(), extractor)


def _feeds(
    worn: str | None,
    flat: str | None,
    one: str | None,
    worn_if: str | None,
    not_worn: tuple[str, ...],
    category_map: Path | None,
) -> list[_Feed]:
    """Which feeds are read, and how."""
    from nitari.evaluate.protocols.kinds import read_kinds_file
    from nitari.training.transform_photos import Labels, category_parts, last_category

    kinds = None if category_map is None else read_kinds_file(category_map)

    def worn_kind(item: Item) -> str:
        return last_category(item) if kinds is None else kinds.of_worn(item)

    def flat_kind(item: Item) -> str:
        if kinds is None:
            return last_category(item)
        return kinds.of_flat(item) or " > ".join(category_parts(item))

    if one is not None and worn_if is not None and worn is None and flat is None:
        name, _, value = worn_if.partition("=")

        def tells(item: Item) -> bool:
            found = item.attributes.get(name, "")
            return value in found if isinstance(found, tuple) else str(found) == value

        def either(item: Item) -> str:
            return worn_kind(item) if tells(item) else flat_kind(item)

        return [_Feed(one, Labels(either, tells, studio=False))]
    if worn is None or flat is None or one is not None or worn_if is not None:
        raise UsageError(
            "it is not said which photos are worn",
            remedy="give --worn FEED and --flat FEED, or --feed FEED and --worn-if NAME=VALUE",
        )
    bare = set(not_worn)
    on_somebody = Labels(worn_kind, lambda item: not bare & set(category_parts(item)), studio=True)
    return [_Feed(worn, on_somebody), _Feed(flat, Labels(flat_kind, lambda _item: False, studio=False))]


def _samples(chosen: _Chosen, feeds: list[_Feed], *, quiet: bool) -> tuple[Samples, list[str]]:
    """All photos of all feeds, embedded."""
    from time import monotonic

    from nitari.training.transform_photos import gather, joined, shots
    from nitari.wiring import open_feed, open_photos

    opened = [(open_feed(chosen.settings, feed.source), feed.labels) for feed in feeds]
    found = [(feed, list(shots(feed.read(), labels))) for feed, labels in opened]
    total, started, done = sum(len(photos) for _, photos in found), monotonic(), 0
    parts, refused = [], []
    with counting("embedding", "photos", quiet=quiet) as tell:

        def on_photo() -> None:
            nonlocal done
            done += 1
            tell(Tally(done, total, monotonic() - started, ""))

        for feed, photos in found:
            with closing(open_photos(chosen.settings, feed.image_base)) as source:
                workers = chosen.settings.ingest.workers
                made, reasons = gather(
                    photos, extractor=chosen.extractor, source=source, workers=workers, on_photo=on_photo
                )
            parts.append(made)
            refused += reasons
    return joined(*parts), refused


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """A transform that was learned and written: where, what it says of itself, and which photos were of no use."""

    path: Path
    told: dict[str, Any]
    refused: list[str]


def _fit(
    settings: Settings,
    model: str | None,
    feeds: list[_Feed],
    fold: tuple[int, int] | None,
    given: tuple[float, float] | None,
    *,
    into_card: bool,
    quiet: bool,
) -> _Made:
    """Learn a model's transform, without the photos of a fold where one is given, and write it."""
    from nitari.query_transforms import keep_transform, name_in_card, own_path
    from nitari.training.transform import Reach, learn
    from nitari.training.transform_measure import judge

    chosen = _chosen(settings, model)
    samples, refused = _samples(chosen, feeds, quiet=quiet)
    if fold is not None:
        samples = samples.at(samples.folds(fold[1]) != fold[0])
    wanted = None if given is None else Reach(*given)
    gate, embedder = chosen.extractor.gate, chosen.embedder.fingerprint
    watched = None if gate is None else gate.watched
    judgement, reach = judge(samples, reach=wanted, embedder=embedder, watched=watched)
    learned = learn(samples, embedder=embedder, watched=watched)
    left_out = None if fold is None else f"{fold[0]}/{fold[1]}"
    told = {**_told(chosen, samples, judgement, learned.counts, left_out), "reach": [reach.away, reach.towards]}
    transform = learned.reaching(reach, told=told)
    if into_card:
        path, sha256 = name_in_card(chosen.card, transform)
    else:
        path = own_path(settings.home, chosen.embedder.name)
        sha256 = keep_transform(path, transform)
    return _Made(path, {**told, "path": str(path), "sha256": sha256, "refused": refused}, refused)


def _fit_folds(
    settings: Settings, folder: Path, feeds: list[_Feed], reach: tuple[float, float] | None, *, quiet: bool
) -> list[_Made]:
    """Learn one for each fold's card."""
    from nitari.evaluate.folds import fold_cards
    from nitari.recipes import remembering_outputs

    cards = fold_cards(folder)
    with remembering_outputs():
        return [
            _fit(settings, str(card.resolve()), feeds, (number, len(cards)), reach, into_card=True, quiet=quiet)
            for number, card in enumerate(cards)
        ]


def _told(
    chosen: _Chosen, samples: Samples, judged: Judgement, counts: dict[str, tuple[int, int]] | Any, fold: str | None
) -> dict[str, Any]:
    """What a transform's file says of itself."""
    return {
        "model": chosen.embedder.name,
        "learned_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "photos": {"worn": int(samples.worn.sum()), "others": int((~samples.worn).sum())},
        "left_out": fold,
        "kinds": {kind: {"worn": worn, "flat": flat} for kind, (worn, flat) in counts.items()},
        "cue": {
            "auc": round(judged.auc, 4),
            "auc_same_catalog": None if judged.auc_studio is None else round(judged.auc_studio, 4),
            "missed": round(judged.wrong_worn, 4),
            "false": round(judged.wrong_flat, 4),
            "calibration_error": round(judged.error, 4),
        },
        "kinds_guessed": round(judged.kinds, 4),
        "queries": judged.queries,
        "fair_share_of_worn": round(judged.fair, 4),
        "auto": judged.base.as_dict(),
        "strengths": [point.as_dict() for point in judged.points],
    }


def _print_told(told: Any) -> None:
    """What was learned from, and what held-out photos said."""
    photos, cue = told["photos"], told["cue"]
    click.echo(f"learned from {photos['worn']} worn photos and {photos['others']} others")
    click.echo(
        f"cue: AUC {cue['auc']:.4f}, {cue['missed']:.1%} of worn photos missed, {cue['false']:.1%} of others taken for "
        f"worn; kind guessed for {told['kinds_guessed']:.1%} of worn photos"
    )
    if not told["queries"]:
        click.echo("no worn photo has a kind that flat photos have too, so answers were not measured")
        return
    click.echo(f"{told['queries']} held-out worn photos ask, the first {10} answers (an unbiased answer would have "
               f"{told['fair_share_of_worn']:.3f} worn):")  # fmt: skip
    names = ("precision", "worn", "flat", "flat_only", "style")
    rows = [(f"{point['strength']:g}", *(f"{point[name]:.3f}" for name in names)) for point in told["strengths"]]
    rows.append(("auto", *(f"{told['auto'][name]:.3f}" for name in names)))
    heads = ("strength", "right kind", "worn", "flat, right kind", "right kind of flat alone", "style first")
    print_table(heads, rows, right=heads)


def _document(chosen: _Chosen, found: Found) -> dict[str, Any]:
    made: LinearTransform | None = found.transform
    return {
        "model": chosen.embedder.name,
        "enabled": not found.disabled and made is not None,
        "disabled": found.disabled,
        "origin": found.origin,
        "path": found.path,
        "passed_over": found.stale,
        "strength": None if made is None else made.base,
        "kinds": [] if made is None else list(made.kinds),
        "told": {} if made is None else dict(made.told),
    }
