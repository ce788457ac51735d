"""Seals: checked documents (``documents.py``) in a folder of data files, which name each with size and SHA-256.

So any changed byte, in the data or in the seal, is seen before a byte of the data is used.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nitari.documents import decode_document, encode_document
from nitari.errors import StateError

SEAL_NAME = "index.json"
_SEAL_MAGIC = "nitari-index"
_REBUILD = "nothing is lost: delete the folder and it is rebuilt from the catalog"
_CHUNK = 2**20
BLOCK_BYTES = 2**20
"""How much of a file ``describe_blocks`` gives a checksum of its own."""
_DIGEST_BYTES = 16


def write_document(path: Path, magic: str, version: int, body: Mapping[str, Any]) -> None:
    """Write ``body`` (JSON values) as a checked document."""
    path.write_bytes(encode_document(magic, version, body))


def read_document(path: Path, magic: str, version: int) -> dict[str, Any]:
    """Read what ``write_document`` wrote.

    Raises:
        StateError: where the file is missing, damaged, something else, or of a version other than ``version``.
    """
    try:
        document = decode_document(path.read_bytes())
    except (OSError, ValueError) as exc:
        raise StateError(f"{path} cannot be read: {exc}", remedy=_REBUILD, code="index-damaged") from exc
    found = (document.magic, document.version)
    if found != (magic, version):
        raise StateError(
            f"{path} is {found[0]} version {found[1]}, expected {magic} version {version}",
            remedy=_REBUILD,
            code="index-version",
        )
    return document.body


def describe_file(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, as a document names it."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"sha256": digest.hexdigest(), "size": size}


def describe_blocks(path: Path) -> dict[str, Any]:
    """What ``describe_file`` says, and under ``blocks`` a checksum of each ``BLOCK_BYTES`` (BLAKE2b, 128 bits, hex)."""
    whole, size, blocks = hashlib.sha256(), 0, []
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            whole.update(block)
            size += len(block)
            blocks.append(_block_digest(block))
    return {"sha256": whole.hexdigest(), "size": size, "blocks": "".join(blocks)}


def check_size(path: Path, expected: Mapping[str, Any]) -> None:
    """Compare only a file's size with what was said of it: what can be checked before the first answer.

    Raises:
        StateError: where it is missing or of another size.
    """
    try:
        found = path.stat().st_size
    except OSError as exc:
        raise StateError(f"{path} cannot be read: {exc}", remedy=_REBUILD, code="index-damaged") from exc
    if found != expected["size"]:
        raise StateError(
            f"{path} has {found} bytes, expected {expected['size']}", remedy=_REBUILD, code="index-damaged"
        )


def check_blocks(path: Path, expected: Mapping[str, Any]) -> Iterator[int]:
    """Compare a file with what ``describe_blocks`` said of it, a block at a time, as slowly as it is iterated over.

    Returns:
        How many bytes were read, after each block.

    Raises:
        StateError: at the first block that differs, or where the file is missing or of another size.
    """
    check_size(path, expected)
    digests = str(expected["blocks"])
    width = 2 * _DIGEST_BYTES
    try:
        with path.open("rb") as file:
            for number in range(len(digests) // width):
                block = file.read(BLOCK_BYTES)
                if _block_digest(block) != digests[number * width : (number + 1) * width]:
                    raise StateError(
                        f"{path} is damaged within the {BLOCK_BYTES} bytes at {number * BLOCK_BYTES}",
                        remedy=_REBUILD,
                        code="index-damaged",
                    )
                yield len(block)
    except OSError as exc:
        raise StateError(f"{path} cannot be read: {exc}", remedy=_REBUILD, code="index-damaged") from exc


def check_heads(folder: Path, files: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare size and first block of each file that a seal names: milliseconds, and all headers lie in there.

    Raises:
        StateError: at the first that is missing or differs.
    """
    for name, expected in files.items():
        next(check_blocks(folder / name, expected), None)


def check_file(path: Path, expected: Mapping[str, Any]) -> None:
    """Compare a file with what ``describe_file`` said of it.

    Raises:
        StateError: where it is missing or differs.
    """
    try:
        # The size first: a truncated file of gigabytes is then found at once.
        same = path.stat().st_size == expected["size"] and describe_file(path) == dict(expected)
    except (OSError, KeyError) as exc:
        raise StateError(f"{path} cannot be read: {exc}", remedy=_REBUILD, code="index-damaged") from exc
    if not same:
        raise StateError(f"{path} is damaged: size or checksum differ", remedy=_REBUILD, code="index-damaged")


def write_seal(
    folder: Path, *, engine: str, version: int, dim: int, count: int, parameters: Mapping[str, Any] | None = None
) -> None:
    """Seal ``folder``: every file in it is named with size and SHA-256 in ``index.json``."""
    files = {path.name: describe_file(path) for path in sorted(folder.iterdir())}
    body = {"engine": engine, "dim": dim, "count": count, "parameters": dict(parameters or {}), "files": files}
    write_document(folder / SEAL_NAME, _SEAL_MAGIC, version, body)


def check_seal(folder: Path, *, engine: str, version: int, dim: int) -> dict[str, Any]:
    """Check every file that the seal of ``folder`` names; returns its body (``engine dim count parameters files``).

    Raises:
        StateError: where a file is damaged or missing, or the index is another engine's or of another width.
    """
    body = read_document(folder / SEAL_NAME, _SEAL_MAGIC, version)
    found = (body["engine"], body["dim"])
    if found != (engine, dim):
        raise StateError(
            f"index in {folder} is {found[0]} of width {found[1]}, expected {engine} of width {dim}",
            remedy=_REBUILD,
            code="index-foreign",
        )
    for name, expected in body["files"].items():
        check_file(folder / name, expected)
    return body


def _block_digest(block: bytes) -> str:
    return hashlib.blake2b(block, digest_size=_DIGEST_BYTES).hexdigest()
