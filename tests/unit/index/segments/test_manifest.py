"""Manifests come back as they were written, or not at all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from nitari.errors import StateError
from nitari.index.seal import write_document
from nitari.index.segments.manifest import (
    MANIFEST_NAME,
    Manifest,
    Origin,
    SegmentEntry,
    TableEntry,
    read_manifest,
    stamp,
    write_manifest,
)

ORIGIN = Origin("card", 8, "f", "c")
MANIFEST = Manifest(ORIGIN, 3, 17, (SegmentEntry("a", 5, "1"), SegmentEntry("b", 7, "2")), TableEntry("t", 16, "3"))


def test_comes_back(tmp_path: Path) -> None:
    """What is written is read; before that there is none, and a newer one takes its place."""
    assert read_manifest(tmp_path, ORIGIN) is None
    assert stamp(tmp_path) is None
    write_manifest(tmp_path, MANIFEST)
    assert read_manifest(tmp_path, ORIGIN) == MANIFEST
    assert MANIFEST.parts == (*MANIFEST.segments, MANIFEST.table)
    seen = {stamp(tmp_path)}
    for number in range(4, 8):
        newer = replace(MANIFEST, number=number, table=None)
        write_manifest(tmp_path, newer)
        assert read_manifest(tmp_path, ORIGIN) == newer
        assert stamp(tmp_path) not in seen
        seen = {stamp(tmp_path)}
    assert newer.parts == newer.segments


def test_any_changed_byte_is_seen(tmp_path: Path) -> None:
    """No byte can be changed or be missing."""
    write_manifest(tmp_path, MANIFEST)
    path = tmp_path / MANIFEST_NAME
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(StateError):
            read_manifest(tmp_path, ORIGIN)
    path.write_bytes(whole[:-1])
    with pytest.raises(StateError):
        read_manifest(tmp_path, ORIGIN)


@pytest.mark.parametrize("body", [{}, {"origin": {"collection": 1}}, {"origin": None, "segments": 3, "table": None}])
def test_what_is_no_manifest_is_refused(tmp_path: Path, body: dict[str, object]) -> None:
    """A document of ours with other things in it is damage, too."""
    write_document(tmp_path / MANIFEST_NAME, "nitari-manifest", 1, body)
    with pytest.raises(StateError, match="is not a manifest"):
        read_manifest(tmp_path, ORIGIN)
