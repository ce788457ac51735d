"""``nitari train embedding``: heads behind a network, and the network itself, from feeds with groups and categories."""

from __future__ import annotations

import platform
from dataclasses import asdict, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from nitari import __version__
from nitari.cli.output import CommandContext, err, json_option, print_json, print_table
from nitari.cli.progress import Tally, counting
from nitari.cli.training_looking import Looking
from nitari.errors import UsageError
from nitari.recipes import Extractors
from nitari.wiring import open_feed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nitari.training.head_examples import Example
    from nitari.training.head_judge import Scores
    from nitari.training.head_train import Outcome

NETWORK = "nitari-lite0"


@click.command("embedding")
@click.argument("feeds", metavar="FEED...", nargs=-1, required=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True,
              help="Folder of the result, and of what is needed to go on after an interruption.")  # fmt: skip
@click.option("--name", default="trained", show_default=True, help="What to call the model.")
@click.option("--categories", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="A TOML file that gives categories of different feeds one name.")  # fmt: skip
@click.option("--folds", type=click.IntRange(2, 20), default=3, show_default=True,
              help="Parts of the feeds, by seller or style; a model of the others judges each.")  # fmt: skip
@click.option("--network", default=NETWORK, show_default=True, help="Card of the network.")
@click.option("--dim", type=click.IntRange(8, 256), default=128, show_default=True, help="Width of the shape head.")
@click.option("--frozen-dim", type=click.IntRange(0, 2048), default=384, show_default=True,
              help="Frozen features to keep, for photos of what the feeds do not show; 0 for none.")  # fmt: skip
@click.option("--color-dim", type=click.IntRange(8, 512), default=128, show_default=True,
              help="Width of the color head.")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), default=600, show_default=True, help="Batches to learn from.")
@click.option("--seed", type=click.IntRange(0), default=20190725, show_default=True, help="Of all that is drawn.")
@click.option("--color-weight", type=click.FloatRange(0.05, 2), help="How much color counts; measured if not given.")
@click.option("--apart", metavar="CATEGORY,...",
              help="Train these apart from the rest too, and compare.")  # fmt: skip
@click.option("--fine-tune", "tune_steps", type=click.IntRange(0), default=0, show_default=True, metavar="STEPS",
              help="Batches to train the network itself with, before heads (extra: train).")  # fmt: skip
@click.option("--fine-tune-layers", "layers", type=click.IntRange(1), default=16, show_default=True,
              help="How many of its last layers; the first see edges, and cost most.")  # fmt: skip
@click.option("--fine-tune-batch", "batch", type=click.IntRange(6), default=48, show_default=True,
              help="Photos in a batch.")  # fmt: skip
@click.option("--fine-tune-rate", "rate", type=click.FloatRange(0, min_open=True), default=1e-4, show_default=True,
              help="Highest learning rate of the network.")  # fmt: skip
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda", "mps"]), default="auto", show_default=True,
              help="Where the network is fine-tuned.")  # fmt: skip
@click.option("--license", "license_", default="LicenseRef-yours", show_default=True, help="Of the result, SPDX.")
@json_option
@click.pass_obj
def embedding_command(
    context: CommandContext,
    /,
    feeds: tuple[str, ...],
    *,
    out: Path,
    name: str,
    categories: Path | None,
    folds: int,
    network: str,
    dim: int,
    frozen_dim: int,
    color_dim: int,
    steps: int,
    seed: int,
    color_weight: float | None,
    apart: str | None,
    tune_steps: int,
    layers: int,
    batch: int,
    rate: float,
    device: str,
    license_: str,
    as_json: bool,
) -> int:
    r"""Train an embedding on FEEDs with item_group_id, product_type, color or several photos an item.

    Heads are trained behind a frozen network and behind a histogram of colors, on the CPU, without PyTorch. With
    --fine-tune the network itself is trained too, once for each fold and once for the result: pip install
    'nitari[train]'. The same feeds and options give the same model. Interrupted, the same command goes on where it was.

    \b
    nitari train embedding studio/feed.csv private/feed.csv --categories names.toml --out mine
    nitari train embedding feed.csv --fine-tune 400 --out mine
    nitari eval luma studio --folds mine/folds
    NITARI__MODELS__EMBEDDER=mine/trained.toml nitari import FEED
    """
    from nitari.cli.training_network import fine_tuned, prepared
    from nitari.training.finetune_batches import Tuning
    from nitari.training.head_examples import read_examples, read_mapping
    from nitari.training.head_fit import Plan
    from nitari.training.head_train import Behind, Earlier, Wish, train

    settings = context.settings()
    fine = None
    if tune_steps:
        fine = prepared(settings, network, Tuning(tune_steps, batch, layers, rate, seed=seed), device)
    elif network.endswith(".toml"):
        raise UsageError(
            f"the card that comes out would name the file {network}, which may not be where that card is used",
            remedy="put that card and its weights into the folder models.cards, and name the card: --network NAME",
        )
    mapping = read_mapping(categories) if categories else {}
    opened = [open_feed(settings, feed) for feed in feeds]
    examples = read_examples(opened, mapping)
    chosen = _apart(apart, examples)
    looking = Looking(settings, [feed.image_base for feed in opened], out, quiet=as_json)
    eye = looking.eye(network)
    kept, sights, unusable = looking.see(examples, eye)
    plan = Plan(color_dim=color_dim, steps=steps, seed=seed)
    told = _told(feeds, kept, categories)
    # Never a path: what comes out may be shown to others.
    begun = network if fine is None else fine.parent.card.name
    wish = Wish(name, begun, license_, dim, frozen_dim, folds, color_weight, chosen, told)
    directions = Extractors(settings).directions(network)
    networks = [Behind(network, lambda: sights)] * (folds + 1)
    earlier: Earlier | None = None
    if fine is not None:
        networks, earlier = fine_tuned(fine, looking, kept, sights, plan, wish, out, quiet=as_json)
        wish = replace(wish, told={**told, "fine_tuning": fine.told})
    started = perf_counter()
    with counting("training", "steps", quiet=as_json) as show:

        def on_step(what: str, done: int, total: int, loss: float) -> None:
            show(Tally(done, total, perf_counter() - started, f"{what}, loss {loss:.2f}"))

        outcome = train(
            kept,
            networks,
            plan,
            wish,
            out,
            directions=directions,
            descriptors=eye.descriptors,
            on_step=on_step,
            earlier=earlier,
        )
    if as_json:
        print_json({"card": outcome.card, "folds": outcome.folds, "report": outcome.report, "unusable": unusable})
    else:
        _print(outcome, unusable)
    return 3 if unusable else 0


def _apart(given: str | None, examples: tuple[Example, ...]) -> tuple[str, ...]:
    """The categories that ``--apart`` names.

    Raises:
        UsageError: one that the feeds do not have.
    """
    names = {example.category for example in examples}
    chosen = tuple(part.strip() for part in (given or "").split(",") if part.strip())
    unknown = [part for part in chosen if part not in names]
    if unknown:
        raise UsageError(
            f"--apart names {unknown[0]!r}, the feeds have {', '.join(sorted(names))}",
            remedy="name categories as they are called after --categories",
        )
    return chosen


def _told(feeds: tuple[str, ...], examples: tuple[Example, ...], categories: Path | None) -> dict[str, Any]:
    """Where the model comes from. Of paths only the end: the file may be shown to others."""
    return {
        "feeds": [
            {
                "feed": "/".join(Path(feed).parts[-2:]),
                "photos": sum(example.feed == number for example in examples),
                "items": len({example.item for example in examples if example.feed == number}),
                "groups": len({example.group for example in examples if example.feed == number}),
            }
            for number, feed in enumerate(feeds)
        ],
        "categories": categories.name if categories else None,
        "versions": {"nitari": __version__, "numpy": np.__version__, "python": platform.python_version()},
    }


def _print(outcome: Outcome, unusable: Mapping[str, str]) -> None:
    def row(name: str, scores: Scores) -> tuple[str, ...]:
        return (name, *("" if value is None else f"{value:.3f}" for value in asdict(scores).values()))

    headers = ("held out", "style S@1", "style S@5", "category P@1", "category P@10", "other feed P@5")
    print_table(headers, [row(name, scores) for name, scores in outcome.scores.items()], right=headers[1:])
    for link, reason in list(unusable.items())[:10]:
        err.print(f"left out: {link}: {reason}", markup=False)
    click.echo(f"card: {outcome.card}\nfolds: {outcome.folds}")
