"""Where snapshots are kept: named objects below any URL that fsspec knows. The only module that knows fsspec.

What is asked of a store is little, so that any will do: objects are written whole, read whole, listed and deleted, and
one operation decides races: ``create``, which of several writers of one name lets exactly one win.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from nitari.disk import TEMPORARY, find_files, sync_folder, write_whole
from nitari.errors import ConfigurationError, DependencyError, MissingExtraError, NitariError, UsageError

_USER = re.compile(r"(?<=://)[^/@]*@")
_S3 = ("s3", "s3a")
# What file systems call the time of an object's last change.
_TIMES = ("LastModified", "mtime", "last_modified", "updated", "modified", "created")
# What stores say to the loser of a conditional write: HTTP 412, and 409 where both are in flight.
_LOST = ("PreconditionFailed", "ConditionalRequestConflict")
# Objects that one request deletes.
_DELETED_AT_A_TIME = 500


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a listing tells of it.

    Args:
        name: Its name below the URL, with ``/``.
        size: Bytes.
        changed_at: When it was written, seconds since 1970 by the store's clock; ``None`` where it does not say.
    """

    name: str
    size: int
    changed_at: float | None


def shown(url: str) -> str:
    """A URL as it may be printed: without user and password."""
    return _USER.sub("***@", url)


class Storage:
    """Objects below one URL. Safe for several threads, and beside other processes.

    A local folder's objects are there whole or not at all, and outlive a power cut. In S3 (and Google's and Azure's
    stores) ``create`` is a conditional write. On what has no such thing (FTP, SFTP, WebDAV) two ``create`` of one name
    within the same moment may both succeed: keep to one publisher there.

    Args:
        files: The fsspec file system.
        root: Path of the URL in it.
        url: The URL, for messages.
    """

    def __init__(self, files: Any, root: str, url: str) -> None:
        self._files = files
        self._root = root.rstrip("/")
        self._is_local = isinstance(files, LocalFileSystem)
        self._url = url
        self.url = shown(url)

    @classmethod
    def open(cls, url: str) -> Storage:
        """Open a URL or a local path. Nothing is read or written; credentials come from the environment.

        Raises:
            UsageError: a scheme that nobody knows.
            MissingExtraError: ``s3://`` without the extra ``s3``.
            ConfigurationError: another scheme whose library is not installed.
        """
        try:
            # Fresh listings and no shared instances: what others write must be seen.
            files, root = fsspec.core.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        except ImportError as exc:
            if url.split("://", 1)[0] in _S3:
                raise MissingExtraError(f"a snapshot at {shown(url)}", "s3") from exc
            raise ConfigurationError(
                f"a snapshot at {shown(url)} needs a library that is not installed", remedy=str(exc)
            ) from exc
        except ValueError as exc:
            raise UsageError(
                f"{shown(url)!r} is not a place for snapshots: {exc}",
                remedy="give a folder, s3://BUCKET/PREFIX, or another URL that fsspec knows",
                code="snapshot-url",
            ) from exc
        except Exception as exc:  # some connect at once, each with its own kinds of errors
            raise _failed(url, "connect", exc) from exc
        if isinstance(files, LocalFileSystem):
            url = root
        return cls(files, root, url)

    def read(self, name: str) -> bytes | None:
        """An object's bytes; ``None`` where there is none of this name."""
        with self._translated(f"read {name}"):
            try:
                return bytes(self._files.cat_file(self._path(name)))
            except FileNotFoundError:
                return None

    def create(self, name: str, data: bytes) -> bool:
        """Write an object if there is none of this name. Returns whether this call wrote it."""
        with self._translated(f"write {name}"):
            if self._is_local:
                return _create(Path(self._path(name)), data)
            try:
                self._files.pipe_file(self._path(name), data, mode="create")
            except FileExistsError:
                return False
            except Exception as exc:
                if any(word in f"{exc} {exc.__cause__}" for word in _LOST):
                    return False
                raise
            return True

    def write(self, name: str, data: bytes) -> None:
        """Write an object; one of this name is replaced."""
        with self._translated(f"write {name}"):
            if self._is_local:
                write_whole(Path(self._path(name)), data)
            else:
                self._files.pipe_file(self._path(name), data)

    def entries(self, folder: str) -> list[StoredObject]:
        """All objects below a folder, at any depth, by name. Those that are being written may be among them."""
        with self._translated(f"list {folder}"):
            found = self._local_entries(folder) if self._is_local else self._found(folder)
            return sorted(found, key=lambda entry: entry.name)

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; names that are not there are no error."""
        wanted = list(names)
        for start in range(0, len(wanted), _DELETED_AT_A_TIME):
            part = wanted[start : start + _DELETED_AT_A_TIME]
            with self._translated(f"delete {part[0]}"):
                self._delete(part)

    def _local_entries(self, folder: str) -> list[StoredObject]:
        """As ``entries``; what vanishes meanwhile is passed over, which fsspec takes for an error."""
        root = Path(self._root)
        files = find_files(root / folder)
        return [StoredObject(file.path.relative_to(root).as_posix(), file.size, file.changed_at) for file in files]

    def _found(self, folder: str) -> list[StoredObject]:
        root = self._files._strip_protocol(self._root).rstrip("/")
        return [
            StoredObject(str(path)[len(root) :].lstrip("/"), int(info["size"] or 0), _changed_at(info))
            for path, info in self._files.find(self._path(folder), detail=True).items()
            if info.get("type", "file") == "file"
        ]

    def _delete(self, names: list[str]) -> None:
        if self._is_local:
            for name in names:
                Path(self._path(name)).unlink(missing_ok=True)
            return
        try:
            self._files.rm([self._path(name) for name in names])
        except FileNotFoundError:  # of some: find out which
            for name in names:
                path = self._path(name)
                if self._files.exists(path):
                    self._files.rm_file(path)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        """The one place where a file system's exception becomes ours; each has its own kinds, so all are taken."""
        try:
            yield
        except NitariError:
            raise
        except Exception as exc:
            raise _failed(self._url, what, exc) from exc


def _failed(url: str, what: str, exc: Exception) -> DependencyError:
    """Ours for a file system's exception, without the user and password that it may repeat."""
    reason = str(exc) or type(exc).__name__
    for secret in _USER.findall(url):
        reason = reason.replace(secret, "***@")
    return DependencyError(f"{shown(url)}: cannot {what}: {reason}", remedy=_remedy(exc), code="snapshot-storage")


def _remedy(exc: Exception) -> str:
    """What to do about a file system's exception."""
    if isinstance(exc, PermissionError) or "Credentials" in type(exc).__name__:
        return "check the credentials in the environment (for S3: AWS_ACCESS_KEY_ID or AWS_PROFILE) and what they allow"
    if isinstance(exc, FileNotFoundError):
        return "check the URL, and create the bucket or folder if it is the right one"
    if isinstance(exc, OSError) and exc.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "make room there and run the command again; what was sent already is not sent again"
    return "check the URL and the connection, then run the command again; what was published before is untouched"


def _changed_at(info: dict[str, Any]) -> float | None:
    value = next((info[name] for name in _TIMES if info.get(name) is not None), None)
    if isinstance(value, datetime):
        return value.timestamp()
    return float(value) if isinstance(value, int | float) else None


def _create(path: Path, data: bytes) -> bool:
    """Give a whole, synced file its name, unless the name is taken: only a link does both in one step."""
    if path.exists():
        return False
    beside = path.parent
    beside.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=TEMPORARY, dir=beside)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
        except OSError as exc:
            if exc.errno not in {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK}:
                raise
            return _create_in_place(path, data)
    finally:
        Path(temporary).unlink(missing_ok=True)
    sync_folder(beside)
    return True


def _create_in_place(path: Path, data: bytes) -> bool:
    """As ``_create``, where there are no links (FAT): a kill in between leaves a file that its checksum betrays."""
    try:
        with path.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        return False
    sync_folder(path.parent)
    return True
