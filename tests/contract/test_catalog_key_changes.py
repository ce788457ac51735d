"""Whoever holds the keys of a catalog brings them up to date by what changed, and is told where that is not known."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nitari.catalog.base import ItemDelete
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from support.catalogs import COLLECTION, keys_of, photo, put
from support.past import OTHER, Step, ready_twice, steps

CARD = COLLECTION.name
COLLECTIONS = (CARD, OTHER.name)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A catalog with two collections and the feed registered."""
    with SqlCatalog.open(tmp_path / FILE_NAME) as opened:
        yield ready_twice(opened)


def told(catalog: SqlCatalog, after: int, collection: str = CARD) -> tuple[int, list[int], list[int]] | None:
    """What the catalog tells, as lists."""
    found = catalog.key_changes(after, collection=collection)
    return None if found is None else (found[0], found[1].tolist(), found[2].tolist())


def check_told(catalog: SqlCatalog, states: dict[int, dict[str, set[int]]]) -> None:
    """From each earlier state, what is told leads to the keys of now; and nothing is both there and gone."""
    for collection in COLLECTIONS:
        seq, now = catalog.keys(collection=collection)
        for after, keys in states.items():
            found = told(catalog, after, collection)
            assert found is not None
            at, there, gone = found
            assert at == seq
            assert sorted(keys[collection] - set(gone) | set(there)) == now.tolist()
            assert not set(there) & set(gone)
            assert (there, gone) == (sorted(there), sorted(gone))


@settings(
    max_examples=25,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(changes=st.lists(st.one_of(steps, steps, st.floats(0, 1)), min_size=1, max_size=8))
def test_leads_from_every_earlier_state(changes: list[Step | float]) -> None:
    """After any edits in two collections, and rollbacks, the keys of any earlier state are brought up to date."""
    folder = Path(tempfile.mkdtemp())
    try:
        with SqlCatalog.open(folder / FILE_NAME) as catalog:
            ready_twice(catalog)
            states: dict[int, dict[str, set[int]]] = {}
            for change in changes:
                states[catalog.seq()] = {name: set(catalog.keys(collection=name)[1].tolist()) for name in COLLECTIONS}
                if isinstance(change, float):
                    catalog.rollback(int(change * catalog.seq()))
                else:
                    change.take(catalog)
                check_told(catalog, states)
    finally:
        shutil.rmtree(folder)


def test_what_changed(catalog: SqlCatalog) -> None:
    """Keys that items have and had, of those that changed; of others nothing is said, and of no change nothing."""
    catalog.apply([put("a", photo("1", "d1")), put("b", photo("2", "d2")), put("c", photo("3", "d3"))], collection=CARD)
    at = catalog.seq()
    old = keys_of(catalog, "a")
    (dropped,) = keys_of(catalog, "b")
    assert told(catalog, at) == (at, [], [])
    catalog.apply([put("a", photo("4", "d4", views=2)), ItemDelete("b")], collection=CARD)
    catalog.apply([put("d", photo("5", "d5"))], collection=OTHER.name)
    assert told(catalog, at) == (at + 3, sorted(keys_of(catalog, "a")), [*old, dropped])
    assert told(catalog, at + 2) == (at + 3, [], [])


def test_what_is_not_known(catalog: SqlCatalog) -> None:
    """Nothing is told about the future, about too many changes, and about what was pruned or is damaged."""
    for number in range(4):
        catalog.apply([put("a", photo("1", f"d{number}"))], collection=CARD)
    assert told(catalog, 5) is None
    assert catalog.key_changes(1, collection=CARD, at_most=2) is None
    assert catalog.key_changes(2, collection=CARD, at_most=2) is not None
    catalog._database.write(
        lambda connection: connection.exec_driver_sql("UPDATE history SET row = x'00' WHERE seq = 2")
    )
    assert told(catalog, 1) is None
    assert told(catalog, 2) is not None
    catalog.prune_history(datetime.now(UTC))
    assert told(catalog, 2) is None
    assert told(catalog, 4) == (4, [], [])
