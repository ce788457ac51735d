"""Views of items: by key, whatever keys there are, in memory and saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari.catalog.base import IndexedItem
from nitari.errors import StateError
from nitari.search.arrays import ArrayFile, ArrayWriter
from nitari.search.views import Views
from nitari.types import Box, KeyArray


def _item(item_id: str, *keys: int) -> IndexedItem:
    boxes = tuple(Box(0.0, 0.0, 1 / (3 + at), 1.0) for at in range(len(keys)))
    return IndexedItem(item_id, "", "", {}, np.array(keys, np.int64), tuple(f"{key}.jpg" for key in keys), boxes)


def _saved(path: Path, views: Views, alive: list[bool]) -> Views:
    living = np.array(alive, np.bool_)
    with ArrayWriter(path, "VIEWS--T", 1) as writer:
        views.write(writer, living, (np.cumsum(living) - 1).astype(np.int32))
    return Views(ArrayFile(path, "VIEWS--T", 1), sum(alive))


def _keys(*keys: int) -> KeyArray:
    return np.array(keys, np.int64)


@pytest.mark.parametrize("far", [6, 2**62], ids=["counted up", "far apart"])
def test_saved_views_and_those_behind_them(tmp_path: Path, far: int) -> None:
    """Keys that were counted up and keys far apart are found; dead items' views are not saved."""
    views = Views()
    views.append([_item("a", 5, -far), _item("dead", 4), _item("b", far)], range(3))
    views.drop(_keys(4))
    saved = _saved(tmp_path / "file", views, [True, False, True])
    saved.append([_item("c", 7, 9)], range(2, 3))
    asked = _keys(far, 5, -far, 4, 7, 9, 0, 2**63 - 1, -(2**63))
    assert saved.find(asked).tolist() == [2, 0, 1, -1, 3, 4, -1, -1, -1]
    known = saved.find(asked[:3])
    assert saved.ordinals(known).tolist() == [1, 0, 0]
    assert saved.images(np.arange(5)) == ["5.jpg", f"{-far}.jpg", f"{far}.jpg", "7.jpg", "9.jpg"]
    assert [box.x2 for box in saved.boxes(np.arange(5))] == [1 / 3, 1 / 4, 1 / 3, 1 / 3, 1 / 4]
    assert [saved.keys_of_one(item).tolist() for item in range(3)] == [[5, -far], [far], [7, 9]]
    assert saved.keys_of(np.array([2, 0])).tolist() == [7, 9, 5, -far]
    assert saved.keys(np.array([False, True, True])).tolist() == [far, 7, 9]


def test_a_key_that_two_items_claim_is_saved_once(tmp_path: Path) -> None:
    """It stands for the item that had it last, before and after."""
    views = Views()
    views.append([_item("a", 1, 2), _item("b", 2, 3)], range(2))
    saved = _saved(tmp_path / "file", views, [True, True])
    for each in (views, saved):
        assert each.ordinals(each.find(_keys(1, 2, 3))).tolist() == [0, 1, 1]
    gone = _saved(tmp_path / "gone", views, [True, False])
    assert gone.find(_keys(1, 2, 3)).tolist() == [0, -1, -1]


def test_damaged_views_are_refused(tmp_path: Path) -> None:
    """A file that does not say how keys are found, or whose arrays do not fit together."""
    views = Views()
    views.append([_item("a", 1, 2)], range(1))
    for name, value in (("views.by_key", {}), ("views.by_key", {"dense": False, "first": 0})):
        path = tmp_path / str(value)
        with ArrayWriter(path, "VIEWS--T", 1) as writer:
            views.write(writer, np.ones(1, np.bool_), np.zeros(1, np.int32))
            writer.note(name, value)
        with pytest.raises(StateError, match="damaged"):
            Views(ArrayFile(path, "VIEWS--T", 1), 1)
    with pytest.raises(StateError, match="damaged"):
        Views(ArrayFile(path, "VIEWS--T", 1), 2)
