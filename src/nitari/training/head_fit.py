"""Trains two heads together: one behind the network (shape), one behind the color layout (color).

What they learn: photos of a style belong together (by shape and color together, as the composite compares them), and so
do garments of a category, also across feeds (by shape alone) and items of a color (by color alone). Both begin as
principal components and are held to them, and to the similarities of the frozen features, so that they do not forget
what is not in the feeds. One seed, one order of draws: the same examples give the same heads, interrupted or not.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.embeddings.head import Head
from nitari.training.head_losses import LabelArray, agreement, contrast, proxies, through_unit, unit_rows
from nitari.types import FloatArray

Progress: TypeAlias = Callable[[int, int, float], None]
"""Told the step, how many there are, and the loss."""

_SAVE_EVERY = 100
_FAST, _SLOW, _TINY = 0.9, 0.999, 1e-8  # Adam (Kingma and Ba, ICLR 2015), its usual constants


@dataclass(frozen=True, slots=True)
class Plan:
    """How heads are trained. The defaults are what measured best (``docs/accuracy.md``).

    Args:
        dim: Width of the shape head while it is trained.
        color_dim: Width of the color head.
        steps: Batches.
        groups: Groups a batch, two photos of each.
        singles: Further photos a batch, rare categories drawn more often.
        rate: Learning rate of the shape head, falling to 0 along a cosine; centers learn 5 times as fast.
        color_rate: Learning rate of the color head.
        group_temperature: Of instance discrimination.
        category_temperature: Of contrast by category, and by color.
        scale: Of classification.
        by_group: Weight of "photos of a style belong together", by shape and color.
        by_group_shape: The same by shape alone.
        by_category: Weight of contrast by category.
        across: Weight of contrast by category between feeds.
        by_center: Weight of classification.
        by_color: Weight of contrast by color name.
        keep: Weight of the frozen similarities, for the shape head.
        keep_color: The same for the color head.
        anchor: Pull towards the beginning, added to the gradient.
        color_weight: How much color counts beside shape where both speak.
        seed: Of everything that is drawn.
    """

    dim: int = 256
    color_dim: int = 128
    steps: int = 600
    groups: int = 64
    singles: int = 128
    rate: float = 2e-3
    color_rate: float = 1e-3
    group_temperature: float = 0.07
    category_temperature: float = 0.1
    scale: float = 12.0
    by_group: float = 1.5
    by_group_shape: float = 0.5
    by_category: float = 0.7
    across: float = 0.5
    by_center: float = 1.0
    by_color: float = 0.3
    keep: float = 1.0
    keep_color: float = 6.0
    anchor: float = 1e-3
    color_weight: float = 0.8
    seed: int = 20190725


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """What heads are trained on; ``n`` photos seen in ``views`` ways.

    Args:
        shape: float32 ``[views, n, features]``, unit rows: the network's.
        color: float32 ``[color views, n, bins]``, unit rows: the color layout's.
        color_view: Which color view belongs to each view, ``[views]``.
        plain_views: How many of the first views the production extractor sees too; the mean is taken over them.
        category: ``[n]``, below 0 where there is none.
        group: ``[n]``.
        tint: ``[n]``, color names, below 0 where there is none.
        feed: ``[n]``.
    """

    shape: FloatArray
    color: FloatArray
    color_view: LabelArray
    plain_views: int
    category: LabelArray
    group: LabelArray
    tint: LabelArray
    feed: LabelArray

    def only(self, rows: NDArray[np.intp]) -> Lessons:
        """Those of some photos."""
        return Lessons(
            self.shape[:, rows],
            self.color[:, rows],
            self.color_view,
            self.plain_views,
            self.category[rows],
            self.group[rows],
            self.tint[rows],
            self.feed[rows],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """What makes a vector: learned heads for the network's features and the color layout, and what is not learned.

    Args:
        shape: For the network's features.
        color: For the color layout.
        frozen: For the network's features too (``nitari.training.head_frozen``); ``None`` to go without.
    """

    shape: Head
    color: Head
    frozen: Head | None = None


class Trainer:
    """Trains heads step by step, and keeps where it is in a file, so that it can be killed at any time.

    Args:
        lessons: What to learn from.
        plan: How.
        checkpoint: The file; what lies there of other lessons or another plan is not used. ``None`` for none.
    """

    def __init__(self, lessons: Lessons, plan: Plan, *, checkpoint: Path | None = None) -> None:
        self._lessons = lessons
        self._plan = plan
        self._checkpoint = checkpoint
        self._draws = np.random.default_rng(plan.seed)
        self._step = 0
        self._middle = lessons.shape[: lessons.plain_views].mean(axis=(0, 1), dtype=np.float64).astype(np.float32)
        self._groups = several(lessons.group)
        self._chances = chances(lessons.category, lessons.feed)
        self._parameters = self._beginning()
        self._start = [array.copy() for array in self._parameters]
        self._means = [np.zeros_like(array) for array in self._parameters]
        self._squares = [np.zeros_like(array) for array in self._parameters]
        ratio = plan.color_rate / plan.rate
        self._rates = (1.0, 1.0, 5.0, ratio)
        self._mark = mark_of(lessons, plan)

    def run(self, progress: Progress | None = None) -> Heads:
        """Train from where the checkpoint stands, or from the beginning, to the end."""
        self._resume()
        while self._step < self._plan.steps:
            loss = self.step()
            if self._step % _SAVE_EVERY == 0 or self._step == self._plan.steps:
                self._save()
                if progress is not None:
                    progress(self._step, self._plan.steps, loss)
        return self.heads()

    def heads(self) -> Heads:
        """As they are now."""
        matrix, bias, _, tints = self._parameters
        no_bias = np.zeros(tints.shape[0], dtype=np.float32)
        return Heads(Head(matrix.T.copy(), bias.copy()), Head(tints.T.copy(), no_bias))

    def step(self) -> float:
        """One batch; returns its loss."""
        shape, color, rows = self._batch()
        loss, gradients = self.gradients(shape, color, rows)
        self._step += 1
        rate = self._plan.rate * 0.5 * (1 + np.cos(np.pi * (self._step - 1) / self._plan.steps))
        for place, gradient in enumerate(gradients):
            mean, square = self._means[place], self._squares[place]
            mean += (1 - _FAST) * (gradient - mean)
            square += (1 - _SLOW) * (gradient**2 - square)
            fast, slow = 1 - _FAST**self._step, 1 - _SLOW**self._step
            change = (mean / fast) / (np.sqrt(square / slow) + _TINY)
            self._parameters[place] -= np.float32(rate * self._rates[place]) * change.astype(np.float32)
        return loss

    def gradients(self, shape: FloatArray, color: FloatArray, rows: NDArray[np.intp]) -> tuple[float, list[FloatArray]]:
        """The loss of a batch, and its gradients with respect to matrix, bias, centers and color matrix."""
        plan, lessons = self._plan, self._lessons
        matrix, bias, centers, tints = self._parameters
        seen, lengths = unit_rows(shape @ matrix.T + bias)
        tinted, tint_lengths = unit_rows(color @ tints.T)
        category, feed, tint = lessons.category[rows], lessons.feed[rows], lessons.tint[rows]
        other = ~np.eye(len(rows), dtype=bool)
        total, slope, tint_slope = 0.0, np.zeros_like(seen), np.zeros_like(tinted)

        def count(weight: float, told: tuple[float, FloatArray], into: FloatArray) -> None:
            nonlocal total
            total += weight * told[0]
            into += np.float32(weight) * told[1]

        share = 1 / np.hypot(1, plan.color_weight)
        together = np.concatenate((seen, np.float32(plan.color_weight) * tinted), axis=1) * np.float32(share)
        group = lessons.group[rows]
        same_group = (group[:, None] == group) & other
        loss, both = contrast(together, same_group, plan.group_temperature)
        width = seen.shape[1]
        count(plan.by_group, (loss, both[:, :width] * np.float32(share)), slope)
        count(plan.by_group, (0.0, both[:, width:] * np.float32(share * plan.color_weight)), tint_slope)
        count(plan.by_group_shape, contrast(seen, same_group, plan.group_temperature), slope)
        named = category >= 0
        same = (category[:, None] == category) & named & other
        count(plan.by_category, contrast(seen, same, plan.category_temperature), slope)
        apart = feed[:, None] != feed
        count(plan.across, contrast(seen, same, plan.category_temperature, among=apart), slope)
        loss, by_center, center_slope = proxies(seen, centers, category, plan.scale)
        count(plan.by_center, (loss, by_center), slope)
        colored = tint >= 0
        pairs = colored[:, None] & colored & other
        count(
            plan.by_color, contrast(tinted, tint[:, None] == tint, plan.category_temperature, among=pairs), tint_slope
        )
        count(plan.keep, agreement(seen, unit_rows(shape - self._middle)[0]), slope)
        count(plan.keep_color, agreement(tinted, color), tint_slope)
        back, tint_back = through_unit(slope, seen, lengths), through_unit(tint_slope, tinted, tint_lengths)
        anchor = np.float32(plan.anchor)
        return total, [
            back.T @ shape + anchor * (matrix - self._start[0]),
            back.sum(axis=0),
            np.float32(plan.by_center) * center_slope,
            tint_back.T @ color + anchor * (tints - self._start[3]),
        ]

    def _beginning(self) -> list[FloatArray]:
        """Principal components of both features, and the categories' means as centers."""
        plan, lessons = self._plan, self._lessons
        plain = lessons.shape[: lessons.plain_views].reshape(-1, lessons.shape.shape[2])
        values, vectors = np.linalg.eigh(np.cov(plain.T))
        dim = min(plan.dim, plain.shape[1])
        scale = np.sqrt(max(float(values[-dim:].sum()), 1e-12))
        matrix = (vectors[:, ::-1][:, :dim].T / scale).astype(np.float32)
        bias = -(matrix @ self._middle)
        layouts = lessons.color.reshape(-1, lessons.color.shape[2]).astype(np.float64)
        _, components = np.linalg.eigh(layouts.T @ layouts)  # not centered: dot products of histograms are to stay
        tints = components[:, ::-1][:, : min(plan.color_dim, layouts.shape[1])].T.astype(np.float32).copy()
        seen, _ = unit_rows(lessons.shape[0] @ matrix.T + bias)
        centers = np.zeros((max(int(lessons.category.max(initial=-1)) + 1, 1), dim), dtype=np.float32)
        for label in range(len(centers)):
            there = seen[lessons.category == label]
            centers[label] = there.mean(axis=0) if len(there) else self._draws.normal(size=dim)
        return [matrix, bias, unit_rows(centers)[0], tints]

    def _batch(self) -> tuple[FloatArray, FloatArray, NDArray[np.intp]]:
        """Photos of some groups, two of each, and single ones; each as one view sees it, or as two do on average."""
        plan, lessons, draws = self._plan, self._lessons, self._draws
        picked: list[NDArray[np.intp]] = []
        if self._groups:
            count = min(plan.groups, len(self._groups))
            places = draws.choice(len(self._groups), count, replace=False)
            picked += [draws.choice(self._groups[place], 2, replace=False) for place in places]
        singles = min(plan.singles if picked else plan.singles + 2 * plan.groups, int((self._chances > 0).sum()))
        picked.append(draws.choice(len(self._chances), singles, replace=False, p=self._chances))
        rows = np.concatenate(picked)
        views = draws.integers(0, len(lessons.shape), (2, len(rows)))
        half = np.where(draws.random(len(rows)) < 0.5, 0.5, 0.0).astype(np.float32)[:, None]
        colors = lessons.color_view[views]
        shape = lessons.shape[views[0], rows] * (1 - half) + lessons.shape[views[1], rows] * half
        color = lessons.color[colors[0], rows] * (1 - half) + lessons.color[colors[1], rows] * half
        return unit_rows(shape)[0], unit_rows(color)[0], rows

    # Where it is.

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        arrays = {
            f"{kind}{place}": array
            for kind, many in (("p", self._parameters), ("m", self._means), ("s", self._squares))
            for place, array in enumerate(many)
        }
        state = json.dumps(self._draws.bit_generator.state)
        self._checkpoint.parent.mkdir(parents=True, exist_ok=True)
        draft = self._checkpoint.with_suffix(f".{os.getpid()}.tmp")
        with draft.open("wb") as file:
            np.savez(file, mark=self._mark, step=self._step, draws=state, **arrays)  # type: ignore[arg-type]  # names may be any
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._checkpoint)

    def _resume(self) -> None:
        """Take up what the checkpoint holds, if it is whole and of these lessons and this plan."""
        if self._checkpoint is None or not self._checkpoint.is_file():
            return
        try:
            with np.load(io.BytesIO(self._checkpoint.read_bytes()), allow_pickle=False) as found:
                if str(found["mark"]) != self._mark:
                    return
                kept = {name: found[name] for name in found.files}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return
        count = len(self._parameters)
        self._parameters, self._means, self._squares = (
            [kept[f"{kind}{place}"] for place in range(count)] for kind in ("p", "m", "s")
        )
        self._step = int(kept["step"])
        self._draws.bit_generator.state = json.loads(str(kept["draws"]))


def several(group: LabelArray) -> list[NDArray[np.intp]]:
    """The rows of each group that has two or more."""
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1, append=-1))
    return [order[a:b] for a, b in itertools.pairwise(starts) if b - a > 1]


def chances(category: LabelArray, feed: LabelArray) -> NDArray[np.float64]:
    """How probable each row is to be drawn by itself: less, by the square root, where its category is frequent."""
    _, kind, counts = np.unique(np.stack((feed, category)), axis=1, return_inverse=True, return_counts=True)
    chances: NDArray[np.float64] = 1 / np.sqrt(counts[kind.ravel()])
    chances /= chances.sum()
    return chances


def mark_of(lessons: Lessons, plan: Plan) -> str:
    """64 hex digits that change with lessons and plan."""
    whole = hashlib.sha256(json.dumps(asdict(plan), sort_keys=True).encode())
    parts: tuple[NDArray[Any], ...] = (
        lessons.shape,
        lessons.color,
        lessons.category,
        lessons.group,
        lessons.tint,
        lessons.feed,
    )
    for part in parts:
        whole.update(np.ascontiguousarray(part).tobytes())
    return whole.hexdigest()
