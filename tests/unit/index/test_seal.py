"""Documents and seals: what is damaged, foreign or of another version is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import StateError
from nitari.index.seal import (
    BLOCK_BYTES,
    SEAL_NAME,
    check_blocks,
    check_heads,
    check_seal,
    check_size,
    describe_blocks,
    describe_file,
    read_document,
    write_document,
    write_seal,
)


def test_a_document_comes_back(tmp_path: Path) -> None:
    """Any JSON values."""
    body = {"b": [1, 2.5, None, True], "a": {"ü": "本"}}
    write_document(tmp_path / "d", "magic", 3, body)
    assert read_document(tmp_path / "d", "magic", 3) == body


def test_a_damaged_document_is_named(tmp_path: Path) -> None:
    """The message says which file; tests/unit/test_documents.py has all the ways to be damaged."""
    (tmp_path / "d").write_bytes(b"{}")
    with pytest.raises(StateError, match="d cannot be read: it is no checked document") as caught:
        read_document(tmp_path / "d", "magic", 1)
    assert caught.value.code == "index-damaged"


@pytest.mark.parametrize(("magic", "version"), [("other", 3), ("magic", 2), ("magic", 4)])
def test_another_magic_or_version_is_refused(tmp_path: Path, magic: str, version: int) -> None:
    """The message says what was found and what was expected."""
    write_document(tmp_path / "d", "magic", 3, {})
    with pytest.raises(StateError, match=f"is magic version 3, expected {magic} version {version}"):
        read_document(tmp_path / "d", magic, version)


def test_a_seal_names_every_file(tmp_path: Path) -> None:
    """A file that was changed, cut or removed after sealing is found."""
    (tmp_path / "x").write_bytes(b"123")
    write_seal(tmp_path, engine="e", version=1, dim=4, count=2, parameters={"p": 1})
    body = check_seal(tmp_path, engine="e", version=1, dim=4)
    assert (body["count"], body["parameters"], list(body["files"])) == (2, {"p": 1}, ["x"])
    for wrong in (b"124", b"12", b"1234"):
        (tmp_path / "x").write_bytes(wrong)
        with pytest.raises(StateError, match="x is damaged"):
            check_seal(tmp_path, engine="e", version=1, dim=4)
    (tmp_path / "x").unlink()
    with pytest.raises(StateError, match="x cannot be read"):
        check_seal(tmp_path, engine="e", version=1, dim=4)
    with pytest.raises(StateError, match="is e of width 4, expected e of width 5"):
        check_seal(tmp_path, engine="e", version=1, dim=5)
    assert (tmp_path / SEAL_NAME).is_file()


def test_blocks_have_checksums_of_their_own(tmp_path: Path) -> None:
    """A changed block is found, and where it is; sizes and first blocks can be checked alone."""
    path = tmp_path / "x"
    path.write_bytes(b"a" * (2 * BLOCK_BYTES + 5))
    described = describe_blocks(path)
    assert {name: described[name] for name in ("sha256", "size")} == describe_file(path)
    assert list(check_blocks(path, described)) == [BLOCK_BYTES, BLOCK_BYTES, 5]
    for at in (0, BLOCK_BYTES, 2 * BLOCK_BYTES + 4):
        data = bytearray(b"a" * (2 * BLOCK_BYTES + 5))
        data[at] ^= 128
        path.write_bytes(data)
        with pytest.raises(StateError, match=f"bytes at {at // BLOCK_BYTES * BLOCK_BYTES}$"):
            list(check_blocks(path, described))
        if at == 0:
            with pytest.raises(StateError):
                check_heads(tmp_path, {"x": described})
        else:
            check_heads(tmp_path, {"x": described})
    path.write_bytes(b"a")
    with pytest.raises(StateError, match="has 1 bytes, expected 2097157"):
        check_size(path, described)
    path.unlink()
    with pytest.raises(StateError, match="cannot be read"):
        list(check_blocks(path, described))


def test_an_empty_file_has_no_blocks(tmp_path: Path) -> None:
    """It is only as long as it is."""
    (tmp_path / "x").touch()
    described = describe_blocks(tmp_path / "x")
    assert described["blocks"] == ""
    check_heads(tmp_path, {"x": described})
