"""What a query is taken for: known, told by the gallery's classifier, and voted on by what is nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.search.classifier import Classifier, Probabilities, softmax
from nitari.types import FloatArray, Guess

VOTERS = 30
"""How many of the nearest vote, as in Pailitao (Zhang et al., "Visual search at Alibaba", KDD 2018)."""
VOTE_WEIGHT = 0.25
"""How much the vote counts beside the classifier, as an exponent on its probabilities."""
# The nearest votes e**1.5 times as strongly as the last of the voters, wherever distances lie.
_SLOPE = 1.5
# What the vote gives to categories that nobody voted for, so that it vetoes none.
_FLOOR = 0.02
SEPARATOR = " > "
"""Stands between the steps of a category that is a path, as Google Merchant Center writes them."""


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """How probable it is that what is asked for is of some kind.

    Args:
        guess: The most probable category.
        steps: The probability of each path, and of each beginning of one: of ``Men > Tops`` that of all in it.
    """

    guess: Guess
    steps: Mapping[str, float]

    def shares(self, values: Sequence[str | None]) -> NDArray[np.float64]:
        """How far each of these categories is what is asked for, 0-1: float64 ``[n]``.

        Of a path it is the mean over its steps, so that the neighboring branch counts more than another tree. What is
        of no known category counts as much as the others on average.
        """
        known = {value: self._share(value) for value in set(values) if value is not None}
        shares = np.asarray([np.nan if value is None else known[value] for value in values], np.float64)
        unknown = np.isnan(shares)
        if unknown.any():
            shares[unknown] = shares[~unknown].mean() if not unknown.all() else 0.0
        return shares

    def _share(self, value: str) -> float:
        """One of ``shares``."""
        steps = beginnings(value)
        return sum(self.steps.get(step, 0.0) for step in steps) / len(steps)


def beginnings(value: str) -> list[str]:
    """A path's beginnings, itself at the end: ``Men``, ``Men > Tops``, ``Men > Tops > Tees``."""
    parts = value.split(SEPARATOR)
    return [SEPARATOR.join(parts[:length]) for length in range(1, len(parts) + 1)]


def known(value: str) -> Belief:
    """What is believed where it is known."""
    return Belief(Guess(value, 1.0), dict.fromkeys(beginnings(value), 1.0))


def believed(
    classifier: Classifier,
    vectors: FloatArray,
    voters: Sequence[str | None] = (),
    distances: FloatArray | NDArray[np.float64] | Sequence[float] = (),
) -> Belief:
    """What is believed of a query that brings a photo or a vector.

    The product of the classifier's probabilities and the votes' (to the power ``VOTE_WEIGHT``), which are fused as
    experts are that know different things (Hinton, "Products of experts", ICANN 1999).

    Args:
        classifier: The gallery's.
        vectors: float32 ``[q, dim]``, unit rows.
        voters: The category of each of the nearest items; only the first ``VOTERS`` vote.
        distances: Theirs, ascending.
    """
    logits = np.log(classifier.probabilities(vectors) + 1e-9)
    logits += VOTE_WEIGHT * np.log(_votes(classifier, voters[:VOTERS], np.asarray(distances[:VOTERS], np.float64)))
    probabilities = softmax(logits)
    best = int(np.argmax(probabilities))
    steps: dict[str, float] = {}
    for value, probability in zip(classifier.values, probabilities.tolist(), strict=True):
        for step in beginnings(value):
            steps[step] = steps.get(step, 0.0) + probability
    return Belief(Guess(classifier.values[best], float(probabilities[best])), steps)


def _votes(classifier: Classifier, voters: Sequence[str | None], distances: NDArray[np.float64]) -> Probabilities:
    """What the nearest say: float64 ``[categories]``, above 0."""
    votes = np.zeros(len(classifier.values))
    if len(voters):
        reach = max(float(distances[-1] - distances[0]), 1e-6)
        weights = np.exp(-_SLOPE * (distances - distances[0]) / reach)
        for value, weight in zip(voters, weights.tolist(), strict=True):
            at = None if value is None else classifier.of_value.get(value)
            if at is not None:
                votes[at] += weight
        votes /= max(float(votes.sum()), 1e-12)
    return votes + _FLOOR
