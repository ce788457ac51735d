"""Snapshots: kills leave the old one or the new one, damage and strangers are seen before use."""

from __future__ import annotations

import dataclasses
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nitari.errors import StateError
from nitari.index.exact import ExactIndex
from nitari.index.seal import read_document, write_document
from nitari.index.snapshot import CURRENT_NAME, SnapshotHeader, load_snapshot, save_snapshot
from support.vectors import random_units

DIM = 8
HEADER = SnapshotHeader("exact", "demo", DIM, "abc", "catalog-1", 5, {"width": [1, 2]})


def index_of(count: int, seed: int = 0) -> ExactIndex:
    """An exact index with ``count`` rows."""
    index = ExactIndex(DIM)
    index.add(np.arange(count, dtype=np.int64), random_units(count, DIM, seed=seed))
    return index


def test_no_snapshot_is_not_an_error(tmp_path: Path) -> None:
    """Nothing published: ``None``, and nothing is made."""
    assert load_snapshot(ExactIndex(DIM), tmp_path / "none", expected=HEADER) is None
    assert not (tmp_path / "none").exists()


def test_what_was_saved_is_loaded(tmp_path: Path) -> None:
    """Content and header come back; the catalog may have gone on since."""
    index = index_of(20)
    folder = tmp_path / "a" / "b"
    assert save_snapshot(index, folder, header=HEADER) == folder / "00000001"
    loaded = ExactIndex(DIM)
    assert load_snapshot(loaded, folder, expected=dataclasses.replace(HEADER, seq=9)) == HEADER
    keys = np.arange(20, dtype=np.int64)
    np.testing.assert_array_equal(loaded.vectors(keys), index.vectors(keys))


def test_older_ones_and_leftovers_are_removed(tmp_path: Path) -> None:
    """After publishing there is one snapshot, and nothing that a killed process left."""
    save_snapshot(index_of(3), tmp_path, header=HEADER)
    (tmp_path / "tmp-00000009" / "index").mkdir(parents=True)
    (tmp_path / "tmp-CURRENT").write_bytes(b"half")
    (tmp_path / "00000004").mkdir()
    (tmp_path / "rejected-00000001").mkdir()
    save_snapshot(index_of(4), tmp_path, header=HEADER)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["00000005", CURRENT_NAME, "lock"]


@pytest.mark.parametrize(
    "change",
    [
        {"engine": "faiss"},
        {"collection": "other"},
        {"fingerprint": "abd"},
        {"catalog": "catalog-2"},
        {"seq": 4},
        {"dim": DIM + 1},
        {"parameters": {"width": [1, 3]}},
    ],
)
def test_a_foreign_snapshot_is_refused_and_set_aside(tmp_path: Path, change: dict[str, Any]) -> None:
    """Another engine, collection, catalog, ..., or a catalog restored to before it: named, and not loaded again."""
    save_snapshot(index_of(3), tmp_path, header=HEADER)
    index = index_of(1)
    with pytest.raises(StateError, match=next(iter(change))):
        load_snapshot(index, tmp_path, expected=dataclasses.replace(HEADER, **change))
    assert len(index) == 1
    assert load_snapshot(index, tmp_path, expected=HEADER) is None
    assert (tmp_path / "rejected-00000001").is_dir()


def test_a_snapshot_of_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    """A newer program may be at work beside this one: what it wrote stays."""
    save_snapshot(index_of(3), tmp_path, header=HEADER)
    pointer = tmp_path / CURRENT_NAME
    write_document(pointer, "nitari-current", 2, read_document(pointer, "nitari-current", 1))
    for _ in range(2):
        with pytest.raises(StateError, match="version 2, expected nitari-current version 1"):
            load_snapshot(ExactIndex(DIM), tmp_path, expected=HEADER)
    assert (tmp_path / "00000001").is_dir()


def test_every_flipped_bit_is_seen(tmp_path: Path) -> None:
    """One bit, anywhere in any file of a snapshot: refused, the index is as it was."""
    rng = np.random.default_rng(3)
    names = ["CURRENT", "manifest.json", "index/index.json", "index/keys.npy", "index/vectors.npy"]
    save_snapshot(index_of(5), tmp_path, header=HEADER)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == sorted(name.split("/")[-1] for name in names[1:])
    for name in names:
        for _ in range(20):
            snapshot = save_snapshot(index_of(5), tmp_path, header=HEADER)
            assert snapshot is not None
            path = tmp_path / name if name == CURRENT_NAME else snapshot / name
            content = bytearray(path.read_bytes())
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
            path.write_bytes(bytes(content))
            index = index_of(2)
            with pytest.raises(StateError):
                load_snapshot(index, tmp_path, expected=HEADER)
            assert len(index) == 2


@pytest.mark.parametrize("name", ["manifest.json", "index/keys.npy", "index/index.json", "."])
def test_missing_files_are_seen(tmp_path: Path, name: str) -> None:
    """A file or the whole folder is gone: refused, and a save puts things right."""
    snapshot = save_snapshot(index_of(5), tmp_path, header=HEADER)
    assert snapshot is not None
    (snapshot / name).rename(tmp_path / "moved")
    with pytest.raises(StateError):
        load_snapshot(ExactIndex(DIM), tmp_path, expected=HEADER)
    save_snapshot(index_of(6), tmp_path, header=HEADER)
    index = ExactIndex(DIM)
    load_snapshot(index, tmp_path, expected=HEADER)
    assert len(index) == 6


def test_a_snapshot_replaced_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    """A reader that loses its files to a newer snapshot takes the newer one."""
    save_snapshot(index_of(3), tmp_path, header=HEADER)

    class Overtaken(ExactIndex):
        def load(self, folder: Path) -> None:
            if folder.parent.name == "00000001":
                save_snapshot(index_of(7), tmp_path, header=HEADER)
            super().load(folder)

    index = Overtaken(DIM)
    assert load_snapshot(index, tmp_path, expected=HEADER) == HEADER
    assert len(index) == 7


def test_only_one_saves_at_a_time(tmp_path: Path) -> None:
    """A second saver gives way, and the first one's snapshot is whole."""

    class Slow(ExactIndex):
        def save(self, folder: Path) -> None:
            assert save_snapshot(index_of(9), tmp_path, header=HEADER) is None
            super().save(folder)

    index = Slow(DIM)
    index.add(np.arange(2, dtype=np.int64), random_units(2, DIM))
    assert save_snapshot(index, tmp_path, header=HEADER) is not None
    loaded = ExactIndex(DIM)
    load_snapshot(loaded, tmp_path, expected=HEADER)
    assert len(loaded) == 2


def test_a_failed_save_keeps_what_was_published(tmp_path: Path) -> None:
    """A full disk: a ``StateError``, and the former snapshot still loads."""
    save_snapshot(index_of(3), tmp_path, header=HEADER)

    class Full(ExactIndex):
        def save(self, folder: Path) -> None:
            super().save(folder)
            raise OSError(28, "No space left on device")

    with pytest.raises(StateError, match="No space left"):
        save_snapshot(Full(DIM), tmp_path, header=HEADER)
    index = ExactIndex(DIM)
    load_snapshot(index, tmp_path, expected=HEADER)
    assert len(index) == 3


SAVER = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
from nitari.index.exact import ExactIndex
from nitari.index.snapshot import SnapshotHeader, save_snapshot
folder, seq = Path(sys.argv[1]), int(sys.argv[2])
while True:
    seq += 1
    index = ExactIndex(8)
    rows = np.zeros((2000, 8), np.float32)
    rows[:, seq % 8] = 1
    index.add(np.arange(2000, dtype=np.int64) + seq, rows)
    save_snapshot(index, folder, header=SnapshotHeader("exact", "demo", 8, "abc", "catalog-1", seq, {}))
    print(seq, flush=True)
"""


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_one(tmp_path: Path) -> None:
    """Kill a process that saves in a loop: what loads is whole, and not older than what it had acknowledged."""
    rng = random.Random(7)
    expected = SnapshotHeader("exact", "demo", DIM, "abc", "catalog-1", 10**9, {})
    seq = 0
    for _ in range(12):
        process = subprocess.Popen(
            [sys.executable, "-c", SAVER, str(tmp_path), str(seq)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(rng.random() * 0.1)
        process.kill()
        acknowledged = int([first, *process.stdout.read().splitlines()][-1])
        process.wait()
        process.stdout.close()
        index = ExactIndex(DIM)
        header = load_snapshot(index, tmp_path, expected=expected)
        assert header is not None
        assert acknowledged <= header.seq <= acknowledged + 1
        keys = np.arange(2000, dtype=np.int64) + header.seq
        assert len(index) == 2000
        assert (index.vectors(keys)[:, header.seq % 8] == 1).all()
        seq = header.seq


def test_a_loader_without_rights_still_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a damaged snapshot cannot be set aside (a read-only home), it is refused all the same."""
    snapshot = save_snapshot(index_of(5), tmp_path, header=HEADER)
    assert snapshot is not None
    (snapshot / "manifest.json").write_bytes(b"{}")

    def refuse(self: Path, *args: object, **kwargs: object) -> Callable[[], None]:
        raise PermissionError(13, "read-only")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StateError, match=r"manifest\.json is damaged"):
        load_snapshot(ExactIndex(DIM), tmp_path, expected=HEADER)
