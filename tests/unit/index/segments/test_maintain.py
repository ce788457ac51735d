"""The maintainer makes of any state of the catalog an index that holds it, and does no more than is due."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitari.errors import StateError
from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.policy import Policy
from nitari.index.segments.store import IndexStore
from nitari.types import FloatArray, KeyArray
from support.truths import DIM, ORIGIN, Truth

POLICY = Policy(seal_rows=256, fanout=3, table_changes=100, age_s=60.0)


class Clock:
    """Time that passes when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> IndexStore:
    """An empty store."""
    return IndexStore(tmp_path / "card", origin=ORIGIN, engines={})


class Makes(Protocol):
    """Makes maintainers, which are closed when the test ends."""

    def __call__(self, truth: Truth, clock: Clock | None = None, **options: float) -> Maintainer:
        """A maintainer of the test's store."""
        ...


def _maintainer(store: IndexStore, truth: Truth, clock: Clock | None = None, **options: Any) -> Maintainer:
    return Maintainer(store=store, truth=truth, policy=POLICY, tables=truth, clock=clock or Clock(), **options)


@pytest.fixture
def make(store: IndexStore) -> Iterator[Makes]:
    """Makes maintainers of the store."""
    with ExitStack() as stack:

        def one(truth: Truth, clock: Clock | None = None, **options: float) -> Maintainer:
            maintainer = _maintainer(store, truth, clock, **options)
            stack.callback(maintainer.close)
            return maintainer

        yield one


def _held(store: IndexStore) -> dict[int, list[float]]:
    """What a reader finds: each key with its row; no key is in two segments."""
    edition = store.open()
    found: dict[int, list[float]] = {}
    for segment in edition.segments if edition else ():
        rows = segment.rows.astype(np.float32).tolist()  # type: ignore[attr-defined]
        assert not found.keys() & set(segment.keys.tolist())
        found.update(zip(segment.keys.tolist(), rows, strict=True))
        assert (segment.find(segment.keys) == np.arange(len(rows))).all()
        segment.close()
    if edition and edition.table:
        edition.table.close()
    return found


def _assert_holds(store: IndexStore, truth: Truth, *, missing: int = 0) -> None:
    held = _held(store)
    alive = {key: row for key, row in held.items() if key in truth.rows}
    assert len(alive) >= len(truth.rows) - missing
    assert all(row == truth.rows[key].tolist() for key, row in alive.items())


def _files(store: IndexStore) -> list[Path]:
    return sorted(path for path in store.folder.rglob("*") if path.is_file() and path.stat().st_size)


def test_a_small_catalog_has_no_segments(store: IndexStore, make: Makes) -> None:
    """Few rows stay with those who search."""
    maintainer = make(Truth(range(100)))
    assert maintainer.run_once() == ()
    assert store.open() is None


def test_new_rows_are_sealed_and_read_once(store: IndexStore, make: Makes) -> None:
    """What is new becomes a segment; a second run has nothing to do; later only what is new is read."""
    truth = Truth(range(1000))
    maintainer = make(truth)
    assert maintainer.run_once() == ("1000 rows are in no segment", "the table of items was saved")
    _assert_holds(store, truth)
    assert maintainer.run_once() == ()
    truth.read.clear()
    truth.put(*range(2000, 2300))
    maintainer.run_once()
    assert truth.read == list(range(2000, 2300))
    _assert_holds(store, truth)
    manifest = store.manifest()
    assert manifest is not None
    assert manifest.seq == truth.seq()
    assert [entry.count for entry in manifest.segments] == [1000, 300]


def test_dead_rows_are_dropped(store: IndexStore, make: Makes) -> None:
    """Once a fourth of a segment is dead it is written again, from its own rows; one that is all dead goes."""
    truth = Truth(range(1000))
    maintainer = make(truth)
    maintainer.run_once()
    truth.delete(*range(200))
    assert maintainer.run_once() == ("the table of items was saved",)
    truth.delete(*range(200, 300))
    truth.read.clear()
    assert maintainer.run_once()[0] == "300 of 1000 rows are dead"
    assert not truth.read
    assert sorted(_held(store)) == list(range(300, 1000))
    truth.delete(*range(300, 1000))
    assert maintainer.run_once()[0] == "700 of 700 rows are dead"
    assert not _held(store)


def test_segments_of_a_size_are_merged(store: IndexStore, make: Makes) -> None:
    """Whatever comes, there are few segments; once it is quiet, fewer."""
    truth = Truth()
    maintainer = make(truth)
    for start in range(0, 6000, 300):
        truth.put(*range(start, start + 300))
        maintainer.run_once()
        _assert_holds(store, truth)
        manifest = store.manifest()
        assert manifest is not None
        assert len(manifest.segments) <= 8
    maintainer.run_once(settle=True)
    manifest = store.manifest()
    assert manifest is not None
    assert len(manifest.segments) <= 3
    _assert_holds(store, truth)
    assert len(list((store.folder / "segments").iterdir())) == len(manifest.segments)


def test_turns_do_what_is_due(store: IndexStore, make: Makes) -> None:
    """Turns look at the keys after enough changes, and once when changes cease; else they do nothing."""
    truth, clock = Truth(range(300)), Clock()
    maintainer = make(truth, clock)
    assert maintainer.turn()
    assert not maintainer.turn()
    truth.put(*range(1000, 1060))
    clock.now += 10
    assert not maintainer.turn()
    clock.now += 70
    assert maintainer.turn()
    _assert_holds(store, truth)
    clock.now += 70
    assert not maintainer.turn()
    truth.put(*range(2000, 2300))
    clock.now += 1
    assert maintainer.turn()
    _assert_holds(store, truth)


def test_all_keys_are_looked_at_once(make: Makes, store: IndexStore) -> None:
    """Then what changed is enough, through seals and merges; now and then, and where that is not known, all again."""
    truth, clock = Truth(range(300)), Clock()
    maintainer = make(truth, clock, survey_every_s=1000.0)
    maintainer.turn()
    looked = truth.looked
    for start in range(1000, 5000, 300):
        truth.put(*range(start, start + 300))
        truth.delete(*sorted(truth.rows)[::7])
        clock.now += 1
        maintainer.turn()
        _assert_holds(store, truth, missing=POLICY.rows_to_seal(DIM))
    assert truth.looked == looked
    for number, look_again in enumerate((truth.forget, lambda: setattr(clock, "now", clock.now + 1000))):
        looked = truth.looked
        truth.put(*range(10_000 + 1000 * number, 10_300 + 1000 * number))
        look_again()
        clock.now += 1
        assert maintainer.turn()
        assert truth.looked == looked + 1
    _assert_holds(store, truth, missing=POLICY.rows_to_seal(DIM))


def test_a_long_look_is_not_repeated_at_once(make: Makes, store: IndexStore) -> None:
    """The first look may take long; where the catalog cannot tell what changed, one takes a twentieth of the time."""
    clock = Clock()

    class Slow(Truth):
        def keys(self, *, collection: str) -> tuple[int, KeyArray]:
            clock.now += 10
            return super().keys(collection=collection)

    truth = Slow(range(300))
    maintainer = make(truth, clock)
    assert maintainer.turn()
    first = 1000
    for forgotten in (False, True, True):
        truth.put(*range(first, first + 300))
        first += 1000
        if forgotten:
            truth.forget()
        clock.now += 1
        done = maintainer.turn()
        assert done == (first < 4000)
    clock.now += 200
    assert maintainer.turn()
    _assert_holds(store, truth)


def test_a_long_step_makes_nothing_quiet(make: Makes, store: IndexStore) -> None:
    """What changed while a segment was written is no reason to seal the little that came meanwhile."""
    clock = Clock()

    class Slow(Truth):
        def vectors(self, *, collection: str, keys: KeyArray | None = None) -> Iterator[tuple[KeyArray, FloatArray]]:
            clock.now += 1000
            yield from super().vectors(collection=collection, keys=keys)
            self.put(*range(5000, 5100))

    truth = Slow(range(300))
    maintainer = make(truth, clock)
    assert maintainer.turn()
    manifest = store.manifest()
    assert manifest is not None
    assert [entry.count for entry in manifest.segments] == [300]


def test_whoever_takes_over_looks_at_all_keys(make: Makes, store: IndexStore) -> None:
    """What another process did meanwhile is not known; neither is what oneself knew before."""
    truth, clock = Truth(range(300)), Clock()
    first, second = make(truth, clock), make(truth, clock)
    for maintainer in (first, second, first):
        looked = truth.looked
        start = 1000 + truth.seq()
        truth.put(*range(start, start + 300))
        maintainer.run_once()
        assert truth.looked > looked
        _assert_holds(store, truth, missing=POLICY.rows_to_seal(DIM))
        maintainer.close()


def test_the_table_is_not_saved_without_end(make: Makes, store: IndexStore) -> None:
    """While the catalog changes, saving its table takes a tenth of the time at most; then it is saved once more."""

    class Slow(Truth):
        def save(self, last: tuple[Path, int] | None, folder: Path) -> int:
            clock.now += 3
            return super().save(last, folder)

    truth, clock = Slow(range(300)), Clock()
    maintainer = make(truth, clock)
    maintainer.run_once()
    saved = []
    for second in range(40):
        truth.put(*range(1000 + 200 * second, 1150 + 200 * second))
        clock.now += 1
        if "the table of items was saved" in maintainer.run_once():
            saved.append(clock.now)
    assert len(saved) == 1
    maintainer.turn()
    clock.now += 60
    assert maintainer.turn()
    manifest = store.manifest()
    assert manifest is not None
    assert manifest.table is not None
    assert manifest.table.seq == truth.seq()


def test_one_maintains_at_a_time(store: IndexStore, make: Makes) -> None:
    """A second maintainer waits until the first lets go."""
    truth, clock = Truth(range(300)), Clock()
    first, second = make(truth, clock), make(truth, clock)
    assert first.turn()
    truth.put(*range(1000, 1300))
    assert not second.turn()
    assert second.run_once() == ()
    with pytest.raises(StateError, match="another process"):
        second.scrub()
    first.close()
    clock.now += 5
    assert second.turn()
    _assert_holds(store, truth)


def test_a_reader_keeps_its_files(store: IndexStore, make: Makes) -> None:
    """Segments that are read outlive their merge, and go when they are closed."""
    truth = Truth(range(300))
    maintainer = make(truth)
    maintainer.run_once()
    edition = store.open()
    assert edition is not None
    truth.put(*range(1000, 1300))
    maintainer.run_once(settle=True)
    folder = store.folder / "segments"
    assert len(list(folder.iterdir())) == 2
    newer = store.open(edition.segments)
    assert newer is not None
    assert newer.segments != edition.segments
    assert edition.table is not None
    assert edition.table.path.exists()
    edition.table.close()
    for segment in (*edition.segments, *newer.segments):
        segment.close()
    assert newer.table is not None
    newer.table.close()
    store.sweep()
    assert len(list(folder.iterdir())) == 1
    assert not list(store.folder.glob("tmp-*"))


@pytest.mark.parametrize("by", ["open", "scrub", "merge"])
def test_any_changed_byte_is_found_and_healed(store: IndexStore, make: Makes, by: str) -> None:
    """Whatever file is damaged, nobody gets a wrong row for it, and the index is whole again afterwards."""
    truth = Truth(range(700))
    maintainer = make(truth)
    maintainer.run_once()
    names = [path.relative_to(store.folder) for path in _files(store)]
    kinds = {name.name for name in names}
    assert {"manifest.json", "segment.json", "rows.npy", "keys.npy", "table.json", "keys.txt"} <= kinds
    for kind in sorted(kinds - {"maintainer.json"}):
        path = next(found for found in _files(store) if found.name == kind)
        data = bytearray(path.read_bytes())
        data[len(data) * 2 // 3] ^= 1
        path.write_bytes(data)
        _assert_holds(store, truth, missing=700)  # what is left out is not wrong
        if by == "scrub":
            assert len(maintainer.scrub()) <= 1
        if by == "merge":
            truth.delete(*sorted(truth.rows)[: len(truth.rows) // 3])
        maintainer.run_once(settle=True)
        _assert_holds(store, truth)
        assert store.noted()["damaged"]
        assert maintainer.scrub() == ()


def test_the_scrub_heals_in_the_background(store: IndexStore, make: Makes) -> None:
    """Turns read all blocks at the speed they are given, and build again what is damaged."""
    truth, clock = Truth(range(700)), Clock()
    maintainer = make(truth, clock, scrub_bytes_s=4096, scrub_every_s=5)
    maintainer.turn()
    rows = next(path for path in _files(store) if path.name == "rows.npy")
    data = bytearray(rows.read_bytes())
    data[-1] ^= 1
    rows.write_bytes(data)
    for _ in range(60):
        clock.now += 1
        maintainer.turn()
    assert not rows.exists()
    assert len(store.rejected()) == 1
    _assert_holds(store, truth)


def test_a_catalog_from_before_is_another(store: IndexStore, make: Makes) -> None:
    """An index from after the catalog's last change is of a catalog that was since put back: keys are used again."""
    truth = Truth(range(700))
    maintainer = make(truth)
    maintainer.run_once()
    truth.at = 10
    truth.rows = {key: -row for key, row in truth.rows.items()}
    maintainer.run_once()
    _assert_holds(store, truth)


def test_a_full_disk_is_waited_out(store: IndexStore, make: Makes, monkeypatch: pytest.MonkeyPatch) -> None:
    """At whatever write the disk is full, what is published stays whole, and the next try goes through."""
    truth, clock = Truth(range(700)), Clock()
    maintainer = make(truth, clock)
    maintainer.run_once()
    original = Path.open
    for fail_at in range(1, 40):
        truth.put(*range(1000 * fail_at, 1000 * fail_at + 300))
        writes = 0

        def full(self: Path, mode: str = "r", *args: object, fail_at: int = fail_at, **options: object) -> object:
            nonlocal writes
            if "w" in mode or "+" in mode:
                writes += 1
                if writes >= fail_at:
                    raise OSError(errno.ENOSPC, "No space left on device")
            return original(self, mode, *args, **options)  # type: ignore[call-overload]

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", full)
            clock.now += 1000
            done = maintainer.turn()
            _assert_holds(store, truth, missing=300)
        if done:
            break
        clock.now += 1000
        assert maintainer.turn()
        _assert_holds(store, truth)
        assert not list(store.folder.glob("tmp-*"))
    assert done
    assert fail_at > 4


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_history_is_held(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """After any puts, deletes, runs and damages, the index holds what the catalog has."""
    store = IndexStore(tmp_path_factory.mktemp("index"), origin=ORIGIN, engines={})
    truth = Truth()
    maintainer = _maintainer(store, truth)
    try:
        for number in range(data.draw(st.integers(1, 6))):
            truth.put(*range(number * 1000, number * 1000 + data.draw(st.integers(0, 900))))
            some = sorted(truth.rows)
            truth.delete(*some[:: data.draw(st.integers(1, 9))])
            if data.draw(st.booleans()):
                maintainer.close()
                maintainer = _maintainer(store, truth)
            files = [path for path in _files(store) if path.name != "maintainer.json"]
            damaged = data.draw(st.booleans())
            if files and damaged:
                path: Path = data.draw(st.sampled_from(files))
                path.write_bytes(path.read_bytes()[:-1])
            maintainer.run_once(settle=data.draw(st.booleans()))
            _assert_holds(store, truth, missing=POLICY.rows_to_seal(DIM))
    finally:  # also where a draw ends the example
        maintainer.close()
