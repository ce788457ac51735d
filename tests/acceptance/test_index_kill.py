"""kill -9 whoever writes, maintains, saves or reads: nothing acknowledged is lost, nothing deleted returns."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

import pytest

from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.index.segments.manifest import MANIFEST_NAME, Manifest
from nitari.indexes import open_index_store
from nitari.settings import Settings
from support.catalogs import COLLECTION, ready
from support.recovering import PAUSE, SEAL_ROWS, State, after, answers, check, gallery, held
from support.snapshots import content_of, snapshots_of

TESTS = Path(__file__).parents[1]
PATIENCE_S = 120.0

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is not known there")


class Role:
    """A process that is started again whenever it was killed.

    Args:
        command: Its command line.
        log: Where its standard error goes.
    """

    def __init__(self, command: Sequence[str], log: Path) -> None:
        self._command = command
        self._log = log
        self.lines: SimpleQueue[str] = SimpleQueue()
        self.process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        """Start it."""
        paths = os.pathsep.join([str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])])
        env = {
            **os.environ,
            "PYTHONPATH": paths,
            "NITARI__INDEX__SEAL_ROWS": str(SEAL_ROWS),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with self._log.open("a") as log:
            self.process = subprocess.Popen([sys.executable, *self._command], env=env, stderr=log, **pipes)  # type: ignore[call-overload]
        self._listening = Thread(target=self._listen, args=(self.process,), daemon=True)
        self._listening.start()

    def kill(self) -> None:
        """Kill it, and have all that it said in ``lines``."""
        assert self.process is not None
        assert self.process.poll() is None, f"it ended by itself: {self._log.read_text()}"
        self.stop()

    def stop(self) -> None:
        """Have it gone, however it is; doing so twice is harmless."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self._listening.join()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    def ask(self, line: str) -> None:
        """Write to its standard input."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def next(self) -> str:
        """The next line that it says."""
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                return self.lines.get(timeout=0.2)
            except Empty:
                assert self.process is not None
                assert self.process.poll() is None, f"it ended by itself: {self._log.read_text()}"
                assert time.monotonic() < until, f"it says nothing: {self._log.read_text()}"

    def said(self) -> list[str]:
        """All lines that were not looked at yet."""
        lines = []
        while not self.lines.empty():
            lines.append(self.lines.get())
        return lines

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.put(line.strip())


class Ledger:
    """What the writer acknowledged, and the batch that it may have been killed over."""

    def __init__(self) -> None:
        self.state: State = {}
        self.open: dict[str, str | None] | None = None
        self.batches = 0

    def enter(self, lines: Sequence[str]) -> None:
        """What the writer said."""
        for line in lines:
            if line.startswith("{"):
                self.open = json.loads(line)
            elif line == "done":
                assert self.open is not None
                self.state, self.open = after(self.state, self.open), None
                self.batches += 1

    def follow(self, writer: Role, *, batches: int) -> None:
        """Wait until so many more batches are acknowledged, so that there is something to maintain."""
        until = self.batches + batches
        while self.batches < until:
            self.enter([writer.next()])

    def settle(self, found: State) -> None:
        """Compare with the catalog, which has all of the open batch or nothing of it."""
        if self.open is not None and found == after(self.state, self.open):
            self.state = found
        self.open = None
        assert found == self.state


@contextmanager
def roles(home: Path, store: Path) -> Iterator[dict[str, Role]]:
    """All processes; killed in the end."""
    me = ["-m", "support.recovering"]
    commands = {
        "write": [*me, "write", str(home), "7"],
        "maintain": ["-m", "nitari", "--home", str(home), "index", "maintain", "--follow"],
        "save": [*me, "save", str(home), str(store)],
        "read": [*me, "read", str(home)],
    }
    with ExitStack() as stack:
        started = {}
        for name, command in commands.items():
            started[name] = Role(command, home.parent / f"{name}.log")
            stack.callback(started[name].stop)
        for name in ("write", "save", "read"):
            assert started[name].next() == "ready"
        yield started


def _pause(home: Path, writer: Role, ledger: Ledger) -> None:
    (home / PAUSE).touch()
    while (line := writer.next()) != "paused":
        ledger.enter([line])


def _answered(reader: Role) -> dict[str, Any]:
    """What the reader says, which may have just begun."""
    while (line := reader.next()) == "ready":
        pass
    answered: dict[str, Any] = json.loads(line)
    return answered


def _check_snapshots(home: Path, store: Path, saved: int) -> int:
    """All that is listed is whole, and all that was said to be saved is listed."""
    snapshots = snapshots_of(home, str(store))
    listed = [found.number for found in snapshots.published()]
    assert listed == list(range(1, len(listed) + 1))
    assert len(listed) >= saved
    assert snapshots.verify().problems == ()
    return len(listed)


def _manifest(home: Path) -> Manifest | None:
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        return open_index_store(Settings(home=home), catalog, COLLECTION).manifest()


@pytest.mark.parametrize("kills", [8, pytest.param(50, marks=pytest.mark.slow)])
@pytest.mark.timeout(900)
def test_killed_at_random_moments(tmp_path: Path, kills: int) -> None:
    """Whoever is killed: every acknowledged write is found, nothing deleted returns, and answers are brute force's."""
    home, store, chance = tmp_path / "home", tmp_path / "store", random.Random(kills)
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        ready(catalog)
    ledger, published, saved = Ledger(), set(), 0
    with roles(home, store) as running:
        for number in range(kills):
            ledger.follow(running["write"], batches=8)
            time.sleep(chance.uniform(0.0, 0.6))
            everybody = sorted(running)
            chosen = everybody if number % 8 == 7 else [everybody[number % 4]]
            for name in chance.sample(chosen, len(chosen)):
                running[name].kill()
            if "write" in chosen:
                ledger.enter(running["write"].said())
                ledger.settle(held(home))
            else:
                _pause(home, running["write"], ledger)
                ledger.settle(held(home))
            seed = chance.randrange(2**30)
            with gallery(home) as fresh:  # who starts now
                check(home, answers(fresh, seed), seed)
                manifest = _manifest(home)
                published.add(manifest.number if manifest else 0)
            if "read" not in chosen:  # who lives on
                running["read"].ask(str(seed))
                check(home, _answered(running["read"]), seed)
            saved = max([saved, *map(int, (line for line in running["save"].said() if line != "ready"))])
            if "save" in chosen:
                saved = _check_snapshots(home, store, saved)
            for name in chosen:
                running[name].start()
            (home / PAUSE).unlink(missing_ok=True)
    assert ledger.batches >= kills
    assert len(published) > kills // 8, "the index was hardly maintained"
    assert (home / "index" / COLLECTION.name / MANIFEST_NAME).exists()
    _check_restored(home, store, tmp_path / "new", saved)


def _check_restored(home: Path, store: Path, new: Path, saved: int) -> None:
    """The last snapshot, with the index that lies in it, is the home as it was."""
    assert _check_snapshots(home, store, saved) > 0
    snapshots_of(home, str(store)).save()
    snapshots_of(home, str(store)).restore(new)
    assert content_of(new) == content_of(home)
    with gallery(new) as opened:
        check(new, answers(opened, 1), 1)
