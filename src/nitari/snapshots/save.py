"""Saving: what the store does not have travels, then the manifest makes it a snapshot."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from nitari.errors import DependencyError
from nitari.snapshots.chunks import Chunk, cut, digest_of, object_name, pack, pieces
from nitari.snapshots.contents import Content
from nitari.snapshots.flow import in_order
from nitari.snapshots.leases import Lease
from nitari.snapshots.manifest import File
from nitari.snapshots.repository import Repository

Progress = Callable[[int], None]
"""Called with how many further bytes are done."""


@dataclass(slots=True)
class Traffic:
    """What has traveled.

    Args:
        chunks: How many chunks were sent.
        bytes: Their size as sent.
    """

    chunks: int = 0
    bytes: int = 0


class Sender:
    """Puts files into a store, as far as they are not there.

    Args:
        repository: Where.
        lease: Held for a save, so that no chunk that is found there goes away.
        previous: The files of the snapshot before, by path.
        full: Whether to send all chunks, those that are there included: for a store where some were damaged.
        on_progress: Called with the bytes of each piece that is done.
    """

    def __init__(
        self,
        repository: Repository,
        lease: Lease,
        *,
        previous: Iterable[File] = (),
        full: bool = False,
        on_progress: Progress | None = None,
    ) -> None:
        self._storage = repository.storage
        self._lease = lease
        self._previous = {file.path: file for file in previous}
        self._full = full
        self._on_progress = on_progress or (lambda _bytes: None)
        self._there: Mapping[str, int] = repository.stored_chunks()
        # What a published manifest says of a chunk's object is to be believed, a listing alone is not: on stores that
        # do not write whole objects at once, a killed save leaves parts of some.
        self._vouched = {chunk.digest: chunk.stored for file in self._previous.values() for chunk in file.chunks}
        self._sent: dict[str, int] = {}
        self._turn = threading.Lock()
        self.traffic = Traffic()

    def send(self, contents: Iterable[Content]) -> Sent:
        """Send files; each is read once, none of which the snapshot before has all that is known to be in it.

        Raises:
            DependencyError: a file of the home cannot be read, or the store does not take it.
            StateError: code ``snapshot-stalled``.
        """
        reading = _Reading()
        chunks: dict[str, list[Chunk]] = {}
        cut_at: dict[str, int] = {}

        def inputs() -> Iterator[tuple[str, bytes]]:
            for content in contents:
                known = self._known(content)
                if known is not None:
                    reading.unread.append(known)
                    self._on_progress(known.size)
                    continue
                chunks[content.path], cut_at[content.path] = [], content.piece
                for piece in reading.pieces(content):
                    self._lease.renew()
                    yield content.path, piece

        for path, chunk in in_order(lambda given: (given[0], self._keep(given[1])), inputs()):
            chunks[path].append(chunk)
            self._on_progress(chunk.size)
        for path in reading.lost:
            del chunks[path]
        made = [
            File(path, sum(chunk.size for chunk in parts), tuple(parts), cut_at[path]) for path, parts in chunks.items()
        ]
        return Sent((*reading.unread, *made), frozenset(reading.lost))

    def send_bytes(self, data: bytes) -> tuple[Chunk, ...]:
        """Send something that is no file."""
        self._lease.renew()
        return tuple(in_order(self._keep, cut(data)))

    def rescued(self, path: str) -> File | None:
        """A file that the home has lost since the snapshot before, as that has it; ``None`` where it has not."""
        known = self._previous.get(path)
        return known if known is not None and self._is_whole(known) else None

    def _known(self, content: Content) -> File | None:
        """The file as the snapshot before has it, where that is known to be it without reading it."""
        known = self._previous.get(content.path) if content.fixed and not self._full else None
        if known is None or not self._is_whole(known):
            return None
        try:
            return known if content.source.stat().st_size == known.size else None
        except OSError:
            return None  # reading it will say what is wrong

    def _is_whole(self, file: File) -> bool:
        return all(self._there.get(chunk.digest) == chunk.stored for chunk in file.chunks)

    def _keep(self, data: bytes) -> Chunk:
        """Make sure that a piece is in the store."""
        digest = digest_of(data)
        with self._turn:
            stored = self._sent.get(digest)
        if stored is not None:
            return Chunk(digest, len(data), stored)
        there = None if self._full else self._there.get(digest)
        if there is not None and there == self._vouched.get(digest):
            return Chunk(digest, len(data), there)
        packed = pack(data)
        if there != len(packed):
            self._storage.write(object_name(digest), packed)
            with self._turn:
                self.traffic.chunks += 1
                self.traffic.bytes += len(packed)
        with self._turn:
            self._sent[digest] = len(packed)
        return Chunk(digest, len(data), len(packed))


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of files.

    Args:
        files: As a manifest lists them.
        lost: Paths of those that went away or turned out to be damaged while they were read.
    """

    files: tuple[File, ...]
    lost: frozenset[str]


@dataclass(slots=True)
class _Reading:
    """What is noticed while files are read."""

    unread: list[File] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def pieces(self, content: Content) -> Iterator[bytes]:
        """The pieces of a file; one that went away has no further ones."""
        digest = hashlib.sha256()
        try:
            for piece in pieces(content.source, content.piece):
                digest.update(piece)
                yield piece
        except FileNotFoundError:
            self.lost.append(content.path)
            return
        except OSError as exc:
            raise DependencyError(
                f"{content.source} cannot be read: {exc.strerror or exc}",
                remedy="let this user read it, or check the disk",
                code="disk",
            ) from exc
        if content.digest is not None and digest.hexdigest() != content.digest:
            self.lost.append(content.path)
