"""Query transforms: what they do to vectors, and their file."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from nitari.embeddings.transforms import FORMAT, LinearTransform, from_bytes, named, to_bytes
from nitari.errors import ModelError
from nitari.types import FloatArray

DIM, KINDS = 6, ("shirt", "trousers")


def transform(*, base: float = 0.5, kinds: tuple[str, ...] = KINDS, seed: int = 0) -> LinearTransform:
    """One with random numbers."""
    random = np.random.default_rng(seed)

    def drawn(*shape: int) -> FloatArray:
        return random.standard_normal(shape).astype(np.float32)

    return LinearTransform(
        embedder="0123456789abcdef",
        kinds=kinds,
        cue_weights=drawn(DIM) * 4,
        cue_offset=0.25,
        kind_weights=drawn(len(kinds), DIM),
        kind_offsets=drawn(len(kinds)),
        away=drawn(DIM),
        towards=drawn(len(kinds), DIM),
        base=base,
        told={"photos": 3},
    )


def rows(values: FloatArray) -> FloatArray:
    """Unit rows, near those numbers."""
    moved = values + np.float32(1e-3)
    found: FloatArray = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    return found


VECTORS = arrays(np.float32, (3, DIM), elements=st.floats(0, 1, width=32)).map(rows)


@given(VECTORS, st.one_of(st.none(), st.floats(0, 1)), st.integers(0, 20))
def test_unit_rows(vectors: FloatArray, strength: float | None, seed: int) -> None:
    """Whatever the strength, rows stay finite unit vectors of the same type, and the given ones are left alone."""
    before = vectors.copy()
    found = transform(seed=seed).apply(vectors, strength)
    assert found.shape == vectors.shape
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    np.testing.assert_array_equal(vectors, before)


@given(VECTORS)
def test_strength_0_is_nothing(vectors: FloatArray) -> None:
    """Strength 0 leaves every bit where it is, and so does ``auto`` with a base of 0."""
    np.testing.assert_array_equal(transform().apply(vectors, 0.0), vectors)
    np.testing.assert_array_equal(transform(base=0.0).apply(vectors), vectors)


@given(VECTORS)
def test_auto_is_base_by_cue(vectors: FloatArray) -> None:
    """Where nobody says how much, it is the base strength times the probability that the photo is worn."""
    made = transform(base=0.8)
    cue = made.cue(vectors)
    assert 0.0 <= cue <= 1.0
    np.testing.assert_array_equal(made.apply(vectors), made.apply(vectors, 0.8 * cue))


@given(VECTORS, st.floats(0, 0.9))
def test_more_strength_moves_further(vectors: FloatArray, strength: float) -> None:
    """The gain of the direction away from worn photos grows with the strength."""
    made = replace(transform(), towards=np.zeros((2, DIM), np.float32))
    direction = made.away / np.linalg.norm(made.away)
    less, more = made.apply(vectors, strength) @ direction, made.apply(vectors, strength + 0.1) @ direction
    assert (more >= less - 1e-5).all()


def test_kinds_pull_by_probability() -> None:
    """A photo goes towards the kinds that it seems to show, each as far as it is probable."""
    made = replace(
        transform(),
        kind_weights=np.eye(2, DIM, dtype=np.float32) * 50,
        kind_offsets=np.zeros(2, np.float32),
        away=np.zeros(DIM, np.float32),
        towards=np.eye(2, DIM, k=2, dtype=np.float32),
    )
    shirt = np.eye(1, DIM, dtype=np.float32)
    np.testing.assert_allclose(made.guess(shirt), [1, 0], atol=1e-6)
    np.testing.assert_allclose(made.apply(shirt, 1.0), [np.array([1, 0, 1, 0, 0, 0]) / 2**0.5], atol=1e-6)
    assert named(KINDS, made.guess(shirt)) == {"shirt": 1.0, "trousers": 0.0}


def test_without_kinds() -> None:
    """A transform that knows no kinds moves by one direction only."""
    made = transform(kinds=())
    vectors = np.eye(2, DIM, dtype=np.float32)
    assert made.guess(vectors).shape == (0,)
    moved = vectors + made.away
    np.testing.assert_allclose(
        made.apply(vectors, 1.0), moved / np.linalg.norm(moved, axis=1, keepdims=True), atol=1e-6
    )


def test_views_of_one_photo_agree() -> None:
    """All views of a photo are moved as the photo asks for, not each as it asks itself."""
    vectors = np.eye(2, DIM, dtype=np.float32)
    made = replace(transform(), towards=np.zeros((2, DIM), np.float32))
    together, much = made.apply(vectors), np.float32(made.base * made.cue(vectors))
    for row, found in zip(vectors, together, strict=True):
        moved = row + much * made.away
        np.testing.assert_allclose(found, moved / np.linalg.norm(moved), atol=1e-6)


def test_a_vector_moved_to_nowhere_stays() -> None:
    """Where nothing is left of a vector, it is as it was."""
    vectors = np.eye(1, DIM, dtype=np.float32)
    made = replace(transform(), away=-vectors[0], towards=np.zeros((2, DIM), np.float32))
    np.testing.assert_array_equal(made.apply(vectors, 1.0), vectors)


def test_file() -> None:
    """A transform is what it was after it was written and read; the same one makes the same bytes."""
    made = transform()
    data = to_bytes(made)
    assert data == to_bytes(transform())
    back = from_bytes(data, origin="x")
    assert (back.embedder, back.kinds, back.base, back.told) == (made.embedder, made.kinds, made.base, made.told)
    vectors = np.eye(2, DIM, dtype=np.float32)
    assert back.cue(vectors) == made.cue(vectors)
    np.testing.assert_array_equal(back.apply(vectors, 0.7), made.apply(vectors, 0.7))


@given(st.integers(0, 10_000), st.binary(max_size=3))
def test_damaged_file(place: int, put: bytes) -> None:
    """A file that was cut or overwritten is refused by name, or is what it was."""
    data = to_bytes(transform())
    cut = data[: place % len(data)] + put
    with pytest.raises(ModelError, match="the file"):
        from_bytes(cut, origin="the file")


def test_other_files() -> None:
    """A file of another kind is not taken for one; one of a newer format says what to do."""
    with pytest.raises(ModelError, match="not a query transform"):
        from_bytes(b"nonsense", origin="f.npz")
    data = to_bytes(transform())
    newer = data.replace(json.dumps({"format": FORMAT})[1:-1].encode(), b'"format": 9')
    with pytest.raises(ModelError):  # the archive's checksum, or the format
        from_bytes(newer, origin="f.npz")


@pytest.mark.parametrize(
    "wrong",
    [
        {"base": 1.5},
        {"away": np.zeros(DIM + 1, np.float32)},
        {"kinds": ("one",)},
        {"cue_offset": float("nan")},
        {"towards": np.full((2, DIM), np.inf, np.float32)},
    ],
)
def test_what_does_not_fit(wrong: dict[str, object]) -> None:
    """Arrays that do not fit together, and numbers out of range, are refused."""
    with pytest.raises(ModelError, match="query transform"):
        replace(transform(), **wrong)  # type: ignore[arg-type]  # checked as it runs
