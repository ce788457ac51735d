"""Manifests: what a snapshot is, in a small checked document; the list of its files lies in chunks.

A manifest is a checked document (``documents.py``). The list of files is one line of JSON for each, in chunks as any
file: of a home with a million photos only what changed of it travels, and listing snapshots reads none of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from nitari.documents import decode_document, encode_document
from nitari.errors import StateError
from nitari.snapshots.catalog_file import CatalogFacts
from nitari.snapshots.chunks import CHUNK_BYTES, Chunk

MAGIC = "nitari-home-snapshot"
FORMAT = 1
FOLDER = "manifests"
CATALOG = "catalog.sqlite"
"""The one file that every snapshot has."""
_NAME = re.compile(rf"{FOLDER}/([0-9]{{8,12}})\.json")
# A file's path in a home: no step up, no drive, nothing that one of the systems reads otherwise than the others.
_PART = re.compile(r"(?!\.\.?$)[^\x00-\x1f/\\:*?\"<>|]+(?<![ .])")


@dataclass(frozen=True, slots=True)
class File:
    """A file of a snapshot.

    Args:
        path: Relative to the home, with ``/``.
        size: Bytes.
        chunks: Its content in order.
        piece: Size of each chunk but the last, bytes.
    """

    path: str
    size: int
    chunks: tuple[Chunk, ...]
    piece: int = CHUNK_BYTES

    def __post_init__(self) -> None:
        """Check what came from outside.

        Raises:
            ValueError: a path that leads out of the home, or sizes that do not add up.
        """
        if not all(_PART.fullmatch(part) for part in self.path.split("/")):
            raise ValueError(f"{self.path!r} is no path inside a home")
        whole = all(chunk.size == self.piece for chunk in self.chunks[:-1])
        if not whole or sum(chunk.size for chunk in self.chunks) != self.size:
            raise ValueError(f"the chunks of {self.path!r} are not its {self.size} bytes")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a snapshot is.

    Args:
        number: Its own; snapshots of one URL are numbered in the order of their publication.
        at: A moment shortly before its catalog was copied: each change until then is in it. UTC.
        nitari: The version that wrote it.
        catalog: What its catalog says of itself.
        parent: Number of the snapshot before it; ``None`` for the first.
        files: How many files it holds.
        bytes: Their size.
        sent: Bytes that traveled for it.
        parts: Size by first part of the path.
        missing: Uploaded photos that items name but the home no longer had.
        listing: The list of its files, in chunks.
    """

    number: int
    at: datetime
    nitari: str
    catalog: CatalogFacts
    parent: int | None
    files: int
    bytes: int
    sent: int
    listing: tuple[Chunk, ...]
    parts: Mapping[str, int] = field(default_factory=dict)
    missing: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The object's name."""
        return object_name(self.number)


def object_name(number: int) -> str:
    """Where the manifest with this number lies."""
    return f"{FOLDER}/{number:08d}.json"


def number_in(name: str) -> int | None:
    """The number of the manifest under an object's name; ``None`` for anything else."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else None


def encode_manifest(manifest: Manifest) -> bytes:
    """A manifest as it is stored."""
    body = asdict(manifest)
    body["at"] = _written(manifest.at)
    body["catalog"]["oldest_at"] = _written(manifest.catalog.oldest_at)
    body["listing"] = [_plain(chunk) for chunk in manifest.listing]
    return encode_document(MAGIC, FORMAT, body)


def decode_manifest(raw: bytes, *, number: int) -> Manifest:
    """A manifest from its object.

    Raises:
        StateError: ``snapshot-damaged``, or ``snapshot-newer`` for one that a later version wrote.
    """
    try:
        document = decode_document(raw)
        body = document.body
        if document.magic != MAGIC or body["number"] != number:
            raise ValueError(f"it is {document.magic} number {body['number']}")
    except (ValueError, KeyError) as exc:
        raise _damaged(number, exc) from exc
    if document.version != FORMAT:
        raise StateError(
            f"snapshot {number} has format {document.version}, this Nitari knows format {FORMAT}",
            remedy="pip install --upgrade nitari",
            code="snapshot-newer",
        )
    try:
        return Manifest(
            **{
                **body,
                "at": datetime.fromisoformat(body["at"]),
                "catalog": _facts(body["catalog"]),
                "listing": tuple(_chunk(values) for values in body["listing"]),
                "missing": tuple(body["missing"]),
            }
        )
    except (ValueError, KeyError, TypeError) as exc:
        raise _damaged(number, exc) from exc


def encode_listing(files: Iterable[File]) -> bytes:
    """The list of a snapshot's files, in the order of their paths so that little of it changes."""
    ordered = sorted(files, key=lambda file: file.path)
    lines = (
        json.dumps(
            [file.path, file.size, file.piece, [[chunk.digest, chunk.stored] for chunk in file.chunks]],
            ensure_ascii=False,
        )
        for file in ordered
    )
    return "".join(f"{line}\n" for line in lines).encode()


def decode_listing(raw: bytes, *, number: int) -> list[File]:
    """The files of a snapshot.

    Raises:
        StateError: code ``snapshot-damaged``.
    """
    try:
        return [_file(*json.loads(line)) for line in raw.splitlines()]
    except (ValueError, TypeError, RecursionError) as exc:
        raise _damaged(number, exc) from exc


def _file(path: str, size: int, piece: int, stored: list[tuple[str, int]]) -> File:
    sizes = [piece] * (len(stored) - 1) + [size - piece * (len(stored) - 1)]
    chunks = (Chunk(digest, length, bytes_) for (digest, bytes_), length in zip(stored, sizes, strict=False))
    return File(path, size, tuple(chunks), piece)


def _facts(body: Mapping[str, Any]) -> CatalogFacts:
    oldest_at = body["oldest_at"]
    return CatalogFacts(**{**body, "oldest_at": oldest_at and datetime.fromisoformat(oldest_at)})


def _written(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _plain(chunk: Chunk) -> list[Any]:
    return [chunk.digest, chunk.size, chunk.stored]


def _chunk(values: list[Any]) -> Chunk:
    digest, size, stored = values
    return Chunk(digest, size, stored)


def _damaged(number: int, reason: object) -> StateError:
    return StateError(
        f"snapshot {number} is damaged: {reason}",
        remedy="`nitari snapshot list URL` shows the others; restore one of them with --snapshot",
        code="snapshot-damaged",
    )
