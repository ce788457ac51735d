"""Fine-tuned networks, one for each fold and the final one, so that none is judged by what it was trained on.

A network that saw a seller's photos has learned their carpet, whatever its heads saw afterwards: so a fold takes a
network of its own, and judging costs as many trainings as there are folds. Each begins with heads of that fold, trained
behind the network as it was; these are also what the result is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nitari.training.finetune_batches import Tuning
from nitari.training.finetune_card import NetworkNaming, Parent
from nitari.training.finetune_shots import Shots
from nitari.training.finetune_train import Material, tune
from nitari.training.head_examples import Example
from nitari.training.head_features import Sights
from nitari.training.head_fit import Plan
from nitari.training.head_train import Earlier, OnStep, Wish, fitted_heads, folds_of, lessons_of

OnTuned: TypeAlias = Callable[[str, int, int, float], None]
"""Told which network is trained, how many steps of all networks are done, how many there are, and the loss."""


@dataclass(frozen=True, slots=True, eq=False)
class Photos:
    """What networks are fine-tuned on.

    Args:
        examples: Photos, usable ones.
        sights: What the network saw of them as it was.
        digests: Of their files, in the same order.
        shots: Where the photos are kept.
    """

    examples: Sequence[Example]
    sights: Sights
    digests: Sequence[str]
    shots: Shots


@dataclass(frozen=True, slots=True)
class Work:
    """Where and with what it is done.

    Args:
        out: The folder.
        device: From ``finetune_train.ready``.
        workers: Threads that prepare batches.
    """

    out: Path
    device: str
    workers: int


def tuned_networks(
    parent: Parent,
    photos: Photos,
    plan: Plan,
    tuning: Tuning,
    wish: Wish,
    work: Work,
    *,
    on_heads: OnStep,
    on_tuned: OnTuned,
) -> tuple[tuple[Path, ...], Earlier]:
    """Fine-tune all networks that were not yet.

    Args:
        parent: The network to begin with.
        photos: What to learn from.
        plan: How the heads behind the networks are trained.
        tuning: How the networks are.
        wish: What is to come out.
        work: Where it is done.
        on_heads: Told of the heads that training begins with.
        on_tuned: Told of the networks.

    Returns:
        The networks' cards, one for each fold and the final one, and what there was before.
    """
    fold = folds_of(photos.examples, wish.folds)
    everything = np.arange(len(photos.examples))
    parts = [(f"fold{number}", everything[fold != number]) for number in range(wish.folds)]
    lessons = lessons_of(photos.examples, photos.sights)
    cards, heads = [], []
    for number, (what, rows) in enumerate((*parts, ("final", everything))):
        own = lessons.only(rows)
        before = fitted_heads(f"before-{what}", own, plan, work.out, on_heads)
        final = number == wish.folds

        def on_step(step: int, steps: int, loss: float, what: str = what, number: int = number) -> None:
            on_tuned(what, number * steps + step, (wish.folds + 1) * steps, loss)

        card = tune(
            parent,
            Material(own, [photos.digests[row] for row in rows], photos.shots, before, plan),
            tuning,
            NetworkNaming(f"{wish.name}-network" if final else f"{wish.name}-{what}-network", wish.license, final),
            folder=work.out if final else work.out / "folds" / str(number),
            checkpoint=work.out / "work" / f"network-{what}.pt",
            device=work.device,
            workers=work.workers,
            told={**wish.told, "folds": wish.folds, "held out": None if final else number, "photos": len(rows)},
            on_step=on_step,
        )
        cards.append(card)
        heads.append(before)
    return tuple(cards), Earlier(photos.sights, heads[:-1])
