"""Equal rows share a place: which, through whatever happens to them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from nitari.index import twins as module
from nitari.index.twins import Twins, fingerprints, firsts_of
from nitari.types import FloatArray, KeyArray
from support.vectors import random_units


class Places:
    """Hands out places, the smallest free one first, and knows what is at each."""

    def __init__(self) -> None:
        self.rows: dict[int, bytes] = {}

    def insert(self, rows: NDArray[np.floating]) -> KeyArray:
        """A place for each row."""
        given = []
        for row in rows:
            place = next(number for number in range(len(self.rows) + 1) if number not in self.rows)
            self.rows[place] = row.tobytes()
            given.append(place)
        return np.array(given, np.int64)

    def remove(self, places: KeyArray) -> None:
        """Free places."""
        for place in places.tolist():
            del self.rows[place]


def table(values: list[int]) -> FloatArray:
    """Rows of few different kinds."""
    return np.array([[value, -value, value % 3] for value in values], np.float32)


def test_rows_that_differ_have_other_fingerprints() -> None:
    """By any bit of fp16, at any place, and whatever the type they come in."""
    rows = np.concatenate([np.eye(300, 64, dtype=np.float32), -np.eye(300, 64, dtype=np.float32)[:64]])[:64]
    rows = np.concatenate([rows, rows * np.float32(1.001), random_units(5000, 64)])
    half = rows.astype(np.float16)
    assert np.unique(fingerprints(rows)).size == np.unique(half, axis=0).shape[0]
    np.testing.assert_array_equal(fingerprints(half), fingerprints(half.astype(np.float32)))
    assert fingerprints(rows[:0]).size == 0


def test_the_first_of_equal_rows() -> None:
    """Each row points to the first that equals it."""
    rows = table([4, 5, 4, 6, 5, 4])
    assert firsts_of(lambda slots: rows[slots], 6).tolist() == [0, 1, 0, 3, 1, 0]
    assert firsts_of(lambda slots: rows[slots], 0).size == 0


def test_rows_that_only_look_alike_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where fingerprints of different rows are equal, rows are compared."""
    monkeypatch.setattr(module, "fingerprints", lambda rows: np.zeros(len(rows), np.int64))
    rows = table([4, 5, 4])
    assert firsts_of(lambda slots: rows[slots], 3).tolist() == [0, 1, 0]
    places, twins = Places(), Twins()
    twins.put(np.arange(3), lambda slots: rows[slots], places.insert)
    ids = twins.ids(3)
    assert ids[0] == ids[2] != ids[1]
    places.remove(twins.drop(np.array([1, 0])))
    assert list(places.rows) == [int(ids[2])]


class Content:
    """A row store in miniature: rows by slot, the last ones moving into the places of removed ones."""

    def __init__(self) -> None:
        self.values: list[int] = []

    def rows(self, slots: KeyArray) -> FloatArray:
        """The rows at slots."""
        return table([self.values[slot] for slot in slots.tolist()])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.lists(st.integers(0, 9), min_size=1, max_size=8)), max_size=12))
def test_places_follow_the_rows(steps: list[tuple[bool, list[int]]]) -> None:
    """Whatever is added and removed: each distinct row has one place, which stands for all slots that hold it."""
    content, places, twins = Content(), Places(), Twins()
    for adding, numbers in steps:
        if adding:
            start = len(content.values)
            content.values += numbers
            twins.put(np.arange(start, start + len(numbers)), content.rows, places.insert)
        elif content.values:
            holes = sorted({number % len(content.values) for number in numbers})
            count = len(content.values) - len(holes)
            places.remove(twins.drop(np.array(holes, np.int64)))
            movers = [slot for slot in range(count, len(content.values)) if slot not in holes]
            targets = [slot for slot in holes if slot < count]
            for mover, target in zip(movers, targets, strict=True):
                content.values[target] = content.values[mover]
            content.values = content.values[:count]
            twins.move(np.array(movers, np.int64), np.array(targets, np.int64))
        for one in (twins, Twins.restore(twins.ids(len(content.values)), content.rows)):
            check(one, content, places)


def check(twins: Twins, content: Content, places: Places) -> None:
    """Places and rows fit each other, both ways."""
    count = len(content.values)
    assert len(twins) == len(places.rows) == len(set(content.values))
    assert [places.rows[number] for number in twins.ids(count).tolist()] == [
        row.tobytes() for row in content.rows(np.arange(count))
    ]
    assert sorted(twins.slots(np.array(sorted(places.rows), np.int64)).tolist()) == list(range(count))
    assert twins.same(np.arange(count), content.rows).all()
