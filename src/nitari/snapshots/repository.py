"""All snapshots of one URL: their manifests, their chunks, and which of two publishers wins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from nitari.errors import NotFoundError, StateError
from nitari.snapshots import chunks
from nitari.snapshots import manifest as manifests
from nitari.snapshots.chunks import Chunk, unpack
from nitari.snapshots.flow import in_order
from nitari.snapshots.manifest import File, Manifest, decode_listing, decode_manifest, encode_manifest, number_in
from nitari.snapshots.storage import Storage


@dataclass(frozen=True, slots=True)
class Damaged:
    """A manifest that cannot be read."""

    number: int
    reason: StateError


class Repository:
    """All snapshots of one URL.

    Args:
        storage: Where.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    @property
    def url(self) -> str:
        """The URL, for people."""
        return self.storage.url

    def snapshots(self) -> list[Manifest | Damaged]:
        """All snapshots, oldest first; none where nothing was ever saved."""
        numbers = (number_in(found.name) for found in self.storage.entries(manifests.FOLDER))
        wanted = sorted(number for number in numbers if number is not None)
        return [snapshot for snapshot in in_order(self._find, wanted) if snapshot is not None]

    def snapshot(self, number: int) -> Manifest:
        """One snapshot.

        Raises:
            NotFoundError: there is none of this number.
            StateError: it is damaged, or a later version wrote it.
        """
        raw = self.storage.read(manifests.object_name(number))
        if raw is None:
            raise NotFoundError(f"{self.url} holds no snapshot {number}", remedy="see `nitari snapshot list URL`")
        return decode_manifest(raw, number=number)

    def files(self, snapshot: Manifest) -> list[File]:
        """The files of a snapshot.

        Raises:
            StateError: a damaged list.
        """
        raw = b"".join(in_order(self.content, snapshot.listing))
        return decode_listing(raw, number=snapshot.number)

    def content(self, chunk: Chunk) -> bytes:
        """A chunk's content, checked.

        Raises:
            StateError: ``chunk-missing`` or ``chunk-damaged``.
        """
        stored = self.storage.read(chunk.name)
        if stored is None:
            raise StateError(
                f"chunk {chunk.digest} is not in {self.url} (any more)", remedy=chunks.MEND, code="chunk-missing"
            )
        return unpack(stored, chunk)

    def stored_chunks(self) -> dict[str, int]:
        """All chunks that lie in the store, named by a manifest or not: the size of its object by digest."""
        found = ((chunks.digest_in(entry.name), entry.size) for entry in self.storage.entries(chunks.FOLDER))
        return {digest: size for digest, size in found if digest is not None}

    def publish(self, snapshot: Manifest) -> None:
        """Make a snapshot be there, at once and for good. Its chunks must be there before.

        Raises:
            StateError: code ``snapshot-race``: somebody else published one of this number; theirs stays.
        """
        data = encode_manifest(snapshot)
        # A request whose answer was lost is sent again below us, and then finds its own work: that is no race.
        if not self.storage.create(snapshot.name, data) and self.storage.read(snapshot.name) != data:
            raise StateError(
                f"another process published snapshot {snapshot.number} in {self.url} first; this one was not published",
                remedy="save again (or with --retry): what was sent is there already and is not sent again",
                code="snapshot-race",
            )

    def _find(self, number: int) -> Manifest | Damaged | None:
        try:
            return self.snapshot(number)
        except NotFoundError:  # pruned since it was listed
            return None
        except StateError as exc:
            return Damaged(number, exc)


def line_of(snapshots: Sequence[Manifest | Damaged]) -> list[Manifest]:
    """The newest snapshot and those before it that are earlier states of the same catalog, oldest first.

    A catalog that was restored from an older state counts its changes on from there: what came after that state
    belongs to another course of events, and must not be mistaken for its future.
    """
    line: list[Manifest] = []
    for snapshot in reversed(snapshots):
        if isinstance(snapshot, Damaged):
            continue
        if line and (
            snapshot.catalog.identity != line[-1].catalog.identity or snapshot.catalog.seq > line[-1].catalog.seq
        ):
            break
        line.append(snapshot)
    return line[::-1]


def first_with(line: Sequence[Manifest], point: int | datetime) -> Manifest | None:
    """The oldest snapshot of a line that can be taken back to a point; ``None`` where none can."""
    return next((snapshot for snapshot in line if _holds(snapshot, point) and _reaches(snapshot, point)), None)


def _holds(snapshot: Manifest, point: int | datetime) -> bool:
    return snapshot.at >= point if isinstance(point, datetime) else snapshot.catalog.seq >= point


def _reaches(snapshot: Manifest, point: int | datetime) -> bool:
    facts = snapshot.catalog
    if isinstance(point, datetime):
        return facts.oldest_at is None or facts.oldest_at <= point
    return facts.oldest <= point
