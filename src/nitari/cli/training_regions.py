"""``nitari train regions``: a region finder from feeds, without a single box drawn by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import click

from nitari.cli.output import CommandContext, err, json_option, print_json, print_table
from nitari.cli.progress import Tally, counting
from nitari.errors import FetchError
from nitari.images.base import ImageSource, NotModified
from nitari.recipes import TRUNK_CARD, Extractors, open_store
from nitari.wiring import open_decoder, open_feed, open_photos

if TYPE_CHECKING:
    from nitari.settings import Settings
    from nitari.training.finder_judge import Judgment
    from nitari.training.finder_labels import Labels
    from nitari.training.finder_photos import Gathered, Source
    from nitari.training.finder_train import Told, Training

_PHOTOS = "photos"
_PROVENANCE = {
    "license": "LicenseRef-yours",
    "origin": "Trained by `nitari train regions` on feeds of yours, with u2netp (Apache-2.0) as teacher and the first "
    "blocks of EfficientNet-Lite0 (Apache-2.0) to start from.",
}


@click.command("regions")
@click.argument("feeds", metavar="FEED...", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder of the result, and of what is needed to go on after an interruption.")  # fmt: skip
@click.option("--labels", "labels_file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Which product types are which labels (default: nitari/training/garments.toml).")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), default=1500, show_default=True, help="Batches to learn from.")
@click.option("--batch", type=click.IntRange(1), default=24, show_default=True, help="Pictures in a batch.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Of all that is drawn.")
@click.option("--fold", type=click.IntRange(0, 4), default=0, show_default=True,
              help="Of five folds of sellers and styles: the one held out to judge by.")  # fmt: skip
@click.option("--pictures", type=click.IntRange(1), default=400, show_default=True, help="Made up to judge by.")
@click.option("--judge", "judge_card", metavar="CARD", help="Train nothing; judge this card on the fold held out.")
@json_option
@click.pass_obj
def regions_command(
    context: CommandContext,
    /,
    feeds: tuple[str, ...],
    *,
    out: Path,
    labels_file: Path | None,
    steps: int,
    batch: int,
    seed: int,
    fold: int,
    pictures: int,
    judge_card: str | None,
    as_json: bool,
) -> int:
    r"""Train a region finder on the photos of FEED..., and judge it on photos that it never saw.

    u2netp marks what stands out on each photo, the feed's product_type says what it is, rules of proportion find the
    garment on people who wear it, and cut-outs are pasted onto other grounds. Run the same command again to go on after
    an interruption. Needs PyTorch: pip install 'nitari[train]'.

    \b
    nitari train regions studio.csv private.csv --out finder
    nitari train regions studio.csv private.csv --out finder --judge nitari-regions
    """
    from nitari.training.finder_labels import BUILT_IN, read_labels
    from nitari.training.finder_train import SAVE_EVERY, Training, train, write_judgment

    settings = context.settings()
    labels = read_labels(labels_file or BUILT_IN)
    training = Training(steps=steps, batch=batch, seed=seed, held_out=fold)
    photos = _gather(settings, feeds, labels, out / _PHOTOS, quiet=as_json)
    card = judge_card
    if card is None:
        with counting("training", "steps", quiet=as_json, every=SAVE_EVERY) as show:
            started = perf_counter()

            def on_step(told: Told) -> None:
                losses = ", ".join(f"{name} {value:.2f}" for name, value in told.losses.items())
                show(Tally(told.done, told.total, perf_counter() - started, losses))

            trunk = _trunk(settings)
            card = str(
                train(photos, labels, training, trunk=trunk, folder=out, provenance=_PROVENANCE, on_step=on_step)
            )
    judgment = _judge(settings, photos, labels, training, card=card, pictures=pictures, quiet=as_json)
    write_judgment(judgment, out, training=training)
    if as_json:
        print_json({"card": card, "judgment": asdict(judgment)})
    else:
        _print(card, judgment)
    return 0


def _gather(settings: Settings, feeds: tuple[str, ...], labels: Labels, folder: Path, *, quiet: bool) -> Gathered:
    """The feeds' photos with their teacher's masks."""
    from nitari.training.finder_photos import gather

    teaching = settings.model_copy(update={"extract": settings.extract.model_copy(update={"regions": "saliency"})})
    with ExitStack() as stack, counting("photos", "photos", quiet=quiet) as show:
        started = perf_counter()
        photos = gather(
            _sources(settings, feeds, labels, stack),
            decoder=open_decoder(settings),
            teacher=Extractors(settings).finder(teaching),
            folder=folder,
            workers=settings.ingest.workers,
            on_done=lambda done: show(Tally(done, None, perf_counter() - started, "")),
        )
    for problem in photos.problems[:20]:
        err.print(f"left out: {problem}", markup=False)
    return photos


def _sources(settings: Settings, feeds: tuple[str, ...], labels: Labels, stack: ExitStack) -> Iterator[Source]:
    """All photos of the feeds, feed by feed."""
    from nitari.training.finder_photos import sources
    from nitari.types import Rejection

    for name in feeds:
        feed = open_feed(settings, name)
        source = stack.enter_context(closing(open_photos(settings, feed.image_base)))

        items = (row.item for row in feed.read() if not isinstance(row, Rejection))
        yield from sources(items, partial(_bytes, source), labels)


def _bytes(source: ImageSource, link: str) -> bytes:
    original = source.fetch(link)
    if isinstance(original, NotModified):
        raise FetchError(f"{link} was not sent, though nobody asked whether it had changed", code="not-sent")
    return original.data


def _judge(
    settings: Settings,
    photos: Gathered,
    labels: Labels,
    training: Training,
    *,
    card: str,
    pictures: int,
    quiet: bool,
) -> Judgment:
    from nitari.regions.saliency import MARGIN
    from nitari.training.finder_train import judged

    extractors = Extractors(settings)
    finder, doubtful = extractors.detector(card), extractors.detector(card, threshold=0.05)
    with counting("judging", "photos", quiet=quiet) as show:
        started = perf_counter()
        return judged(
            photos,
            labels,
            training,
            finder=finder,
            doubtful=doubtful,
            margin=MARGIN,
            pictures=pictures,
            on_done=lambda what, done, total: show(Tally(done, total, perf_counter() - started, what)),
        )


def _trunk(settings: Settings) -> Path:
    """The published weights that the trunk starts from."""
    store = open_store(settings)
    return store.weights(store.card(TRUNK_CARD), progress=lambda message: err.print(message, markup=False))


def _print(card: str, judgment: Judgment) -> None:
    rows = [
        ("mean IoU with the teacher", f"{judgment.iou:.3f}", f"{judgment.photos} photos held out"),
        ("at least .8", f"{judgment.alike:.3f}", ""),
        ("label right", f"{judgment.labeled:.3f}", ""),
        ("regions a photo", f"{judgment.found:.2f}", ""),
        ("mAP@.5", f"{judgment.map50:.3f}", f"{judgment.pictures} made-up pictures"),
        ("AP@.5, any label", f"{judgment.boxes:.3f}", ""),
    ]
    rows += [(f"AP@.5 {label}", f"{value:.3f}", "") for label, value in judgment.precisions.items()]
    print_table(("measure", "value", ""), rows, right=("value",))
    click.echo(f"card: {card}")
