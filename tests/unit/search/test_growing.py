"""Arrays that grow at their end."""

from __future__ import annotations

import numpy as np

from nitari.search.growing import Growing


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
