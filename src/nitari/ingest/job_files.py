"""Jobs on disk: one JSON file a job, whole or not there, and the feed that was uploaded with it beside it."""

from __future__ import annotations

import json
import logging
import os
import re
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from nitari.disk import TEMPORARY, write_whole
from nitari.ingest.worker import ImportReport

State: TypeAlias = Literal["queued", "running", "succeeded", "failed", "canceled"]

MAGIC = "nitari-job"
VERSION = 1
DAMAGED = ".damaged"
_JOB_ID = re.compile(r"[0-9a-f]{32}")
# Two writes within a tick of the file system's clock cannot be told apart: what was written just now is read again.
_TICK_S = 3.0
_JOB, _FEED = ".json", ".feed"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job failed: a ``NitariError``, as it is kept."""

    code: str
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """An import in the background, as it was when it was asked for; it does not change by itself.

    Args:
        job_id: 32 hex digits; a larger one was submitted later.
        feed: What to import, to be shown: the URL without credentials, or the uploaded file's name.
        feed_id: The feed's name; ``None`` for the URL without credentials.
        sync: Also delete this feed's items that are no longer in it.
        allow_delete: Even where that is a large share of them.
        state: Where it stands.
        created_at: When it was submitted.
        queued_at: When it was submitted or last retried.
        started_at: When it was last begun.
        finished_at: When it succeeded, failed or was canceled.
        progress: Counts of committed work of the last attempt, about a second old.
        error: Why it failed.
        attempts: How often it was begun.
        cancel_asked: A running job stops at its next commit.
        interruptions: How often in a row its process died over it.
        url: Where the feed is, credentials included; ``None`` for an uploaded one.
    """

    job_id: str
    feed: str
    feed_id: str | None
    sync: bool
    allow_delete: bool
    state: State
    created_at: datetime
    queued_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    progress: ImportReport | None = None
    error: Failure | None = None
    attempts: int = 0
    cancel_asked: bool = False
    interruptions: int = 0
    url: str | None = field(default=None, repr=False)

    @property
    def finished(self) -> bool:
        """Whether nothing more happens to it unless it is retried."""
        return self.state in ("succeeded", "failed", "canceled")


class JobFiles:
    """Reads and writes a folder of jobs. Who changes a job sees to it that nobody else does at the same time.

    Args:
        folder: Made if it is not there; only this user may look into it, as feed URLs can hold passwords.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._folder = folder
        self._read: dict[str, tuple[tuple[int, int, int], Job | None]] = {}

    def all(self) -> dict[str, Job]:
        """Every job by id; those that were not written since the last call are not read again."""
        found: dict[str, tuple[tuple[int, int, int], Job | None]] = {}
        for name in os.listdir(self._folder):  # noqa: PTH208 - twice a second, and most of it is not looked at
            job_id = name.removesuffix(_JOB)
            if job_id == name or not _JOB_ID.fullmatch(job_id):
                continue
            path = self._path(job_id)
            try:
                status = path.stat()
                tag = (status.st_mtime_ns, status.st_size, status.st_ino)
                if time.time() - status.st_mtime < _TICK_S:
                    tag = (0, 0, 0)
                before = self._read.get(job_id)
                found[job_id] = before if before and before[0] == tag != (0, 0, 0) else (tag, self._load(path))
            except FileNotFoundError:  # pruned meanwhile
                continue
        self._read = found
        return {job_id: job for job_id, (_, job) in found.items() if job is not None}

    def get(self, job_id: str) -> Job | None:
        """One job, ``None`` where there is none of this id."""
        if not _JOB_ID.fullmatch(job_id):
            return None
        try:
            return self._load(self._path(job_id))
        except FileNotFoundError:
            return None

    def put(self, job: Job) -> None:
        """Write a job, durably.

        Raises:
            OSError: where the disk is full or the folder cannot be written.
        """
        content = {"magic": MAGIC, "version": VERSION, **asdict(job)}
        text = json.dumps(content, ensure_ascii=False, indent=1, default=datetime.isoformat)
        write_whole(self._path(job.job_id), text.encode())

    def put_feed(self, job_id: str, name: str, data: bytes) -> None:
        """Write an uploaded feed, durably, before its job. Of its name only what tells the format is kept.

        Raises:
            OSError: as ``put``.
        """
        write_whole(self._folder / f"{job_id}{_FEED}{_ending(name)}", data)

    def feed(self, job_id: str) -> Path | None:
        """Where a job's uploaded feed is; ``None`` where there is none (any more)."""
        return next(iter(self._folder.glob(f"{job_id}{_FEED}*")), None)

    def drop_feed(self, job_id: str) -> None:
        """Delete a job's uploaded feed, if there is one."""
        for path in self._folder.glob(f"{job_id}{_FEED}*"):
            path.unlink(missing_ok=True)

    def drop(self, job_id: str) -> None:
        """Delete a job and its feed."""
        self._path(job_id).unlink(missing_ok=True)
        self.drop_feed(job_id)

    def sweep(self) -> None:
        """Delete what killed writers left: files that are not whole, and feeds whose job was never accepted."""
        for path in self._folder.iterdir():
            job_id, feed, _ = path.name.partition(_FEED)
            orphan = bool(feed) and not self._path(job_id).exists() and not self._set_aside(job_id).exists()
            if orphan or path.name.startswith(TEMPORARY):
                path.unlink(missing_ok=True)

    def feed_bytes(self) -> Mapping[str, int]:
        """Size of every uploaded feed by job, bytes."""
        sizes: dict[str, int] = {}
        for path in self._folder.glob(f"*{_FEED}*"):
            sizes[path.name.partition(_FEED)[0]] = path.stat().st_size
        return sizes

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}{_JOB}"

    def _set_aside(self, job_id: str) -> Path:
        return self._folder / f"{job_id}{_JOB}{DAMAGED}"

    def _load(self, path: Path) -> Job | None:
        """The job in a file; a damaged one is set aside under another name, for people to look at."""
        data = path.read_bytes()
        try:
            content = json.loads(data)
            if content["magic"] != MAGIC:
                raise ValueError("it does not say that it is a job")
            if content["version"] > VERSION:
                _log.warning("a job was written by a newer version and is left alone", extra={"path": str(path)})
                return None
            return _job(path.stem, content)
        except (ValueError, KeyError, TypeError, RecursionError) as exc:
            aside = self._set_aside(path.stem)
            _log.error("a damaged job is set aside", extra={"path": str(aside), "reason": repr(exc)})
            path.replace(aside)
            return None


def _job(job_id: str, content: dict[str, Any]) -> Job:
    """A job from what a file says.

    Raises:
        ValueError: it is not what was written.
        KeyError: as ``ValueError``.
        TypeError: as ``ValueError``.
    """
    fields = {name: content[name] for name in Job.__dataclass_fields__}
    for name in ("created_at", "queued_at", "started_at", "finished_at"):
        fields[name] = None if fields[name] is None else datetime.fromisoformat(fields[name]).astimezone(UTC)
    fields["progress"] = None if fields["progress"] is None else ImportReport(**fields["progress"])
    fields["error"] = None if fields["error"] is None else Failure(**fields["error"])
    job = Job(**fields)
    if job.job_id != job_id or job.state not in get_args(State) or not isinstance(job.created_at, datetime):
        raise ValueError("it is another job's, or in no state that there is")
    return job


def _ending(name: str) -> str:
    """What of a file's name tells its format: ``.csv``, ``.jsonl.gz``."""
    match = re.search(r"(?:\.[a-z0-9]{1,8}){1,2}$", name.lower())
    return match.group() if match else ""
