"""The whole of ``nitari train embedding`` after the photos were looked at: folds, weights, the final heads, the files.

Whatever was finished lies in ``work/`` and is not done twice, so that an interrupted run goes on where it was.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.embeddings.head import Head
from nitari.folds import fold_of
from nitari.models.gate_spec import GateSpec
from nitari.training.head_examples import Example
from nitari.training.head_export import Naming, export
from nitari.training.head_features import COLOR_VIEW, PLAIN, Sights
from nitari.training.head_fit import Heads, Lessons, Plan, Trainer
from nitari.training.head_frozen import frozen_head, gate_for, inside_share, narrowed
from nitari.training.head_judge import Judge, Scores, Weights
from nitari.training.head_losses import unit_rows
from nitari.types import FloatArray

OnStep: TypeAlias = Callable[[str, int, int, float], None]
"""Told what is trained, the step, how many there are, and the loss."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to come out, beside the plan.

    Args:
        name: The model's.
        network: Card of the network behind the shape head.
        license: SPDX expression for the card.
        dim: Width of the shape head, narrowed to after training.
        frozen_dim: Width of the frozen projection (``nitari.training.head_frozen``); 0 for none, and no gate.
        folds: How many.
        color_weight: Of the color part in the composite; ``None`` to have all weights measured.
        apart: Categories to be trained apart from the rest too; none for the shared head alone.
        told: For the provenance: plain values.
    """

    name: str
    network: str
    license: str
    dim: int
    frozen_dim: int
    folds: int
    color_weight: float | None
    apart: tuple[str, ...]
    told: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Behind:
    """A network that heads are trained behind.

    Args:
        card: Its card's name, as the exported card is to say it.
        sights: What it saw of the examples. Asked for when it is needed: fine-tuned networks, one for each fold, would
            fill the memory together.
    """

    card: str
    sights: Callable[[], Sights]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What the result is compared with where networks were fine-tuned.

    Args:
        sights: What the network saw before it was.
        heads: Of each fold, trained behind that.
    """

    sights: Sights
    heads: Sequence[Heads]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came out.

    Args:
        card: The final model's.
        folds: The folder with a card for each fold, for ``nitari eval --folds``.
        scores: What was measured on folds, by what was measured.
        report: All of it as plain values, which also stands in ``report.json``.
    """

    card: Path
    folds: Path
    scores: Mapping[str, Scores]
    report: Mapping[str, Any]


def train(
    examples: Sequence[Example],
    networks: Sequence[Behind],
    plan: Plan,
    wish: Wish,
    out: Path,
    *,
    directions: FloatArray | None,
    descriptors: Mapping[str, tuple[str, int]],
    on_step: OnStep,
    earlier: Earlier | None = None,
) -> Outcome:
    """Train, judge and write; see the module.

    Args:
        examples: Photos, usable ones.
        networks: One for each fold, then that of the final model; all the same where none was fine-tuned.
        plan: How to train.
        wish: What is to come out.
        out: The folder.
        directions: float32 ``[features, m]``: what the network's classifier tells apart; ``None`` if not known.
        descriptors: Name and width of the descriptors by part: color, texture, aspect.
        on_step: Told of progress.
        earlier: What to compare with where networks were fine-tuned.
    """
    fold_of_each = folds_of(examples, wish.folds)
    others = [np.flatnonzero(fold_of_each != fold) for fold in range(wish.folds)]

    def fit(what: str, sights: Sights, rows: NDArray[np.intp], how: Plan) -> Heads:
        return fitted_heads(what, lessons_of(examples, sights).only(rows), how, out, on_step)

    def finished(heads: Heads, sights: Sights, rows: NDArray[np.intp]) -> Heads:
        return narrowed_heads(heads, sights, rows, directions, wish)

    shared: list[Heads] = []
    composed: list[Heads] = []
    plain: list[Sights] = []
    for fold, rows in enumerate(others):
        sights = networks[fold].sights()
        shared.append(finished(fit(f"fold-{fold}", sights, rows, plan), sights, rows))
        if wish.apart:
            mine = np.array([example.category in wish.apart for example in examples])
            rest, half = fold_of_each != fold, replace(plan, dim=plan.dim // 2)
            first = fit(f"fold-{fold}-apart", sights, np.flatnonzero(rest & mine), half)
            second = fit(f"fold-{fold}-others", sights, np.flatnonzero(rest & ~mine), half)
            composed.append(finished(_composed(first, second, shared[fold]), sights, rows))
        plain.append(sights if earlier is None else replace(sights, shape=sights.shape[:PLAIN].copy()))
    judge = Judge(examples, plain, wish.folds)
    if wish.color_weight is None:
        weights, scores = judge.weigh(shared)
    else:
        weights = Weights(color=wish.color_weight)
        scores = judge.measure(shared, weights)
    frozen = judge.measure([None] * wish.folds, weights)
    measured = {"frozen, the same weights": frozen, "shared head": scores}
    if earlier is not None:
        before = [finished(own, earlier.sights, rows) for own, rows in zip(earlier.heads, others, strict=True)]
        old = Judge(examples, earlier.sights, wish.folds)
        measured = {
            "frozen, the same weights": old.measure([None] * wish.folds, weights),
            "shared head, frozen": old.measure(before, weights),
            "fine-tuned, no head": frozen,
            "shared head, fine-tuned": scores,
        }
    if wish.apart:
        measured[f"apart: {', '.join(wish.apart)}"] = judge.measure(composed, weights)
    everything = np.arange(len(examples))
    sights = networks[-1].sights()
    final = finished(fit("final", sights, everything, plan), sights, everything)
    gate = _gate(shared, plain, judge.fold, weights)
    report = {
        "measures": {name: asdict(own) for name, own in measured.items()},
        "weights": asdict(weights),
        "gate": None if gate is None else asdict(gate),
        "plan": asdict(plan),
        "folds": wish.folds,
        **wish.told,
    }
    naming = Naming(
        name=wish.name,
        description=f"Shape and color heads on a {'fine-tuned' if earlier else 'frozen'} network, trained by "
        "`nitari train embedding`.",
        license=wish.license,
        origin=f"Trained on {len(examples)} photos behind the card {wish.network}; see {wish.name}.provenance.json.",
        network=networks[-1].card,
        descriptors=descriptors,
        gate=gate,
    )
    for fold, heads in enumerate(shared):
        own = replace(naming, name=f"{wish.name}-fold{fold}", network=networks[fold].card)
        export(out / "folds" / str(fold), "card.toml", own, heads, weights, {**report, "held out": fold})
    card = export(out, f"{wish.name}.toml", naming, final, weights, report)
    (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Outcome(card, out / "folds", measured, report)


def fitted_heads(what: str, lessons: Lessons, plan: Plan, out: Path, on_step: OnStep) -> Heads:
    """Heads trained on these lessons, or gone on with where ``work/WHAT.npz`` in ``out`` says that they were."""
    trainer = Trainer(lessons, plan, checkpoint=out / "work" / f"{what}.npz")
    return trainer.run(lambda step, steps, loss: on_step(what, step, steps, loss))


def narrowed_heads(
    heads: Heads, sights: Sights, rows: NDArray[np.intp], directions: FloatArray | None, wish: Wish
) -> Heads:
    """Heads as they are used: the shape head in as many numbers as wished for, the frozen projection beside it."""
    seen = unit_rows(sights.shape[:PLAIN, rows].sum(axis=0))[0]
    width = min(wish.frozen_dim, seen.shape[1])
    frozen = frozen_head(seen, directions, width) if width > 1 else None
    return Heads(narrowed(heads.shape, seen, wish.dim), heads.color, frozen)


def folds_of(examples: Sequence[Example], folds: int) -> NDArray[np.intp]:
    """The fold of each example, ``[n]``."""
    return np.array([fold_of(example.key, folds) for example in examples], dtype=np.intp)


def _gate(
    heads: Sequence[Heads], sights: Sequence[Sights], fold: NDArray[np.intp], weights: Weights
) -> GateSpec | None:
    """The gate of all cards, from how each fold's projection sees photos that it was made without."""
    projections = [own.frozen for own in heads if own.frozen is not None]
    if not projections:
        return None
    held_out = [
        inside_share(own, seen.shape[:PLAIN, fold == number])
        for number, (own, seen) in enumerate(zip(projections, sights, strict=True))
    ]
    counted = {part: weight for part, weight in asdict(weights).items() if weight}
    return gate_for(np.concatenate(held_out), projections[0].dim, counted)


def lessons_of(examples: Sequence[Example], sights: Sights) -> Lessons:
    """What heads learn from, with names turned into numbers."""
    return Lessons(
        shape=sights.shape,
        color=sights.color,
        color_view=np.array(COLOR_VIEW, dtype=np.intp),
        plain_views=PLAIN,
        category=_numbered([example.category for example in examples]),
        group=_numbered([example.group for example in examples]),
        tint=_numbered([example.color for example in examples]),
        feed=np.array([example.feed for example in examples], dtype=np.intp),
    )


def _composed(first: Heads, second: Heads, shared: Heads) -> Heads:
    """Two shape heads as one, side by side (Mercari's composition), beside the shared color head."""
    matrix = np.concatenate((first.shape.matrix, second.shape.matrix), axis=1)
    return Heads(Head(matrix, np.concatenate((first.shape.bias, second.shape.bias))), shared.color)


def _numbered(names: Sequence[str]) -> NDArray[np.intp]:
    """Numbers for names, in the names' order; -1 for none."""
    code = {name: number for number, name in enumerate(sorted(set(names) - {""}))}
    return np.array([code.get(name, -1) for name in names], dtype=np.intp)
