"""What is read of the change log is of one state of the catalog, or each item is right by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nitari.catalog.base import Catalog, ItemDelete
from nitari.errors import StateError
from nitari.search.following import Follower, check_reach, needed
from nitari.types import BoolArray, KeyArray
from support.catalogs import COLLECTION, photo, put
from support.galleries import Interrupted, open_catalog

NAME = COLLECTION.name


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """An empty catalog."""
    opened = open_catalog(tmp_path)
    yield opened
    opened.close()


def _nothing(keys: KeyArray) -> BoolArray:
    return np.zeros(keys.size, np.bool_)


def test_reads_items_and_their_new_vectors(catalog: Catalog) -> None:
    """Of each changed item what it is now, of each new key its vector; of a deleted item that it is gone."""
    catalog.apply([put("a", photo("a.jpg", "a"), photo("b.jpg", "b")), put("c", photo("c.jpg", "c"))], collection=NAME)
    catalog.apply([ItemDelete("c")], collection=NAME)
    follower = Follower(catalog, NAME)
    changes = follower.changes(0)
    pending, seq = follower.read(changes, _nothing)
    assert seq == catalog.seq()
    assert pending.items["c"] is None
    item = pending.items["a"]
    assert item is not None
    assert sorted(pending.vectors) == sorted(item.keys.tolist())
    assert needed([item], lambda keys: keys == item.keys[0]).tolist() == item.keys[1:].tolist()
    pending, _ = follower.read(changes, lambda keys: np.ones(keys.size, np.bool_))
    assert not pending.vectors
    pending, _ = follower.read(changes, _nothing, vectors=False)
    assert pending.items["a"] is not None
    assert not pending.vectors
    assert not follower.changes(seq)


def test_what_changes_meanwhile_is_read_too(catalog: Catalog) -> None:
    """A change that comes between items and vectors is seen, with the change that it was."""
    catalog.apply([put("a", photo("a.jpg", "a"))], collection=NAME)
    interrupted = Interrupted(catalog)
    happened: list[int] = []

    def once() -> None:
        if not happened:
            happened.append(catalog.apply([ItemDelete("a"), put("b", photo("b.jpg", "b"))], collection=NAME))

    interrupted.between = once
    follower = Follower(interrupted, NAME)
    pending, seq = follower.read(follower.changes(0), _nothing)
    assert seq == happened[0]
    assert pending.items["a"] is None
    assert pending.items["b"] is not None


def test_reach(catalog: Catalog) -> None:
    """The log leads from any change that it has, and from the last one; not from one that is yet to come."""
    check_reach(catalog, 0)
    catalog.apply([put("a", photo("a.jpg", "a"))], collection=NAME)
    check_reach(catalog, 0)
    check_reach(catalog, 1)
    with pytest.raises(StateError) as gap:
        check_reach(catalog, 2)
    assert gap.value.code == "log-gap"
