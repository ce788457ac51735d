"""Jobs on disk."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.ingest.job_files import MAGIC, Failure, Job, JobFiles
from nitari.ingest.worker import ImportReport

AT = datetime(2026, 11, 23, 12, 0, 0, 123456, UTC)
JOB = Job("0" * 32, "feed.csv", "mine", True, False, "queued", AT, AT)


def test_what_is_put_can_be_had(tmp_path: Path) -> None:
    """From another object too, and as long as it is there."""
    files = JobFiles(tmp_path)
    done = replace(
        JOB, state="failed", started_at=AT, finished_at=AT, progress=ImportReport("mine", rows=3),
        error=Failure("feed", "bad\nfeed", "mend it"), attempts=2, url="https://u:p@x/feed",
    )  # fmt: skip
    files.put(done)
    assert JobFiles(tmp_path).get(done.job_id) == done
    assert JobFiles(tmp_path).all() == {done.job_id: done}
    files.drop(done.job_id)
    assert files.get(done.job_id) is None
    assert files.all() == {}


@given(feed=st.text(st.characters(exclude_categories=["Cs"])), attempts=st.integers(0), sync=st.booleans())
def test_any_job_survives_its_file(
    tmp_path_factory: pytest.TempPathFactory, feed: str, attempts: int, sync: bool
) -> None:
    """Whatever its names hold."""
    files = JobFiles(tmp_path_factory.mktemp("jobs"))
    job = replace(JOB, feed=feed, feed_id=feed, url=feed, attempts=attempts, sync=sync)
    files.put(job)
    assert files.get(JOB.job_id) == job


def test_changes_are_seen(tmp_path: Path) -> None:
    """Although files that stayed the same are not read again."""
    files, other = JobFiles(tmp_path), JobFiles(tmp_path)
    files.put(JOB)
    assert files.all()[JOB.job_id].attempts == 0
    for attempts in range(1, 5):
        other.put(replace(JOB, attempts=attempts))
        assert files.all()[JOB.job_id].attempts == attempts


def damaged() -> list[Any]:
    """Contents that are no job."""
    good = {"magic": MAGIC, "version": 1}
    return [
        b"", b"{", b"\x00" * 100, b"[]", b"null", b"\xff\xfe", {}, good, {**good, "magic": "other"}, b"[" * 100_000,
        "state", "created_at", "job_id", "progress",
    ]  # fmt: skip


@pytest.mark.parametrize("content", damaged(), ids=str)
def test_damaged_files_are_set_aside(tmp_path: Path, caplog: pytest.LogCaptureFixture, content: Any) -> None:
    """They cost their own job only, stay for people to look at, and are logged."""
    files = JobFiles(tmp_path)
    whole = replace(JOB, job_id="1" * 32)
    files.put(whole)
    files.put(JOB)
    path = tmp_path / f"{JOB.job_id}.json"
    if isinstance(content, str):
        content = json.loads(path.read_text()) | {content: "nonsense"}
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(data)
    assert JobFiles(tmp_path).all() == {whole.job_id: whole}
    assert files.get(JOB.job_id) is None
    assert path.with_name(f"{path.name}.damaged").read_bytes() == data
    assert "damaged job" in caplog.text


def test_newer_files_are_left_alone(tmp_path: Path) -> None:
    """A newer version in the same folder knows what to do with them."""
    files = JobFiles(tmp_path)
    path = tmp_path / f"{JOB.job_id}.json"
    path.write_text(json.dumps({"magic": MAGIC, "version": 2, "job": "?"}))
    assert files.all() == {}
    assert path.exists()


@pytest.mark.parametrize("job_id", ["", "../../etc/passwd", "0" * 31, "A" * 32, "0" * 32 + "/.."])
def test_an_id_is_no_path(tmp_path: Path, job_id: str) -> None:
    """Only an id names a file."""
    assert JobFiles(tmp_path).get(job_id) is None


@pytest.mark.parametrize(
    ("name", "ending"),
    [("feed.csv", ".csv"), ("a.b.JSONL.GZ", ".jsonl.gz"), ("feed", ""), ("x.商品", ""), ("x.averylongending", "")],
)
def test_feeds_keep_their_ending(tmp_path: Path, name: str, ending: str) -> None:
    """It tells the format; nothing else of the name is kept."""
    files = JobFiles(tmp_path)
    files.put_feed(JOB.job_id, name, b"id")
    path = files.feed(JOB.job_id)
    assert path is not None
    assert (path.name, path.read_bytes()) == (f"{JOB.job_id}.feed{ending}", b"id")
    assert files.feed_bytes() == {JOB.job_id: 2}
    files.drop_feed(JOB.job_id)
    assert files.feed(JOB.job_id) is None


def test_sweeping(tmp_path: Path) -> None:
    """What killed writers left goes; the feeds of jobs stay, those of damaged ones too."""
    files = JobFiles(tmp_path)
    files.put(JOB)
    damaged_id, orphan_id = "1" * 32, "2" * 32
    (tmp_path / f"{damaged_id}.json.damaged").write_bytes(b"")
    for job_id in (JOB.job_id, damaged_id, orphan_id):
        files.put_feed(job_id, "a.csv", b"id")
    (tmp_path / ".writing-x").write_bytes(b"")
    files.sweep()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{JOB.job_id}.feed.csv", f"{JOB.job_id}.json", f"{damaged_id}.feed.csv", f"{damaged_id}.json.damaged",
    ]  # fmt: skip


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such permissions")
def test_others_cannot_look_in(tmp_path: Path) -> None:
    """Feed URLs can hold passwords."""
    JobFiles(tmp_path / "jobs")
    assert (tmp_path / "jobs").stat().st_mode & 0o077 == 0
    assert "secret" not in repr(replace(JOB, url="https://u:secret@x/"))
