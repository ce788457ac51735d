"""What a query is taken for, and how far other categories are that."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.search.belief import VOTERS, Belief, beginnings, believed, known
from nitari.search.classifier import Classifier
from nitari.types import Guess
from support.categories import BAGS, CATEGORIES, TANKS, TEES

EVEN = Classifier(
    CATEGORIES,
    np.zeros((16, 3), np.float32),
    np.zeros(3, np.float32),
    0.9,
    {value: at for at, value in enumerate(CATEGORIES)},
)
ANY = np.eye(1, 16, dtype=np.float32)


def test_beginnings() -> None:
    """A path has its beginnings, a plain word itself."""
    assert beginnings(TEES) == ["Women", "Women > Tops", TEES]
    assert beginnings("Shoes") == ["Shoes"]


def test_known() -> None:
    """What is known is sure; a neighboring branch shares its beginnings, another tree nothing."""
    belief = known(TEES)
    assert belief.guess == Guess(TEES, 1.0)
    np.testing.assert_allclose(belief.shares([TEES, TANKS, BAGS]), [1, 2 / 3, 0])


def test_what_says_nothing_counts_as_the_others_do() -> None:
    """An item without a category has the mean share; where none has one, nothing."""
    belief = known(TEES)
    np.testing.assert_allclose(belief.shares([TEES, None, BAGS]), [1, 0.5, 0])
    np.testing.assert_allclose(belief.shares([None, None]), [0, 0])
    assert belief.shares([]).size == 0


def test_a_classifier_without_a_clue_leaves_it_to_the_vote() -> None:
    """The nearest decide where the classifier finds all alike; the nearer ones count more."""
    belief = believed(EVEN, ANY, [BAGS, TEES, None, "unheard of"], np.array([0.1, 0.3, 0.3, 0.4]))
    assert belief.guess.value == BAGS
    assert belief.steps[BAGS] > belief.steps[TEES] > belief.steps[TANKS] > 0
    assert belief.guess.probability == pytest.approx(belief.steps[BAGS])


def test_only_the_first_vote() -> None:
    """What comes behind the voters changes nothing."""
    voters, distances = [TEES] * VOTERS, np.linspace(0, 1, VOTERS)
    more = believed(EVEN, ANY, [*voters, *[BAGS] * 50], np.concatenate([distances, np.full(50, 1.0)]))
    assert more.steps == believed(EVEN, ANY, voters, distances).steps


def test_without_voters() -> None:
    """Nobody near leaves it to the classifier."""
    sure = Classifier(CATEGORIES, EVEN.weights, np.array([0, 0, 5], np.float32), 0.9, EVEN.of_value)
    belief = believed(sure, ANY)
    assert belief.guess.value == BAGS
    assert belief.guess.probability > 0.9


@settings(max_examples=50, deadline=None)
@given(
    voters=st.lists(st.sampled_from([*CATEGORIES, None, "other"]), max_size=40),
    bias=st.lists(st.floats(-20, 20), min_size=3, max_size=3),
    asked=st.lists(st.sampled_from([*CATEGORIES, None, "other", "Women"]), min_size=1, max_size=20),
)
def test_shares_are_bounded(voters: list[str | None], bias: list[float], asked: list[str | None]) -> None:
    """Whatever is known and voted, probabilities sum to 1 and shares are 0-1."""
    classifier = Classifier(CATEGORIES, EVEN.weights, np.asarray(bias, np.float32), 0.9, EVEN.of_value)
    belief: Belief = believed(classifier, ANY, voters, np.sort(np.linspace(0, 0.5, len(voters))))
    assert sum(belief.steps[value] for value in CATEGORIES) == pytest.approx(1.0)
    shares = belief.shares(asked)
    assert (shares >= 0).all()
    assert (shares <= 1 + 1e-9).all()
