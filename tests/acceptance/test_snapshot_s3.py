"""Snapshots in S3 (moto's server): saved while another process writes, raced for, killed, restored and verified."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner

from nitari.cli.main import cli
from nitari.errors import NitariError
from nitari.snapshots.repository import Repository
from nitari.snapshots.storage import Storage
from support.s3 import serving_s3
from support.snapshots import content_at, content_of, edit_to, seq_of, upload, write_index

BUCKET = "snapshots"
URL = f"s3://{BUCKET}/shop/home"
TESTS = Path(__file__).parent.parent
SAVES = 3

# Makes one change after the other until it is killed.
WRITER = """
import sys, time
from pathlib import Path
from support.snapshots import edit_to
home = Path(sys.argv[1])
for seq in range(int(sys.argv[2]), 100_000):
    edit_to(home, seq)
    print(seq, flush=True)
    time.sleep(0.002)
"""

# Saves as often as it is told to, but stops each time before it publishes until it is told to go on.
PUBLISHER = """
import sys
from pathlib import Path
from nitari.errors import StateError
from nitari.snapshots.repository import Repository
from support.snapshots import snapshots_of
publish = Repository.publish
def ready(self, snapshot):
    print("ready", flush=True)
    sys.stdin.readline()
    publish(self, snapshot)
Repository.publish = ready
for _ in range(int(sys.argv[3])):
    try:
        print("published", snapshots_of(Path(sys.argv[1]), sys.argv[2]).save().snapshot.number, flush=True)
    except StateError as exc:
        print(exc.code, exc.message, flush=True)
"""


@pytest.fixture(scope="module", autouse=True)
def s3() -> Iterator[Mapping[str, str]]:
    """The environment of clients of a server with an empty bucket."""
    with serving_s3(BUCKET) as found, pytest.MonkeyPatch.context() as patch:
        for name, value in found.items():
            patch.setenv(name, value)
        yield {**os.environ}


def nitari(home: Path, *words: str, code: int = 0) -> Any:
    """What a command of the group prints as JSON; where it fails, what it says."""
    done = CliRunner().invoke(cli, ["--home", str(home), "snapshot", *words, "--json"], standalone_mode=False)
    assert "secret-of-nobody" not in done.output
    if isinstance(done.exception, NitariError):
        assert done.exception.exit_code == code, done.exception
        return f"{done.exception.message}; {done.exception.remedy}"
    assert done.exception is None, done.output
    assert done.return_value == code
    return json.loads(done.stdout)


@contextmanager
def running(s3: Mapping[str, str], code: str, *words: str) -> Iterator[tuple[IO[str], IO[str]]]:
    """A process of its own; its input and output. Killed at the end."""
    command = [sys.executable, "-c", code, *words]
    env = {**s3, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdin, process.stdout
        finally:
            process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)


def test_saved_while_another_process_writes(tmp_path: Path, s3: Mapping[str, str]) -> None:
    """Each snapshot is the catalog at one change, all of it and nothing more; so is every change in between."""
    home = edit_to(tmp_path / "home", 30)
    write_index(home, "s1")
    with running(s3, WRITER, str(home), "31") as (_, output):
        saved = []
        for _ in range(SAVES):
            before = int(output.readline())
            saved.append(nitari(home, "save", URL))
            assert saved[-1]["catalog"]["seq"] >= before
        assert int(output.readline()) > 0  # it was never held up for good
    seqs = [snapshot["catalog"]["seq"] for snapshot in saved]
    assert seqs == sorted(set(seqs)), "each later one holds more"
    assert [snapshot["snapshot"] for snapshot in nitari(home, "list", URL)["snapshots"]] == [1, 2, 3]
    assert nitari(home, "verify", URL)["problems"] == []
    for number, seq in ((1, seqs[0]), (SAVES, seqs[-1])):
        new = tmp_path / f"restored{number}"
        restored = nitari(home, "restore", URL, "--into", str(new), "--snapshot", str(number))
        assert restored["catalog"]["seq"] == seq_of(new) == seq
        assert content_of(new) == content_at(tmp_path / f"expected{number}", seq)
        assert restored["index"] == (number == SAVES)
    between = (seqs[0] + seqs[1]) // 2
    nitari(home, "restore", URL, "--into", str(tmp_path / "between"), "--at", str(between))
    assert content_of(tmp_path / "between") == content_at(tmp_path / "then", between)


def test_two_publishers_race(tmp_path: Path, s3: Mapping[str, str]) -> None:
    """Two that publish at the same moment: each time one wins, the other says so, and the store is whole."""
    url = f"s3://{BUCKET}/raced"
    home = edit_to(tmp_path / "home", 20)
    with (
        running(s3, PUBLISHER, str(home), url, "2") as (in_one, out_one),
        running(s3, PUBLISHER, str(home), url, "2") as (in_two, out_two),
    ):
        for number in (1, 2):
            assert [out_one.readline(), out_two.readline()] == ["ready\n", "ready\n"]
            for stream in (in_one, in_two):
                stream.write("\n")
                stream.flush()
            ends = sorted(stream.readline().split(maxsplit=1) for stream in (out_one, out_two))
            assert ends[0] == ["published", f"{number}\n"]
            assert ends[1][0] == "snapshot-race"
            assert f"another process published snapshot {number}" in ends[1][1]
    assert nitari(home, "verify", url)["snapshots"] == 2
    assert nitari(home, "save", url)["sent_bytes"] == 0


def test_killed_pruned_and_damaged(tmp_path: Path, s3: Mapping[str, str]) -> None:
    """A killed save publishes nothing and keeps prunes away for a while; missing chunks are found and mended."""
    url = f"s3://{BUCKET}/killed"
    home = edit_to(tmp_path / "home", 20)
    digest = upload(home, "shoe", b"photo" * 100)
    with running(s3, PUBLISHER, str(home), url, "1") as (_, output):
        assert output.readline() == "ready\n"
    assert nitari(home, "list", url)["snapshots"] == []
    assert "a save is at work" in nitari(home, "prune", url, code=7)
    saved = nitari(home, "save", url)
    assert (saved["snapshot"], saved["sent_bytes"]) == (1, 0), "what the killed one sent is there"
    repository = Repository(Storage.open(url))
    (file,) = (file for file in repository.files(repository.snapshot(1)) if digest in file.path)
    repository.storage.delete([file.chunks[0].name])
    assert not repository.storage.create("manifests/00000001.json", b"")
    found = nitari(home, "verify", url, "--quick", code=1)
    assert (found["broken"], found["problems"][0]["files"]) == ([1], [file.path])
    assert "is not in s3://" in nitari(home, "restore", url, "--into", str(tmp_path / "new"), code=7)
    assert not (tmp_path / "new").exists()
    assert nitari(home, "save", url)["sent_chunks"] == 1
    assert nitari(home, "verify", url)["problems"] == []


def test_what_s3_refuses(tmp_path: Path) -> None:
    """A bucket that is not there is told with what to do, and nothing of the credentials."""
    home = edit_to(tmp_path / "home", 5)
    said = nitari(home, "save", "s3://another-bucket/x", code=6)
    assert "s3://another-bucket/x" in said
    assert "check the URL, and create the bucket" in said
