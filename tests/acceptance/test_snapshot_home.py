"""Snapshots of a real home: killed at random moments, and with an index that goes with it."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from nitari.cli.main import cli
from nitari.snapshots.manifest import Manifest
from support.snapshots import content_at, content_of, edit_to, seq_of, snapshots_of

TESTS = Path(__file__).parent.parent
KILLS = 5

# Edits and saves in turn, until it is killed; says what is acknowledged.
DRIVER = """
import sys
from pathlib import Path
from support.snapshots import edit_to, seq_of, snapshots_of
home = Path(sys.argv[1])
print("begun", flush=True)
while True:
    edit_to(home, seq_of(home) + 3)
    print(snapshots_of(home, sys.argv[2]).save().snapshot.number, flush=True)
"""


def nitari(home: Path, *words: str) -> Any:
    """What a command prints."""
    done = CliRunner().invoke(cli, ["--home", str(home), *words], standalone_mode=False, catch_exceptions=False)
    assert done.return_value == 0, done.output
    return done.stdout


def test_killed_at_random_moments(tmp_path: Path) -> None:
    """Whenever a save is killed: what was published is whole, nothing acknowledged is lost, the next one goes on."""
    home, store = edit_to(tmp_path / "home", 5), str(tmp_path / "store")
    moments = random.Random(4)
    acknowledged = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", DRIVER, str(home), store]
        env = {**os.environ, "PYTHONPATH": str(TESTS)}
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            try:  # at whatever line it is then
                process.wait(moments.uniform(0, 0.6))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, process.stdout.read().split())])
        snapshots = snapshots_of(home, store)
        published = [found.number for found in snapshots.published() if isinstance(found, Manifest)]
        assert published == list(range(1, len(published) + 1))
        assert len(published) >= acknowledged
        assert snapshots.verify().problems == ()
    last = snapshots_of(home, store).save()
    restored = snapshots_of(home, store).restore(tmp_path / "new")
    assert restored.catalog.seq == last.snapshot.catalog.seq == seq_of(home)
    assert content_of(tmp_path / "new") == content_of(home) == content_at(tmp_path / "expected", seq_of(home))


def test_the_index_goes_with_it(tmp_path: Path) -> None:
    """A restored home serves with the index that was saved, which is whole; without it, it is built anew."""
    home, store = edit_to(tmp_path / "home", 60), str(tmp_path / "store")
    assert "all was built again" in nitari(home, "index", "rebuild")
    (before,) = json.loads(nitari(home, "index", "status", "--json"))
    nitari(home, "snapshot", "save", store)
    nitari(home, "index", "rebuild")  # other segments, with the same rows: only the snapshot has the former ones
    new = tmp_path / "new"
    nitari(home, "snapshot", "restore", store, "--into", str(new))
    (after,) = json.loads(nitari(new, "index", "status", "--json"))
    assert after["segments"] == before["segments"] != []
    assert "all is as it was written" in nitari(new, "index", "scrub")
    assert "nothing to do" in nitari(new, "index", "maintain")
    shutil.rmtree(new / "index")
    assert "all was built again" in nitari(new, "index", "rebuild")
