"""A disk that is really full: who maintains says so, who reads goes on, and once there is room all heals by itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.errors import DependencyError, StateError
from nitari.index.segments.scrub import Damage, check_all
from support.catalogs import COLLECTION, photo, put, ready
from support.damaging import folder_of, maintainer, open_store
from support.recovering import answers, check, gallery

MIB = 2**20
BALLAST = "ballast"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or os.geteuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here (a container without CAP_SYS_ADMIN)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _leave(disk: Path, free: int) -> None:
    """Fill the disk up to ``free`` bytes."""
    (disk / BALLAST).unlink(missing_ok=True)
    found = os.statvfs(disk)
    (disk / BALLAST).write_bytes(bytes(max(0, found.f_bavail * found.f_frsize - free)))


def _add(home: Path, first: int, count: int) -> None:
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        ready(catalog)
        edits = [put(f"i{n}", photo(f"{n}.jpg", f"{n:08x}")) for n in range(first, first + count)]
        catalog.apply(edits, collection=COLLECTION.name)


def _is_told(home: Path) -> bool:
    """Maintain. Returns whether there was no room for it, which is said then."""
    problem: StateError | DependencyError
    try:
        with maintainer(home) as keeper:
            keeper.run_once()
    except StateError as exc:
        problem, words = exc, ("cannot be written", "No space left", "make room")
    except DependencyError as exc:  # it may be the catalog that cannot be opened
        problem, words = exc, ("catalog", "free some space")
    else:
        return False
    told = f"{problem.message}; {problem.remedy}"
    assert all(word in told for word in words), told
    return True


def _is_whole(home: Path) -> bool:
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        store = open_store(home, catalog)
        manifest = store.manifest()
        return manifest is not None and not any(isinstance(found, Damage) for found in check_all(store))


def test_at_whatever_byte_the_disk_is_full(disk: Path) -> None:
    """What is published stays whole and is searched; the maintainer says what failed, and goes on once it can."""
    home, full = disk / "home", 0
    _add(home, 0, 2200)
    with maintainer(home) as keeper:
        keeper.run_once()
    with gallery(home) as reader:
        for number, free in enumerate((0, 4096, 16384, 65536, 131072, 262144, 524288, 1048576)):
            _add(home, 2200 + 300 * number, 300)
            _leave(disk, free)
            full += _is_told(home)
            check(home, answers(reader, number), number)
            (disk / BALLAST).unlink()
            assert _is_whole(home)
            with maintainer(home) as keeper:
                keeper.run_once()
            check(home, answers(reader, number), number)
            with gallery(home) as fresh:
                check(home, answers(fresh, number), number)
    assert 2 <= full <= 8
    assert not list(folder_of(home).glob("tmp-*"))
    assert not list(folder_of(home).glob("rejected-*"))


def test_who_follows_waits_and_heals_by_himself(disk: Path) -> None:
    """`nitari index maintain --follow` tells what is wrong, lives on, and does all that was due once there is room."""
    home, said = disk / "home", disk.parent / "log"
    _add(home, 0, 300)
    env = {**os.environ, "NITARI__INDEX__SEAL_ROWS": "256"}
    command = [sys.executable, "-m", "nitari", "--home", str(home), "index", "maintain", "--follow"]
    with said.open("w") as log, subprocess.Popen(command, stderr=log, env=env) as process:
        try:
            _wait(process, lambda: _live(home) == 0)
            process.send_signal(signal.SIGSTOP)
            _add(home, 300, 2000)
            _leave(disk, 65536)
            with pytest.raises(DependencyError) as told:  # who writes is told, and nothing is lost
                _add(home, 5000, 4000)
            assert "free some space" in told.value.remedy
            process.send_signal(signal.SIGCONT)
            _wait(process, lambda: "could not be maintained" in said.read_text())
            with gallery(home) as reader:
                check(home, answers(reader, 1), 1)
                (disk / BALLAST).unlink()
                _wait(process, lambda: _live(home) == 0)
                check(home, answers(reader, 2), 2)
        finally:
            process.send_signal(signal.SIGCONT)
            process.terminate()
    assert process.returncode == 0
    assert _is_whole(home)


def _live(home: Path) -> int:
    """How many vectors are in no segment, as the command tells."""
    command = [sys.executable, "-m", "nitari", "--home", str(home), "index", "status", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout)[0]["live"])


def _wait(process: subprocess.Popen[bytes], until: Callable[[], bool]) -> None:
    """Wait for something that ``process`` is to do by itself."""
    patience = time.monotonic() + 120
    while not until():
        assert process.poll() is None
        assert time.monotonic() < patience, "it did not happen"
        time.sleep(0.5)
