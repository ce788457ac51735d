"""The classifier that a gallery teaches: what it tells, how sure it is, and when it knows nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.search.classifier import SHRINKAGE, Classifier, fit_classifier, softmax
from nitari.types import FloatArray
from support.categories import BAGS, CATEGORIES, TEES, looking_like

EACH = 40


def _examples(each: int = EACH) -> tuple[FloatArray, list[str], np.ndarray]:
    labels = [category for category in CATEGORIES for _ in range(each)]
    vectors = np.stack([looking_like(label, f"{label}{number}") for number, label in enumerate(labels)])
    return vectors, labels, np.arange(len(labels), dtype=np.int32)


def _fitted() -> Classifier:
    fitted = fit_classifier(*_examples())
    assert fitted is not None
    return fitted


def test_tells_what_it_has_not_seen() -> None:
    """Photos that were not among the examples are told right mostly, and by probabilities that sum to 1."""
    classifier = _fitted()
    assert classifier.values == tuple(sorted(CATEGORIES))
    told = []
    for category in CATEGORIES:
        for number in range(50):
            probabilities = classifier.probabilities(looking_like(category, f"new{number}")[None])
            assert probabilities.sum() == pytest.approx(1.0)
            told.append(classifier.values[int(probabilities.argmax())] == category)
    assert np.mean(told) > 0.75
    assert classifier.accuracy == pytest.approx(np.mean(told), abs=0.15)


def test_is_as_sure_as_it_is_right() -> None:
    """The mean probability of what it tells is about the share that is right."""
    classifier = _fitted()
    sure, right = [], []
    for category in CATEGORIES:
        for number in range(100):
            probabilities = classifier.probabilities(looking_like(category, f"other{number}")[None])
            sure.append(probabilities.max())
            right.append(classifier.values[int(probabilities.argmax())] == category)
    assert np.mean(sure) == pytest.approx(np.mean(right), abs=0.12)


def test_several_vectors_count_alike() -> None:
    """The probabilities of several vectors are the mean of each one's."""
    classifier = _fitted()
    both = np.stack([looking_like(TEES, "a"), looking_like(BAGS, "b")])
    alone = [classifier.probabilities(row[None]) for row in both]
    np.testing.assert_allclose(classifier.probabilities(both), np.mean(alone, axis=0))


@pytest.mark.parametrize("each", [1, 4, 16])
def test_few_examples_teach_nothing(each: int) -> None:
    """Fewer than fifty examples, or than five of a category, teach nothing."""
    assert fit_classifier(*_examples(each)) is None


def test_rare_categories_are_left_out() -> None:
    """A category of four is not told."""
    vectors, labels, groups = _examples()
    labels[:4] = ["rare"] * 4
    fitted = fit_classifier(vectors, labels, groups)
    assert fitted is not None
    assert fitted.values == tuple(sorted(CATEGORIES))
    assert fitted.of_value == {value: at for at, value in enumerate(fitted.values)}


def test_one_category_teaches_nothing() -> None:
    """Where all are of one kind there is nothing to tell apart."""
    vectors, labels, groups = _examples()
    assert fit_classifier(vectors, [TEES] * len(labels), groups) is None


def test_labels_that_vectors_do_not_show_teach_nothing() -> None:
    """Labels dealt at random are seen through, by examples held out."""
    vectors, labels, groups = _examples()
    shuffled = list(np.random.default_rng(3).permutation(labels))
    assert fit_classifier(vectors, shuffled, groups) is None


def test_a_group_is_held_out_together() -> None:
    """Copies of one photo under one group are not taken for proof: labels that only copies share teach nothing."""
    generator = np.random.default_rng(5)
    styles = 30
    middles = generator.standard_normal((styles, 16))
    vectors = np.repeat(middles, 4, axis=0) + 0.01 * generator.standard_normal((4 * styles, 16))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    labels = [("a", "b")[int(label)] for label in np.repeat(generator.integers(0, 2, styles), 4)]
    assert fit_classifier(vectors, labels, np.repeat(np.arange(styles), 4)) is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=9))
def test_softmax(logits: list[float]) -> None:
    """Probabilities sum to 1 and stand in the order of the logits."""
    told = softmax(np.asarray(logits))
    assert told.sum() == pytest.approx(1.0)
    assert told[int(np.argmax(logits))] == told.max()


def test_takes_examples_back_exactly() -> None:
    """The corrected inverse is that of what is left, computed from the beginning (but for the ball, which stays)."""
    vectors, labels, groups = _examples()
    whole = fit_classifier(vectors, labels, groups)
    assert whole is not None
    taught = whole.taught
    assert taught is not None
    codes = np.asarray([whole.of_value[label] for label in labels])
    centered, out = vectors - taught.center, np.arange(len(labels)) % 9 == 0

    def scatter(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        means = np.stack([centered[chosen & (codes == code)].mean(axis=0) for code in range(3)])
        apart = centered[chosen] - means[codes[chosen]]
        return means, apart.T @ apart

    ball = np.linalg.inv(taught.precision) - (1 - SHRINKAGE) * scatter(np.ones(len(labels), np.bool_))[1] / len(labels)
    means, left = scatter(~out)
    expected = np.linalg.solve((1 - SHRINKAGE) * left / len(labels) + ball, means.T)
    expected *= np.count_nonzero(~out) / len(labels) * taught.factor
    np.testing.assert_allclose(whole.without(vectors[out], codes[out]).weights, expected, rtol=1e-2, atol=1e-3)


def test_without_nothing() -> None:
    """Where nothing is taken back, nothing changes."""
    vectors, labels, groups = _examples()
    whole, codes = fit_classifier(vectors, labels, groups), np.empty(0, np.int64)
    assert whole is not None
    assert whole.without(vectors[:0], codes) is whole


def test_without_a_whole_category() -> None:
    """A category of which every example is taken back is not told any more."""
    vectors, labels, groups = _examples()
    whole = fit_classifier(vectors, labels, groups)
    assert whole is not None
    out = np.asarray(labels) == BAGS
    left = whole.without(vectors[out], np.full(int(out.sum()), whole.of_value[BAGS]))
    for number in range(20):
        told = left.probabilities(looking_like(BAGS, f"new{number}")[None])
        assert told[whole.of_value[BAGS]] < 1e-6
        assert told.sum() == pytest.approx(1.0)
