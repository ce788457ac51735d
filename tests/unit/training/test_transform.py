"""Learning a query transform: from drawn vectors whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nitari.embeddings.transforms import to_bytes
from nitari.errors import DataError
from nitari.training.transform import Reach, learn
from support.transforming import KINDS, drawn_samples

SAMPLES = drawn_samples()
LEARNED = learn(SAMPLES, embedder="e")
NEW = drawn_samples(seed=1)


def test_cue() -> None:
    """Photos that were not learned from are told: worn ones, flat ones, and bags from among the worn ones."""
    made = LEARNED.transform
    odds = NEW.vectors @ made.cue_weights + made.cue_offset
    assert (odds[NEW.worn] > 0).mean() > 0.97
    assert (odds[~NEW.worn & ~NEW.studio] < 0).mean() > 0.97
    assert (odds[~NEW.worn & NEW.studio] < 0).mean() > 0.9


def test_kinds() -> None:
    """Kinds of new worn photos are guessed far better than by chance; bags are no kind."""
    made = LEARNED.transform
    assert made.kinds == KINDS
    asked = NEW.worn
    guessed = np.array(KINDS)[(NEW.vectors[asked] @ made.kind_weights.T + made.kind_offsets).argmax(axis=1)]
    assert (guessed == NEW.kinds[asked]).mean() > 0.8
    assert dict(LEARNED.counts) == dict.fromkeys(KINDS, (60, 30))


def test_directions_gain_one() -> None:
    """Before it is said how far to move, mean flat photos gain 1 on what they are to be told from."""
    made = LEARNED.transform
    flat = ~SAMPLES.worn & ~SAMPLES.studio
    gaps = [
        SAMPLES.vectors[flat & (SAMPLES.kinds == kind)].mean(axis=0)
        - SAMPLES.vectors[SAMPLES.worn & (SAMPLES.kinds == kind)].mean(axis=0)
        for kind in KINDS
    ]
    assert float(np.mean(gaps, axis=0) @ made.away) == pytest.approx(1, abs=1e-3)
    for number, kind in enumerate(KINDS):
        gain = SAMPLES.vectors[flat & (SAMPLES.kinds == kind)].mean(axis=0) - SAMPLES.vectors[flat].mean(axis=0)
        assert float(gain @ made.towards[number]) == pytest.approx(1, abs=1e-3)


def test_reach() -> None:
    """A reach scales the directions and nothing else, and what it says of itself is kept."""
    made = LEARNED.reaching(Reach(0.2, 0.1), told={"a": 1})
    np.testing.assert_allclose(made.away, LEARNED.transform.away * 0.2, rtol=1e-6)
    np.testing.assert_allclose(made.towards, LEARNED.transform.towards * 0.1, rtol=1e-6)
    np.testing.assert_array_equal(made.cue_weights, LEARNED.transform.cue_weights)
    assert made.told == {"a": 1}


def test_same_photos_same_transform() -> None:
    """Learning twice makes the same file, to the bit."""
    reach = Reach(0.1, 0.1)
    again = learn(drawn_samples(), embedder="e")
    assert to_bytes(again.reaching(reach)) == to_bytes(LEARNED.reaching(reach))


def test_a_kind_that_nobody_wears() -> None:
    """Of a kind without worn photos, worn ones are expected to differ from flat ones as those of the others do."""
    unseen = SAMPLES.at(~(SAMPLES.worn & (SAMPLES.kinds == "skirt")))
    made = learn(unseen, embedder="e").transform
    assert made.kinds == KINDS
    asked = NEW.worn & (NEW.kinds == "skirt")
    guessed = (NEW.vectors[asked] @ made.kind_weights.T + made.kind_offsets).argmax(axis=1)
    assert (guessed == KINDS.index("skirt")).mean() > 0.6


def test_a_kind_that_nobody_lays_flat() -> None:
    """Of a kind without flat photos nothing is known to go towards."""
    made = learn(SAMPLES.at(~(~SAMPLES.worn & (SAMPLES.kinds == "skirt"))), embedder="e").transform
    assert not made.towards[made.kinds.index("skirt")].any()
    assert made.towards[made.kinds.index("shirt")].any()


def test_without_kinds() -> None:
    """Where no photo has a kind, one direction is learned all the same."""
    made = learn(replace(SAMPLES, kinds=np.full(len(SAMPLES), "")), embedder="e").transform
    assert made.kinds == ()
    gains = SAMPLES.vectors @ made.away
    assert gains[~SAMPLES.worn & ~SAMPLES.studio].mean() > gains[SAMPLES.worn].mean() + 0.9


@pytest.mark.parametrize("worn", [True, False])
def test_too_few_photos(worn: bool) -> None:
    """A handful of photos of one sort teaches nothing, and the error says so."""
    few = SAMPLES.at((SAMPLES.worn != worn) | (np.arange(len(SAMPLES)) < 4))
    with pytest.raises(DataError, match="at least 10"):
        learn(few, embedder="e")


def test_watched_numbers_stay() -> None:
    """What a gate goes by is neither asked nor moved; the rest is learned as if it were not there."""
    made = learn(SAMPLES, embedder="e", watched=(2, 5)).transform
    for array in (made.cue_weights, made.away, made.kind_weights.T, made.towards.T):
        assert not array[2:5].any()
        assert array[5:].any()
    blank = SAMPLES.vectors.copy()
    blank[:, 2:5] = 0
    assert to_bytes(made) == to_bytes(learn(replace(SAMPLES, vectors=blank), embedder="e").transform)
