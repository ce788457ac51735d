"""Manifests and file lists: round trips, damage, and paths that lead elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import StateError
from nitari.snapshots.catalog_file import CatalogFacts
from nitari.snapshots.chunks import CHUNK_BYTES, PAGES_BYTES, Chunk
from nitari.snapshots.manifest import (
    File,
    Manifest,
    decode_listing,
    decode_manifest,
    encode_listing,
    encode_manifest,
    number_in,
    object_name,
)
from support.snapshots import chunk_of, manifest_of

moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
texts = st.text(max_size=20)
counts = st.integers(0, 2**53)
listed = st.builds(lambda data: chunk_of(data), st.binary(min_size=1, max_size=10))
facts = st.builds(
    CatalogFacts,
    identity=texts,
    schema=counts,
    seq=counts,
    oldest=counts,
    oldest_at=st.none() | moments,
    items=counts,
    images=counts,
    vectors=st.dictionaries(texts, counts, max_size=3),
)
manifests = st.builds(
    Manifest,
    number=st.integers(1, 10**8),
    at=moments,
    nitari=texts,
    catalog=facts,
    parent=st.none() | counts,
    files=counts,
    bytes=counts,
    sent=counts,
    listing=st.lists(listed, max_size=3).map(tuple),
    parts=st.dictionaries(texts, counts, max_size=3),
    missing=st.lists(texts, max_size=3).map(tuple),
)


@given(manifests)
def test_manifest_round_trip(manifest: Manifest) -> None:
    """A manifest comes back as it was."""
    assert decode_manifest(encode_manifest(manifest), number=manifest.number) == manifest


@given(st.data())
def test_any_changed_byte_is_seen(drawn: st.DataObject) -> None:
    """A manifest with another byte anywhere is damaged."""
    raw = bytearray(encode_manifest(manifest_of(3, seq=5, listing=[chunk_of(b"x")])))
    raw[drawn.draw(st.integers(0, len(raw) - 1))] ^= drawn.draw(st.integers(1, 255))
    with pytest.raises(StateError, match="snapshot 3 is damaged"):
        decode_manifest(bytes(raw), number=3)


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"null", b'{"magic": 1}', b"[" * 100_000])
def test_what_is_no_manifest(raw: bytes) -> None:
    """Empty, cut and foreign objects are damaged manifests."""
    with pytest.raises(StateError) as error:
        decode_manifest(raw, number=1)
    assert error.value.code == "snapshot-damaged"


def test_a_manifest_under_another_number() -> None:
    """A manifest that was copied to another number is not taken for that snapshot."""
    with pytest.raises(StateError, match="snapshot 2 is damaged"):
        decode_manifest(encode_manifest(manifest_of(1)), number=2)


def test_a_newer_format(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest of a later version says to upgrade."""
    monkeypatch.setattr("nitari.snapshots.manifest.FORMAT", 2)
    raw = encode_manifest(manifest_of(1))
    monkeypatch.undo()
    with pytest.raises(StateError) as error:
        decode_manifest(raw, number=1)
    assert error.value.code == "snapshot-newer"


def file_of(path: str, size: int, piece: int) -> File:
    """A file of a size, with chunks as its size makes them."""
    sizes = [piece] * (size // piece) + [size % piece] * bool(size % piece)
    chunks = [Chunk(f"{number:064x}", length, length + 1) for number, length in enumerate(sizes)]
    return File(path, size, tuple(chunks), piece)


@given(
    st.lists(st.tuples(st.from_regex(r"[a-zé日]{1,9}", fullmatch=True), st.integers(0, 5 * PAGES_BYTES)), max_size=5),
    st.sampled_from([PAGES_BYTES, CHUNK_BYTES]),
)
def test_listing_round_trip(given_files: list[tuple[str, int]], piece: int) -> None:
    """A list of files comes back, by path, whatever their sizes."""
    files = [file_of(path, size, piece) for path, size in dict(given_files).items()]
    assert decode_listing(encode_listing(files), number=1) == sorted(files, key=lambda file: file.path)
    assert encode_listing(files) == encode_listing(files[::-1])


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/./b", "C:/x", "a\\b", "a\x00b", "a\nb", "con:", "a/", "a. "],
)
def test_paths_that_lead_elsewhere(path: str) -> None:
    """No file of a snapshot can be written outside the home, on any system."""
    raw = json.dumps([path, 0, 1024, []]).encode() + b"\n"
    with pytest.raises(StateError, match="no path inside a home"):
        decode_listing(raw, number=1)


@pytest.mark.parametrize(
    "line",
    [b"x", b"[]", b'["a", 5, 9, []]', b'["a", 0, 9, [["00", 1]]]', b'["a", "5", 9, []]', b"[1,2,3]", b"[1,2,3,4]"],
)
def test_lists_that_make_no_sense(line: bytes) -> None:
    """Lines that are no files are a damaged snapshot."""
    with pytest.raises(StateError) as error:
        decode_listing(line + b"\n", number=7)
    assert error.value.code == "snapshot-damaged"


def test_names() -> None:
    """A manifest's object is named by its number; nothing else is taken for one."""
    assert number_in(object_name(12)) == 12
    assert number_in(object_name(10**9)) == 10**9
    assert replace(manifest_of(5)).name == "manifests/00000005.json"
    for name in ("manifests/1.json", "manifests/00000001.json.tmp", "chunks/00000001.json"):
        assert number_in(name) is None
