"""Arrays that grow at their end."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nitari.search.growing import Growing, Layered


def test_grows_and_keeps_earlier_views() -> None:
    """What was appended is there in order, and a view taken before stays what it was."""
    array: Growing[np.int32] = Growing(np.int32)
    assert array.view.tolist() == []
    array.extend([1, 2])
    before = array.view
    for start in range(3, 100, 7):
        array.extend(range(start, start + 7))
    assert array.view.tolist() == [1, 2, *range(3, 101)]
    assert before.tolist() == [1, 2]
    assert len(array) == 100


def test_rows() -> None:
    """With a width it holds rows."""
    array: Growing[np.float64] = Growing(np.float64, 4)
    array.extend(np.empty((0, 4)))
    array.extend([[1, 2, 3, 4]])
    assert array.view.shape == (1, 4)


@given(st.integers(0, 5), st.lists(st.integers(0, 4), max_size=5), st.booleans(), st.data())
def test_layered_arrays_read_as_one(first: int, sizes: list[int], wide: bool, data: st.DataObject) -> None:
    """A base and what came behind it are taken from as one array, in any order; the base is not copied."""
    base = np.arange(2 * first, dtype=np.float64).reshape(-1, 2) if wide else np.arange(first, dtype=np.float64)
    array: Layered[np.float64] = Layered(base)
    wanted = base
    for number, size in enumerate(sizes):
        added = np.full((size, 2) if wide else size, 100.0 + number)
        array.extend(added)
        wanted = np.concatenate([wanted, added])
        assert len(array) == len(wanted)
        taken = np.array(data.draw(st.lists(st.integers(0, len(wanted) - 1)) if len(wanted) else st.just([])), np.int64)
        assert array.take(taken).tolist() == wanted[taken].tolist()
    assert array.slice(0, first).tolist() == base.tolist()
    assert array.slice(first, len(wanted)).tolist() == wanted[first:].tolist()
    assert array.base is base
    assert array.tail.tolist() == wanted[first:].tolist()
