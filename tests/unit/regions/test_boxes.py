"""Connected parts of masks and their boxes."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nitari.regions.boxes import Blob, blobs, box_of, gap, joined, label
from nitari.types import BoolArray, Box
from support.scenes import mask_of


def flooded(mask: BoolArray) -> tuple[list[list[int]], int]:
    """Labels by flood fill in reading order, the naive way."""
    height, width = mask.shape
    labels = [[0] * width for _ in range(height)]
    count = 0
    for start in np.argwhere(mask).tolist():
        if labels[start[0]][start[1]]:
            continue
        count += 1
        queue = deque([start])
        while queue:
            y, x = queue.popleft()
            if 0 <= y < height and 0 <= x < width and mask[y, x] and not labels[y][x]:
                labels[y][x] = count
                queue.extend([y + dy, x + dx] for dy in (-1, 0, 1) for dx in (-1, 0, 1))
    return labels, count


@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_labels(mask: BoolArray) -> None:
    """Labeling by runs equals flood fill, corners connected, numbered in reading order."""
    labels, count = label(mask)
    expected, parts = flooded(mask)
    assert count == parts
    np.testing.assert_array_equal(labels, expected)


def test_spiral_is_one_part() -> None:
    """A part whose runs meet only far away is one part."""
    mask = np.array([[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 1, 1, 1], [1, 0, 0, 0, 0]], dtype=bool)
    assert label(mask)[1] == 1


def test_blobs() -> None:
    """Parts come largest first with box, area and mean saliency; what is below the threshold is no part."""
    mask = mask_of(Box(0.5, 0.5, 1, 1)) // 2 + mask_of(Box(0, 0, 0.25, 0.25))
    assert blobs(mask, threshold=128) == [Blob(0, 0, 16, 16, 256, 255.0)]
    assert blobs(mask, threshold=100) == [Blob(32, 32, 64, 64, 1024, 127.0), Blob(0, 0, 16, 16, 256, 255.0)]
    assert blobs(np.zeros((4, 4), dtype=np.uint8), threshold=1) == []


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.sampled_from([0, 90, 255]))
)
def test_blobs_cover_the_figure(mask: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> None:
    """Areas add up to the figure, and every box holds its pixels."""
    found = blobs(mask, threshold=50)
    assert sum(blob.area for blob in found) == int((mask >= 50).sum())
    assert [blob.area for blob in found] == sorted((blob.area for blob in found), reverse=True)
    for blob in found:
        assert (mask[blob.y1 : blob.y2, blob.x1 : blob.x2] >= 50).sum() >= blob.area
        assert 50 <= blob.mean <= 255


def test_joined() -> None:
    """Joined parts have the box around both, all the area, and the mean over it."""
    assert joined([Blob(0, 0, 2, 2, 4, 200.0), Blob(5, 1, 6, 9, 8, 80.0)]) == Blob(0, 0, 6, 9, 12, 120.0)


@pytest.mark.parametrize(
    ("other", "pixels"),
    [
        (Blob(12, 0, 14, 10, 20, 255.0), 2),
        (Blob(0, 15, 10, 20, 50, 255.0), 5),
        (Blob(13, 17, 20, 20, 21, 255.0), 7),
        (Blob(5, 5, 20, 20, 9, 255.0), 0),
        (Blob(10, 0, 12, 10, 20, 255.0), 0),
    ],
)
def test_gap(other: Blob, pixels: int) -> None:
    """The gap is that of the boxes, the larger of the two directions, the same both ways."""
    blob = Blob(0, 0, 10, 10, 100, 255.0)
    assert gap(blob, other) == gap(other, blob) == pixels


def test_box_of() -> None:
    """A blob's box is normalized, grown by a share of its own size, and cut at the photo's edge."""
    blob = Blob(10, 40, 30, 100, 1, 255.0)
    assert box_of(blob, (100, 200), margin=0).as_list() == [0.05, 0.4, 0.15, 1.0]
    assert box_of(blob, (100, 200), margin=0.1).as_list() == [0.04, 0.34, 0.16, 1.0]
