"""A catalog can be taken back to any change its history holds, and copied while written to; it is never by half."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from nitari.catalog import history, rollback, sqlite_copy
from nitari.catalog.base import Change, ChangeKind, ItemDelete
from nitari.catalog.recovery import HistoryRange
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.errors import DependencyError, StateError, UsageError
from support.catalogs import COLLECTION, FEED, indexed, keys_of, photo, put, ready, reject
from support.dump import dump_catalog
from support.past import OTHER, Step, ready_twice, rows_of, steps

CARD = COLLECTION.name
TESTS = Path(__file__).parents[1]
V1 = TESTS / "golden" / "catalog-v1.sql"
HOUR = timedelta(hours=1)


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A catalog with two collections and the feed registered."""
    with SqlCatalog.open(tmp_path / FILE_NAME) as opened:
        yield ready_twice(opened)


def fill(catalog: SqlCatalog, count: int, *, price: float = 1.0) -> int:
    """Put items 0 to ``count - 1``."""
    edits = [put(str(n), photo("1", f"d{n}", views=2), attributes={"price": price}) for n in range(count)]
    return catalog.apply(edits, collection=CARD)


def check_log(changes: list[Change], before: dict[str, list[int]], after: dict[str, list[int]]) -> None:
    """The log names exactly once, and rightly, what became of each item between two states, given by keys."""
    assert len({change.item_id for change in changes}) == len(changes)
    for change in changes:
        old, new = before.get(change.item_id), after.get(change.item_id)
        if change.kind is ChangeKind.DELETE:
            assert old is not None
            assert new is None
        elif change.kind is ChangeKind.ATTRIBUTES:
            assert old == new
    told = {change.item_id for change in changes}
    assert told >= {item_id for item_id in {*before, *after} if before.get(item_id) != after.get(item_id)}


def keys_by_item(catalog: SqlCatalog) -> dict[str, list[int]]:
    """What followers of the log hold: the keys of each item, in both collections."""
    found: dict[str, list[int]] = {}
    for name in (CARD, OTHER.name):
        for item in catalog.indexed_items(collection=name):
            found.setdefault(item.item_id, []).extend(item.keys.tolist())
    return found


@settings(
    max_examples=25,
    # Eight changes are short enough to read; to shrink them takes minutes of waiting for the disk.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)
@given(changes=st.lists(steps, min_size=1, max_size=8), seed=st.integers(0, 99))
def test_every_earlier_state(changes: list[Step], seed: int) -> None:
    """After any edits, every earlier state is had back row for row, in any order; the log tells all of it."""
    folder = Path(tempfile.mkdtemp())
    try:
        with SqlCatalog.open(folder / FILE_NAME) as catalog:
            ready_twice(catalog)
            states = {0: (rows_of(catalog), keys_by_item(catalog))}
            for step in changes:
                step.take(catalog)
                states[catalog.seq()] = (rows_of(catalog), keys_by_item(catalog))
            points = list(states)
            random.Random(seed).shuffle(points)
            for point in points:
                at, before = catalog.seq(), keys_by_item(catalog)
                now = catalog.rollback(point)
                assert rows_of(catalog) == states[point][0]
                check_log(list(catalog.changes(at)), before, states[point][1])
                assert now == catalog.seq() == at + len(catalog.changes(at))
            assert catalog.history_range().oldest == 0
    finally:
        shutil.rmtree(folder)


def test_back_and_forth(catalog: SqlCatalog) -> None:
    """A view that comes back has its key; keys given out since are not given out again; the rollback can be undone."""
    fill(catalog, 2)
    keys = keys_of(catalog, "0")
    before = dump_catalog(catalog, collection=CARD)
    catalog.apply([put("0", photo("1", "new")), ItemDelete("1"), put("2", photo("1", "more"))], collection=CARD)
    since = {*keys_of(catalog, "0"), *keys_of(catalog, "2")}
    late = dump_catalog(catalog, collection=CARD)
    undone = catalog.seq()
    assert catalog.rollback(2) == undone + 3
    assert [(c.kind, c.item_id) for c in catalog.changes(undone)] == [
        (ChangeKind.PUT, "0"),
        (ChangeKind.PUT, "1"),
        (ChangeKind.DELETE, "2"),
    ]
    assert dump_catalog(catalog, collection=CARD) == before
    assert keys_of(catalog, "0") == keys
    catalog.apply([put("3", photo("1", "d"))], collection=CARD)
    assert not since & set(keys_of(catalog, "3"))
    catalog.rollback(undone)
    assert dump_catalog(catalog, collection=CARD) == late


def test_attributes_only(catalog: SqlCatalog) -> None:
    """Where only attributes differ, the log says so and no vector is written; equal items get no change at all."""
    fill(catalog, 3)
    catalog.apply([put("1", photo("1", "d1", views=2), attributes={"price": 9.0})], collection=CARD)
    catalog.rollback(3)
    (change,) = catalog.changes(4)
    assert (change.kind, change.item_id) == (ChangeKind.ATTRIBUTES, "1")
    assert catalog.rollback(3) == 5
    assert catalog.rollback(5) == 5
    stored = catalog.get("1")
    assert stored is not None
    assert (stored.item.attributes["price"], stored.seq) == (1.0, 5)


def test_more_items_than_at_once(catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rollback of many items goes through them some at a time."""
    monkeypatch.setattr(rollback, "ITEMS_AT_ONCE", 7)
    monkeypatch.setattr(rollback, "_NEXT", rollback._NEXT.limit(7))
    monkeypatch.setattr(rollback, "_ROWS", 3)
    fill(catalog, 30)
    before = rows_of(catalog)
    for price in (2.0, 3.0):
        fill(catalog, 30, price=price)
    catalog.apply([ItemDelete(str(n)) for n in range(0, 30, 2)], collection=CARD)
    catalog.rollback(30)
    assert rows_of(catalog) == before


def test_times(catalog: SqlCatalog) -> None:
    """A time means the last change made by then; one before all changes means the empty catalog."""
    for n in range(3):
        catalog.apply([put(str(n), photo("1", f"d{n}"))], collection=CARD)
    at = [change.at for change in catalog.changes(0)]
    assert catalog.history_range() == HistoryRange(0, 3, None, at[2])
    catalog.rollback(at[1])
    assert sorted(indexed(catalog)) == ["0", "1"]
    catalog.rollback(at[0] + (at[1] - at[0]) / 2)
    assert sorted(indexed(catalog)) == ["0"]
    catalog.rollback(at[0] - HOUR)
    assert indexed(catalog) == {}
    catalog.rollback(at[2].astimezone())
    assert sorted(indexed(catalog)) == ["0", "1", "2"]


def test_points_that_cannot_be(catalog: SqlCatalog) -> None:
    """The future, numbers below zero, and times of no zone are refused; nothing changes."""
    fill(catalog, 2)
    for point in (3, -1, datetime.now(UTC) + HOUR, datetime.now(UTC).replace(tzinfo=None)):
        with pytest.raises(UsageError) as caught:
            catalog.rollback(point)
        assert caught.value.remedy
    assert catalog.seq() == 2
    with pytest.raises(UsageError, match="zone"):
        catalog.prune_history(datetime.now(UTC).replace(tzinfo=None))


def test_rejections_go_with_their_item(catalog: SqlCatalog) -> None:
    """Rejections stay as they are, except those of an item that the rollback takes away."""
    catalog.apply([put("a", photo("1", "d")), reject("a", "x")], collection=CARD)
    catalog.apply([put("b", photo("1", "e")), reject("b", "y"), reject(None, "z", location="line 1")], collection=CARD)
    catalog.rollback(1)
    assert [rejection.code for _, rejection in catalog.rejections()] == ["x", "z"]


def test_dropped_collection(catalog: SqlCatalog) -> None:
    """Features of a collection that was dropped since do not come back; everything else does."""
    catalog.apply([put("a", photo("1", "d"))], collection=CARD)
    catalog.apply([put("a", photo("1", "d"))], collection=OTHER.name)
    catalog.apply([ItemDelete("a")], collection=CARD)
    catalog.drop_collection(OTHER.name)
    catalog.rollback(2)
    assert list(indexed(catalog)) == ["a"]
    assert not any(row[1] == 2 for row in rows_of(catalog)["features"])


def test_prune(catalog: SqlCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is pruned cannot be had back, and the error names what can; the log stays; pruning in steps is the same."""
    monkeypatch.setattr(history, "PRUNED_AT_ONCE", 2)
    for n in range(6):
        catalog.apply([put(str(n), photo("1", f"d{n}"))], collection=CARD)
    changes = catalog.changes(0)
    assert catalog.prune_history(changes[0].at) == 0
    assert catalog.prune_history(changes[5].at) == 5
    assert catalog.prune_history(changes[5].at) == 0
    assert catalog.history_range() == HistoryRange(5, 6, changes[4].at, changes[5].at)
    assert catalog.changes(0) == changes
    for point in (4, changes[3].at, changes[0].at - HOUR):
        with pytest.raises(StateError, match="begins after change 5") as caught:
            catalog.rollback(point)
        assert caught.value.code == "history-gone"
        assert "change 5" in caught.value.remedy
    catalog.rollback(changes[4].at)
    assert sorted(indexed(catalog)) == ["0", "1", "2", "3", "4"]
    catalog.prune_history(datetime.now(UTC))
    seq = catalog.seq()
    assert catalog.history_range() == HistoryRange(seq, seq, catalog.changes(6)[0].at, catalog.changes(6)[0].at)
    assert catalog.rollback(seq) == seq


def test_empty(catalog: SqlCatalog) -> None:
    """An empty catalog can be taken back to what it is."""
    assert catalog.history_range() == HistoryRange(0, 0, None, None)
    assert catalog.rollback(0) == 0
    assert catalog.rollback(datetime.now(UTC) - HOUR) == 0


def test_damaged_history(catalog: SqlCatalog) -> None:
    """A record that cannot be read stops the rollback, names the item, and leaves everything as it is."""
    fill(catalog, 2)
    fill(catalog, 2, price=2.0)
    before = rows_of(catalog)
    with catalog._database.read() as connection:
        record = bytearray(connection.exec_driver_sql("SELECT row FROM history WHERE seq = 4").scalar_one())
    record[len(record) // 2] ^= 1
    catalog._database.write(
        lambda connection: connection.exec_driver_sql("UPDATE history SET row = ? WHERE seq = 4", (bytes(record),))
    )
    with pytest.raises(StateError, match="item '1' was before change 4"):
        catalog.rollback(2)
    assert rows_of(catalog) == before
    assert catalog.seq() == 4


def test_past_photos(catalog: SqlCatalog) -> None:
    """The photos and links that a rollback can bring back are told; those of items that are new are not among them."""
    catalog.apply([put("a", photo("x:1", "d1"), photo("2", "d2")), put("b", photo("x:3", "d3"))], collection=CARD)
    assert list(catalog.past_digests()) == []
    catalog.apply([ItemDelete("a")], collection=CARD)
    assert list(catalog.past_digests()) == ["d1", "d2"]
    assert list(catalog.past_image_links("x:")) == ["x:1"]
    catalog.prune_history(datetime.now(UTC))
    assert list(catalog.past_digests()) == []


def test_identity(catalog: SqlCatalog) -> None:
    """A rollback keeps the identity; asked to, a catalog gets another one."""
    identity = catalog.identity
    fill(catalog, 1)
    catalog.rollback(0)
    assert catalog.identity == identity
    assert catalog.reidentify() == catalog.identity != identity


def test_version_1(tmp_path: Path) -> None:
    """A catalog of version 1 is opened as it was; its history begins where it was migrated."""
    path = tmp_path / FILE_NAME
    with sqlite3.connect(path) as old:
        old.executescript(V1.read_text())
        old.execute("PRAGMA application_id = 1313428562")
    old.close()
    with SqlCatalog.open(path) as catalog:
        ready(catalog)
        assert catalog.history_range().oldest == catalog.seq() == 5
        before = rows_of(catalog)
        assert sorted(dump_catalog(catalog, collection=CARD)) == ["a", "d"]
        catalog.apply([ItemDelete("a"), put("e", photo("1", "d9"))], collection=CARD)
        assert min(keys_of(catalog, "e")) > 6
        with pytest.raises(StateError, match="begins after change 5"):
            catalog.rollback(4)
        catalog.rollback(5)
        assert rows_of(catalog) == before


# Takes a catalog back and forth until it is killed.
ROLLER = """
import sys
from pathlib import Path
from nitari.catalog.sql import SqlCatalog
catalog = SqlCatalog.open(Path(sys.argv[1]))
print("ready", flush=True)
while True:
    for point in (40, 80):
        print(catalog.rollback(point), flush=True)
"""


def test_kill_while_rolling_back(tmp_path: Path) -> None:
    """Killed at any moment, a rollback has happened wholly or not at all, and what it acknowledged has happened."""
    path = tmp_path / FILE_NAME
    with SqlCatalog.open(path) as catalog:
        ready_twice(catalog)
        fill(catalog, 40)
        first = rows_of(catalog)
        catalog.apply([put(str(n), photo("1", f"e{n}")) for n in range(40)], collection=CARD)
        second = rows_of(catalog)
    dice = random.Random(3)
    for _ in range(4):
        with subprocess.Popen([sys.executable, "-c", ROLLER, str(path)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            time.sleep(dice.uniform(0.0, 0.2))
            process.kill()
            told = process.stdout.read().split()
        with SqlCatalog.open(path) as catalog:
            assert catalog.seq() >= int(told[-1] if told else 0)
            assert catalog.seq() % 40 == 0
            assert rows_of(catalog) in (first, second)
            assert catalog.history_range().oldest == 0


# Writes batches of three items each, one of which replaces one of the batch before, as fast as it can.
WRITER = f"""
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from nitari.catalog.base import ItemDelete
from nitari.catalog.sql import SqlCatalog
from support.catalogs import photo, put, ready
catalog = ready(SqlCatalog.open(Path(sys.argv[2])))
print("ready", flush=True)
batch = 0
while True:
    edits = [put(f"{{batch}}/{{n}}", photo("1", f"{{batch}}/{{n}}", views=2)) for n in range(3)]
    catalog.apply([*edits, ItemDelete(f"{{batch}}/0")], collection="{CARD}")
    batch += 1
"""


def test_copy_while_written_to(catalog: SqlCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy is of one state, the one it is said to be, although another process writes all the while."""
    monkeypatch.setattr(sqlite_copy, "PAGES_AT_ONCE", 2)
    fill(catalog, 300)
    done: list[tuple[int, int]] = []

    def slowly(at: int, of: int) -> None:
        done.append((at, of))
        time.sleep(0.01)

    source = str(tmp_path / FILE_NAME)
    copies: dict[int, Path] = {}
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(TESTS), source], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        for n in range(3):
            done.clear()
            path = tmp_path / "copies" / f"{n}.sqlite"
            copies[catalog.backup(path, progress=slowly)] = path
            assert done == sorted(done)
            assert len({of for _, of in done}) == 1
            assert done[-1][0] == done[-1][1] == path.stat().st_size
        process.kill()
    assert catalog.seq() > max(copies)
    for seq, path in copies.items():
        with SqlCatalog.open(path) as copy:
            assert (copy.seq(), copy.identity) == (seq, catalog.identity)
            with copy._database.read() as connection:
                assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            catalog.rollback(seq)
            assert rows_of(copy) == rows_of(catalog)
            copy.apply([ItemDelete("0")], collection=CARD)
    assert sorted(path.name for path in (tmp_path / "copies").iterdir()) == ["0.sqlite", "1.sqlite", "2.sqlite"]


def test_copy_keeps_pages_in_place(catalog: SqlCatalog, tmp_path: Path) -> None:
    """Of two copies with one edit between them, most blocks are the same bytes; nothing changed means the same file."""
    fill(catalog, 500)
    size = 16384
    names = ("one", "two", "three")
    catalog.backup(tmp_path / names[0])
    catalog.backup(tmp_path / names[1])
    catalog.apply([put("7", photo("1", "d7", views=2), attributes={"price": 9.0})], collection=CARD)
    catalog.backup(tmp_path / names[2])
    one, two, three = ((tmp_path / name).read_bytes() for name in names)
    assert one == two
    same = sum(one[at : at + size] == three[at : at + size] for at in range(0, len(one), size))
    assert same >= len(one) // size - 8


def test_copy_replaces(catalog: SqlCatalog, tmp_path: Path) -> None:
    """A copy takes the place of an older one; one that is stopped leaves the older one and nothing else."""
    path = tmp_path / "copy" / "c.sqlite"
    catalog.backup(path)
    fill(catalog, 2)
    assert catalog.backup(path) == 2

    def stop(_at: int, _of: int) -> None:
        raise KeyboardInterrupt

    fill(catalog, 3)
    with pytest.raises(KeyboardInterrupt):
        catalog.backup(path, progress=stop)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    with SqlCatalog.open(path) as copy:
        assert copy.seq() == 2


# Copies with a limit on the size of files, which is how a full disk looks to a process.
COPIER = """
import resource, sys
from pathlib import Path
from nitari.catalog.sql import SqlCatalog
from nitari.errors import DependencyError
with SqlCatalog.open(Path(sys.argv[1])) as catalog:
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    try:
        catalog.backup(Path(sys.argv[2]))
    except DependencyError as error:
        print(error.code, error.message)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_copy_to_a_full_disk(catalog: SqlCatalog, tmp_path: Path) -> None:
    """Where the disk is full, the error names the copy, and nothing of it is left."""
    fill(catalog, 50)
    target = tmp_path / "copy" / "c.sqlite"
    told = subprocess.run(
        [sys.executable, "-c", COPIER, str(tmp_path / FILE_NAME), str(target)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert told.startswith("catalog-copy")
    assert str(target) in told
    assert list(target.parent.iterdir()) == []


def test_copy_to_where_nothing_can_be(catalog: SqlCatalog, tmp_path: Path) -> None:
    """A folder that cannot be made is an error of the copy."""
    (tmp_path / "file").write_text("")
    with pytest.raises(DependencyError, match="copy of the catalog") as caught:
        catalog.backup(tmp_path / "file" / "c.sqlite")
    assert caught.value.code == "catalog-copy"


def test_feed_of_a_restored_item(catalog: SqlCatalog) -> None:
    """An item that comes back belongs to its feed again, so that a sync of the feed sees it."""
    catalog.apply([put("a", photo("1", "d"))], collection=CARD)
    catalog.apply([put("a", photo("1", "d"), feed_id=None)], collection=CARD)
    assert list(catalog.feed_item_ids(FEED)) == []
    catalog.rollback(1)
    assert list(catalog.feed_item_ids(FEED)) == ["a"]
