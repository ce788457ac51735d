"""Chunks: files cut at fixed places, each piece stored once under the SHA-256 of its content.

The places are multiples of a power of two, so of any page a database may have: pages that did not change are in pieces
that did not change, and those travel once. A database is cut finer than other files: an edit of one item touches about
six pieces, wherever in the file they are (measured), so that the size of a piece decides how much an edit sends.

A stored chunk is one byte that says how it is packed, then the content, deflated where that saves something (text and
numbers do, photos and vectors hardly).
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from nitari.errors import StateError

CHUNK_BYTES = 2**20
"""Of files that do not change in places; the most a chunk holds."""
PAGES_BYTES = 2**18
"""Of a database."""
FOLDER = "chunks"
_PLAIN, _DEFLATED = b"p", b"z"
_LEVEL = 1
# Packing that saves less than this share is not worth the unpacking.
_WORTH = 0.97
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(rf"{FOLDER}/[0-9a-f]{{2}}/([0-9a-f]{{64}})")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of content, and how it lies in the store.

    Args:
        digest: SHA-256 of the content, hex.
        size: Of the content, bytes.
        stored: Of the object that holds it, bytes.
    """

    digest: str
    size: int
    stored: int

    def __post_init__(self) -> None:
        """Check what came from outside.

        Raises:
            ValueError: a digest that is none, or sizes that cannot be.
        """
        if not _DIGEST.fullmatch(self.digest) or not 0 < self.size <= CHUNK_BYTES or self.stored < 1:
            raise ValueError(f"no chunk has digest {self.digest[:80]!r}, size {self.size} and stored {self.stored}")

    @property
    def name(self) -> str:
        """The object's name."""
        return object_name(self.digest)


def object_name(digest: str) -> str:
    """Where the chunk with this digest lies."""
    return f"{FOLDER}/{digest[:2]}/{digest}"


def digest_in(name: str) -> str | None:
    """The digest of the chunk under an object's name; ``None`` for anything else."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def digest_of(data: bytes) -> str:
    """The address of a piece."""
    return hashlib.sha256(data).hexdigest()


def pieces(path: Path, size: int = CHUNK_BYTES) -> Iterator[bytes]:
    """A file's content in pieces of ``size`` bytes, the last one shorter; none of an empty file."""
    with path.open("rb") as file:
        while data := file.read(size):
            yield data


def cut(data: bytes) -> Iterator[bytes]:
    """As ``pieces``, of bytes."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]


def pack(data: bytes) -> bytes:
    """A piece as it is stored."""
    deflated = zlib.compress(data, _LEVEL)
    return _DEFLATED + deflated if len(deflated) < _WORTH * len(data) else _PLAIN + data


def unpack(stored: bytes, chunk: Chunk) -> bytes:
    """A piece from its object, every byte of it checked.

    Raises:
        StateError: code ``chunk-damaged``: it is not what its name says.
    """
    kind, body = stored[:1], stored[1:]
    data = body
    if kind == _DEFLATED:
        inflater = zlib.decompressobj()
        try:
            data = inflater.decompress(body, chunk.size + 1)  # never more, whatever the object claims
        except zlib.error as exc:
            raise _damaged(chunk, str(exc)) from exc
    elif kind != _PLAIN:
        raise _damaged(chunk, f"it starts with {kind!r}")
    if digest_of(data) != chunk.digest:
        raise _damaged(chunk, "its content is another one than its name says")
    return data


def _damaged(chunk: Chunk, reason: str) -> StateError:
    return StateError(f"chunk {chunk.digest} is damaged: {reason}", remedy=MEND, code="chunk-damaged")


MEND = (
    "`nitari snapshot verify URL` says which snapshots it breaks; restore another one, and run `nitari snapshot save "
    "URL --full` to send again what the home still has"
)
"""What to do about a chunk that is damaged or gone."""
