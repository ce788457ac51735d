"""What a network is fine-tuned with: which photos make a batch, and how each of them is seen in it. All in numpy.

A batch is drawn from the seed and its number alone. So what is learned in step 700 does not depend on where training
was stopped, nor on how many threads prepare batches.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nitari.embeddings.preprocess import fitted
from nitari.errors import DataError, UsageError
from nitari.extract import center_square
from nitari.models.card import InputSpec
from nitari.training.finetune_shots import Shot, Shots
from nitari.training.head_features import before_ground
from nitari.training.head_fit import Lessons, chances, several
from nitari.types import WHOLE, Box, ByteArray, FloatArray, Photo

_WARMUP = 0.05
# How a photo is seen: its center square, the product's box, all of it. As production does, mostly.
_VIEWS = (0.4, 0.4, 0.2)
_SQUARE = 0
_ON_GROUND = 0.2
_SHIFT = 0.08
_ZOOM = (0.75, 1.15)
_LIGHT, _CONTRAST, _TINT = 0.15, 0.15, 0.05


@dataclass(frozen=True, slots=True)
class Tuning:
    """How a network is fine-tuned.

    Args:
        steps: Batches.
        batch: Photos in each: a third of them pairs of a group, the first of each; the others by themselves.
        layers: How many of the last layers with weights are trained.
        rate: Highest learning rate of the network; it is reached after a twentieth of the steps and then falls to 0
            along a cosine.
        head_rate: The same of the heads behind it, which are only there to train the network.
        keep: Weight of "photos are as alike as they were", for the features themselves.
        seed: Of everything that is drawn.
    """

    steps: int
    batch: int = 48
    layers: int = 16
    rate: float = 1e-4
    head_rate: float = 5e-4
    keep: float = 1.0
    seed: int = 20190725

    def __post_init__(self) -> None:
        if self.steps < 1 or self.layers < 1 or self.rate <= 0:
            raise UsageError(f"fine-tuning {self.layers} layers for {self.steps} steps at {self.rate:g} learns nothing")
        if self.batch < 6:
            raise UsageError(f"a batch of {self.batch} photos has too few to compare", remedy="give 6 or more")

    def share(self, step: int) -> float:
        """How much of the highest learning rate step ``step`` (from 0) has."""
        warmup = max(1, round(self.steps * _WARMUP))
        if step < warmup:
            return (step + 1) / warmup
        return float(0.5 * (1 + np.cos(np.pi * (step - warmup) / max(1, self.steps - warmup))))


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Photos as the network is shown them.

    Args:
        images: float32 ``[n, 3, height, width]``.
        rows: Which of the lessons' photos they are, ``[n]``.
        color_views: Which color view of ``Lessons`` goes with each, ``[n]``.
    """

    images: FloatArray
    rows: NDArray[np.intp]
    color_views: NDArray[np.intp]


class Batches:
    """Draws batches.

    Args:
        shots: Where the photos are kept.
        digests: Of the lessons' photos, in their order.
        lessons: What is to be learned.
        spec: The network's input. White is not trimmed: pictures of one batch have one size.
        tuning: How.

    Raises:
        DataError: too few photos, or none that are alike.
    """

    def __init__(self, shots: Shots, digests: Sequence[str], lessons: Lessons, spec: InputSpec, tuning: Tuning) -> None:
        self._shots = shots
        self._digests = digests
        self._spec = replace(spec, trim=0)
        self._tuning = tuning
        self._groups = several(lessons.group)
        if len(digests) < 2 or not (self._groups or (lessons.category >= 0).any()):
            raise DataError(
                f"{len(digests)} photos are left to fine-tune with, and {len(self._groups)} groups of several: nothing "
                "says what is alike",
                remedy="give larger feeds, with product_type or item_group_id, or train heads alone",
            )
        self._chances = chances(lessons.category, lessons.feed)

    def draw(self, step: int) -> Batch:
        """The batch of step ``step``, whatever was drawn before."""
        draws = np.random.default_rng([self._tuning.seed, step])
        rows = self._rows(draws)
        views = draws.choice(len(_VIEWS), len(rows), p=_VIEWS)
        pixels = np.stack(
            [
                seen(self._shots.take(self._digests[row]), int(view), self._spec, draws)
                for row, view in zip(rows, views, strict=True)
            ]
        )
        return Batch(self._spec.tensor(pixels), rows, np.where(views == _SQUARE, 0, 1).astype(np.intp))

    def after(self, step: int, *, workers: int) -> Generator[Batch, None, None]:
        """The batches from ``step`` on, to the last, prepared by so many threads a few steps ahead.

        The threads end where the iterator is closed.
        """
        with ThreadPoolExecutor(workers, "batches") as pool:
            ahead: deque[Future[Batch]] = deque()
            try:
                for number in range(step, self._tuning.steps):
                    ahead.append(pool.submit(self.draw, number))
                    if len(ahead) > workers:
                        yield ahead.popleft().result()
                while ahead:
                    yield ahead.popleft().result()
            finally:
                for future in ahead:
                    future.cancel()

    def _rows(self, draws: np.random.Generator) -> NDArray[np.intp]:
        """Two photos of some groups, and single ones, those of rare categories oftener; see ``head_fit.Trainer``."""
        batch = self._tuning.batch
        picked: list[NDArray[np.intp]] = []
        if self._groups:
            count = min(batch // 3, len(self._groups))
            places = draws.choice(len(self._groups), count, replace=False)
            picked += [draws.choice(self._groups[place], 2, replace=False) for place in places]
        singles = min(batch - 2 * len(picked), len(self._chances))
        picked.append(draws.choice(len(self._chances), singles, replace=False, p=self._chances))
        return np.concatenate(picked)


def seen(shot: Shot, view: int, spec: InputSpec, draws: np.random.Generator) -> ByteArray:
    """A photo as it might have been taken: uint8 ``[height, width, 3]``.

    The frame is moved and zoomed, light and contrast vary, half of the photos are mirrored, and some products stand
    before another ground.

    Args:
        shot: The photo.
        view: Which frame to begin with: 0 the center square, 1 the product's box, 2 the whole photo.
        spec: The network's input.
        draws: Where all that varies comes from.
    """
    pixels = shot.pixels
    # Every photo takes as many draws, whatever becomes of them: a mask that is missing changes no other photo.
    moves, lights = draws.random(5), draws.random(6)
    ground = draws.integers(112, 240, 3).astype(np.uint8)
    if shot.mask is not None and moves[4] < _ON_GROUND:
        pixels = before_ground(pixels, shot.mask, ground)
    photo = Photo(pixels, pixels.shape[1], pixels.shape[0])
    frame = (center_square(photo, None).box, shot.box, WHOLE)[view]
    crop = _cut(pixels, _moved(frame, moves))
    found = fitted(_lit(crop, lights), WHOLE, spec)
    return np.ascontiguousarray(found[:, ::-1]) if moves[3] < 0.5 else found


def _moved(frame: Box, moves: NDArray[np.float64]) -> Box:
    """The frame, zoomed and moved within the photo."""
    zoom = _ZOOM[0] + (_ZOOM[1] - _ZOOM[0]) * moves[0]
    across, down = (frame.x2 - frame.x1) * zoom / 2, (frame.y2 - frame.y1) * zoom / 2
    x = (frame.x1 + frame.x2) / 2 + (2 * moves[1] - 1) * _SHIFT * 2 * across
    y = (frame.y1 + frame.y2) / 2 + (2 * moves[2] - 1) * _SHIFT * 2 * down
    return Box(max(0.0, x - across), max(0.0, y - down), min(1.0, x + across), min(1.0, y + down))


def _cut(pixels: ByteArray, box: Box) -> ByteArray:
    height, width = pixels.shape[:2]
    left, top = min(int(box.x1 * width), width - 1), min(int(box.y1 * height), height - 1)
    right, bottom = max(round(box.x2 * width), left + 1), max(round(box.y2 * height), top + 1)
    return pixels[top:bottom, left:right]


def _lit(pixels: ByteArray, lights: NDArray[np.float64]) -> ByteArray:
    """Another light, contrast and white balance, a little."""
    vary = 2 * lights - 1
    levels = np.arange(256)[:, None]
    gain = (1 + _LIGHT * vary[0]) * (1 + _TINT * vary[2:5])
    table = ((levels - 128) * (1 + _CONTRAST * vary[1]) + 128) * gain
    table = table.clip(0, 255).round().astype(np.uint8)
    return np.stack([table[:, channel][pixels[..., channel]] for channel in range(3)], axis=-1)
