"""Chunks: cut, packed and back, every changed byte seen."""

from __future__ import annotations

import os
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import StateError
from nitari.snapshots.chunks import (
    CHUNK_BYTES,
    PAGES_BYTES,
    Chunk,
    cut,
    digest_in,
    digest_of,
    object_name,
    pack,
    pieces,
    unpack,
)


def chunk_for(data: bytes, stored: bytes) -> Chunk:
    """The chunk with this content, stored so."""
    return Chunk(digest_of(data), len(data), len(stored))


@given(st.binary(min_size=1, max_size=3000) | st.binary(min_size=1, max_size=20).map(lambda part: part * 300))
def test_round_trip(data: bytes) -> None:
    """What is packed comes back, whether or not it could be deflated."""
    stored = pack(data)
    assert unpack(stored, chunk_for(data, stored)) == data
    assert len(stored) <= len(data) + 1


@given(st.binary(min_size=1, max_size=300), st.data())
def test_any_changed_byte_is_seen(data: bytes, drawn: st.DataObject) -> None:
    """Another byte anywhere in a stored chunk never goes unnoticed."""
    stored = bytearray(pack(data * 3))
    at = drawn.draw(st.integers(0, len(stored) - 1))
    stored[at] ^= drawn.draw(st.integers(1, 255))
    chunk = chunk_for(data * 3, bytes(stored))
    with suppress(StateError):
        assert unpack(bytes(stored), chunk) == data * 3  # a changed bit that deflate does not look at


@pytest.mark.parametrize("stored", [b"", b"p", b"z", b"x123", b"z" + zlib.compress(b"other")])
def test_what_is_no_chunk(stored: bytes) -> None:
    """Truncated, unknown and foreign objects are damaged."""
    with pytest.raises(StateError) as error:
        unpack(stored, Chunk(digest_of(b"data"), 4, 5))
    assert error.value.code == "chunk-damaged"
    assert "verify" in error.value.remedy


def test_a_bomb_is_not_inflated() -> None:
    """An object that would inflate to far more costs no more than the chunk it claims to be."""
    bomb = b"z" + zlib.compress(bytes(20 * CHUNK_BYTES))
    with pytest.raises(StateError):
        unpack(bomb, Chunk(digest_of(b"data"), 4, len(bomb)))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_cut(tmp_path: Path, size: int) -> None:
    """A file and its bytes are cut at the same places, and the pieces are the whole."""
    data = os.urandom(size)
    (tmp_path / "file").write_bytes(data)
    found = list(pieces(tmp_path / "file"))
    assert found == list(cut(data))
    assert b"".join(found) == data
    assert all(len(piece) == CHUNK_BYTES for piece in found[:-1])
    assert b"" not in found
    assert b"".join(pieces(tmp_path / "file", PAGES_BYTES)) == data


def test_names() -> None:
    """A chunk's object is named by its digest; nothing else is taken for a chunk."""
    digest = digest_of(b"data")
    assert digest_in(object_name(digest)) == digest
    for name in ("chunks/x", f"chunks/00/{digest}x", f"manifests/{digest}", f"chunks/00/.writing-{digest}"):
        assert digest_in(name) is None


@pytest.mark.parametrize(
    ("digest", "size", "stored"), [("x", 1, 1), ("A" * 64, 1, 1), ("a" * 64, 0, 1), ("a" * 64, CHUNK_BYTES + 1, 1)]
)
def test_chunks_that_cannot_be(digest: str, size: int, stored: int) -> None:
    """A chunk with a digest that is none, or a size that cannot be, is not made."""
    with pytest.raises(ValueError, match="no chunk"):
        Chunk(digest, size, stored)
