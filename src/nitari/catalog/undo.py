"""What an item was before a change, as bytes: a version, then a zlib stream of a JSON header and the blobs it names.

The stream ends with zlib's own checksum. A record holds every column of the item and of its photos, and their features
in the collections that the change may have touched; in the others they are what they were later.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from nitari.catalog.codec import region_row
from nitari.catalog.states import FeatureState, ItemState, ViewState

VERSION = 1

_LENGTH = struct.Struct("<I")
_LEVEL = 1  # vectors hardly shrink whatever it costs; text, and the zeros of a rectified network, do at any level


class UndoError(ValueError):
    """Bytes that are not a record of this version."""


@dataclass(frozen=True, slots=True)
class Undo:
    """What an item was before a change.

    Args:
        state: The item, with its features in ``collections`` only.
        collections: Numbers of the collections that the change may have touched; ``None`` for all there are.
    """

    state: ItemState
    collections: frozenset[int] | None


def encode_undo(undo: Undo) -> bytes:
    """The record of an item that was there."""
    state, blobs = undo.state, list[bytes]()

    def blob(data: bytes) -> int:
        blobs.append(data)
        return len(data)

    header = {
        "number": state.number,
        "columns": state.columns,
        "images": state.images,
        "collections": None if undo.collections is None else sorted(undo.collections),
        "features": [
            (
                *at,
                None if found.lowlevel is None else blob(found.lowlevel),
                found.regions,
                [(view.key, view.region, blob(view.vector)) for view in found.views],
            )
            for at, found in state.features.items()
        ],
    }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    return bytes([VERSION]) + zlib.compress(b"".join((_LENGTH.pack(len(text)), text, *blobs)), _LEVEL)


def decode_undo(record: bytes) -> Undo:
    """What ``encode_undo`` wrote, equal in value and type.

    Raises:
        UndoError: a damaged record, or one of another version.
    """
    if record[:1] != bytes([VERSION]):
        raise UndoError(f"a record of version {record[:1].hex() or 'none'}, expected {VERSION:02x}")
    try:
        content = zlib.decompress(record[1:])
        (length,) = _LENGTH.unpack_from(content)
        start = _LENGTH.size + length
        header = json.loads(content[_LENGTH.size : start])
        blobs = _Blobs(content, start)
        features = {
            (image, collection): FeatureState(
                None if lowlevel is None else blobs.take(lowlevel),
                _regions(regions),
                tuple(ViewState(key, region_row(region), blobs.take(size)) for key, region, size in views),
            )
            for image, collection, lowlevel, regions, views in header["features"]
        }
        images = tuple(tuple(columns) for columns in header["images"])
        state = ItemState(header["number"], tuple(header["columns"]), images, features)
        touched = header["collections"]
    except (zlib.error, struct.error, ValueError, KeyError, TypeError) as exc:
        raise UndoError(str(exc)) from exc
    return Undo(state, None if touched is None else frozenset(touched))


class _Blobs:
    """Hands out the bytes after the header, in the order in which they were written."""

    def __init__(self, content: bytes, start: int) -> None:
        self._content = content
        self._at = start

    def take(self, size: int) -> bytes:
        found = self._content[self._at : self._at + size]
        if len(found) != size:
            raise ValueError(f"{size} bytes expected at {self._at}, found {len(found)}")
        self._at += size
        return found


def _regions(rows: Iterable[list[object]]) -> tuple[tuple[float, float, float, float, str, float], ...]:
    return tuple(region_row(row) for row in rows)
