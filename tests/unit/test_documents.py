"""Checked documents: any change is seen, and the bytes stay what they were."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.documents import Document, decode_document, encode_document

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)


@given(st.text(max_size=9), st.integers(0), st.dictionaries(st.text(max_size=9), values, max_size=3))
def test_a_document_comes_back(magic: str, version: int, body: dict[str, object]) -> None:
    """Any JSON values, under any magic and version."""
    assert decode_document(encode_document(magic, version, body)) == Document(magic, version, body)


@given(st.data())
def test_any_changed_byte_is_seen(drawn: st.DataObject) -> None:
    """In what it says, in its checksum, and in the white space between."""
    raw = bytearray(encode_document("magic", 3, {"b": [1, 2.5, None], "a": {"ü": "本"}}))
    raw[drawn.draw(st.integers(0, len(raw) - 1))] ^= drawn.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"no checked document|checksum does not fit"):
        decode_document(bytes(raw))


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"null", b"\xff\xfe", b'{"magic":1,"version":1,"body":3}', b"[" * 100_000]
)
def test_what_is_no_document_is_refused(raw: bytes) -> None:
    """Anything else than what was written, however it fails to parse."""
    with pytest.raises(ValueError, match=r"no checked document|checksum does not fit"):
        decode_document(raw)


def test_a_body_that_is_no_mapping_is_refused() -> None:
    """Even where its checksum fits: who reads a document looks values up in it."""
    plain = {"magic": "m", "version": 1, "body": [1]}
    checksum = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    raw = json.dumps({**plain, "checksum": checksum}, sort_keys=True, indent=1) + "\n"
    with pytest.raises(ValueError, match="checksum does not fit"):
        decode_document(raw.encode())


def test_the_bytes_are_as_they_always_were() -> None:
    """Indexes and snapshots of older versions are read: what is written never changes."""
    assert encode_document("nitari-index", 1, {"dim": 4}).decode() == (
        '{\n "body": {\n  "dim": 4\n },\n'
        ' "checksum": "3b534756b71aa0acdb469d5020d84ee2f485c78bc41f50666ceeaee3e163ab7d",\n'
        ' "magic": "nitari-index",\n "version": 1\n}\n'
    )
