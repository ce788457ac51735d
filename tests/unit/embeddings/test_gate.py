"""The gate: what lies in the familiar directions is familiar, and what does not moves the weights."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.embeddings.gate import SubspaceGate
from nitari.errors import ModelError
from nitari.extract import unit
from nitari.models.gate_spec import GateSpec
from nitari.types import Block, FloatArray

BLOCKS = (Block("shape", 0, 2, 0.5), Block("shape", 2, 6, 0.1), Block("color", 6, 8, 0.4))
SPEC = GateSpec(part=1, directions=2, middle=0.7, slope=40.0, familiar=(1.0, 0.0, 1.0), unfamiliar=(0.0, 1.0, 0.5))


def gate(spec: GateSpec = SPEC) -> SubspaceGate:
    """A gate before these blocks."""
    return SubspaceGate(name="made", spec=spec, blocks=BLOCKS)


def vector(*frozen: float) -> FloatArray:
    """A vector whose second block is this: float32 ``[1, 8]``, its blocks with their shares."""
    parts = (np.array([1.0, 1.0]), np.array(frozen), np.array([0.0, 1.0]))
    scaled = [
        np.sqrt(block.share or 0) * unit(part.astype(np.float32)) for block, part in zip(BLOCKS, parts, strict=True)
    ]
    return np.concatenate(scaled)[None]


def test_the_familiar_goes_by_the_familiar_weights() -> None:
    """What lies in the first directions: halves of shape and color; these numbers are for nobody else to move."""
    assert gate().watched == (2, 6)
    seen = vector(1, 2, 0, 0)
    assert gate().familiarity(seen)[0] == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(gate().gains(seen)[0] * [0.5, 0.1, 0.4], [0.5, 0, 0.5], atol=1e-3)


def test_the_unfamiliar_goes_by_the_other_weights() -> None:
    """What lies outside of them has the card's other shares: squares of 0, 1 and .5, of a sum of 1.25."""
    seen = vector(0, 0, 1, 1)
    assert gate().familiarity(seen)[0] == pytest.approx(0, abs=1e-4)
    gained = gate().gains(seen)[0] * [0.5, 0.1, 0.4]
    np.testing.assert_allclose(gained, [0, 0.8, 0.2], atol=1e-3)


@given(st.floats(0, 1))
def test_familiarity_grows(inside: float) -> None:
    """It is one half at the middle, grows with the share inside, and mixes both kinds of weights."""
    seen = vector(np.sqrt(inside), 0, np.sqrt(1 - inside), 0)
    known = float(gate().familiarity(seen)[0])
    assert known == pytest.approx(1 / (1 + np.exp(-40 * (inside - 0.7))), abs=1e-3)
    np.testing.assert_allclose(
        gate().gains(seen)[0], known * np.array([1, 0, 1.25]) + (1 - known) * np.array([0, 8, 0.5]), atol=2e-3
    )


def test_a_vector_without_that_part() -> None:
    """It says nothing of itself, and is taken for familiar."""
    blank = np.zeros((1, 8), np.float32)
    blank[0, 0] = 1
    assert gate().familiarity(blank)[0] == pytest.approx(1, abs=1e-4)


def test_too_many_directions() -> None:
    """If all of a part were familiar, nothing could be told."""
    with pytest.raises(ModelError, match="4 directions of a part with 4 numbers"):
        gate(GateSpec(1, 4, 0.7, 40.0, (1.0, 0.0, 1.0), (0.0, 1.0, 0.5)))
