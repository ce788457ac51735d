"""Files of ours that say what they are: canonical JSON with a magic, a format version and a checksum of itself.

A seal is such a file in a folder of data files; it names each with size and SHA-256. So any changed byte, in the data
or in the seal, is seen before a byte of the data is used.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nitari.errors import StateError

SEAL_NAME = "index.json"
_SEAL_MAGIC = "nitari-index"
_REBUILD = "nothing is lost: delete the folder and it is rebuilt from the catalog"
_CHUNK = 2**20


def write_document(path: Path, magic: str, version: int, body: Mapping[str, Any]) -> None:
    """Write ``body`` (JSON values) as a checked document."""
    path.write_bytes(_canonical(magic, version, body))


def read_document(path: Path, magic: str, version: int) -> dict[str, Any]:
    """Read what ``write_document`` wrote.

    Raises:
        StateError: where the file is missing, damaged, something else, or of a version other than ``version``.
    """
    try:
        raw = path.read_bytes()
        parsed = json.loads(raw)
        body = parsed["body"]
        found = (parsed["magic"], parsed["version"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as exc:
        raise StateError(f"{path} cannot be read: {exc}", remedy=_REBUILD, code="index-damaged") from exc
    # Re-writing what was read must give the same bytes: catches changes that parse to the same values, too.
    if not isinstance(body, dict) or raw != _canonical(*found, body):
        raise StateError(f"{path} is damaged: its checksum does not fit", remedy=_REBUILD, code="index-damaged")
    if found != (magic, version):
        raise StateError(
            f"{path} is {found[0]} version {found[1]}, expected {magic} version {version}",
            remedy=_REBUILD,
            code="index-version",
        )
    return body


def describe_file(path: Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, as a document names it."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return {"sha256": digest.hexdigest(), "size": size}


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


def _canonical(magic: object, version: object, body: Mapping[str, Any]) -> bytes:
    """The one way to write these values, with their checksum."""
    plain = {"magic": magic, "version": version, "body": body}
    checksum = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    return (json.dumps({**plain, "checksum": checksum}, sort_keys=True, indent=1) + "\n").encode()
