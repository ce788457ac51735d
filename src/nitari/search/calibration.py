"""From likeness to the probability that an item is relevant, and back."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nitari.errors import UsageError


@dataclass(frozen=True, slots=True)
class Calibration:
    """``score = sigmoid(slope * likeness + offset)`` (Platt, "Probabilities for SV machines", 1999).

    It grows with likeness, so it changes no ranking; likeness is 1 for the same vector, mostly the cosine, and may lie
    a little above or below the cosine where the ranking knows more.

    Args:
        slope: Above 0.
        offset: Any finite number.
        recommended: The ``min_score`` below which hits are mostly of no use, 0-1; ``None`` where nobody measured it.
        unfamiliar: What the log odds lack for a query that shows nothing of what the model was trained on, 0 or more:
            it is compared by frozen features, which are more alike for anything. See ``of_query``.

    Raises:
        UsageError: where the numbers are not such.
    """

    slope: float
    offset: float
    recommended: float | None = None
    unfamiliar: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and self.slope > 0 and math.isfinite(self.offset)):
            raise UsageError(
                f"a calibration has slope {self.slope} and offset {self.offset}; expected a slope above 0 and a finite "
                "offset",
                remedy="fit it anew with `nitari calibrate`",
            )
        if not (math.isfinite(self.unfamiliar) and self.unfamiliar >= 0):
            raise UsageError(f"a calibration takes {self.unfamiliar} off the unfamiliar; expected 0 or more")
        if self.recommended is not None and not 0.0 <= self.recommended <= 1.0:
            raise UsageError(f"a calibration recommends the min_score {self.recommended}; expected one in 0-1")

    def of_query(self, familiarity: float) -> Calibration:
        """The calibration of a query that is so familiar, 0-1 (``nitari.embeddings.base.QueryGate``)."""
        if not self.unfamiliar:
            return self
        return replace(self, offset=self.offset - self.unfamiliar * (1 - familiarity))

    def scores(self, likeness: NDArray[np.float64]) -> NDArray[np.float64]:
        """The probabilities, 0-1: float64 of the same shape, in the same order."""
        logits = self.slope * likeness + self.offset
        # Either way of writing it overflows on one side.
        raised = np.exp(-np.abs(logits))
        return np.where(logits >= 0, 1.0, raised) / (1.0 + raised)

    def likeness(self, score: float) -> float:
        """The likeness that has this score; minus infinity for 0, infinity for 1."""
        if score <= 0.0:
            return -math.inf
        if score >= 1.0:
            return math.inf
        return (math.log(score / (1.0 - score)) - self.offset) / self.slope


def scored(likeness: NDArray[np.float64], calibration: Calibration | None) -> NDArray[np.float64]:
    """Scores of a model with or without a calibration; without one, likeness itself, as far as it is above 0."""
    return np.clip(likeness, 0.0, 1.0) if calibration is None else calibration.scores(likeness)


def reach(min_score: float | None, calibration: Calibration | None) -> float | None:
    """How far from 1 the likeness of a hit with at least this score may be; ``None`` for any."""
    if not min_score:
        return None
    least = min_score if calibration is None else calibration.likeness(min_score)
    # Nothing is more like the query than itself, and a score of 1 is rounded to before it is reached.
    return 0.0 if least >= 1.0 else min(2.0, 1.0 - least)
