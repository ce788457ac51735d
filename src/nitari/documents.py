"""Checked documents: canonical JSON with a magic, a format version and a checksum of itself.

A document is believed whole or not at all: what was read is written again and must give the same bytes, so that a
change which parses to the same values is seen, too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Document:
    """What a checked document says.

    Args:
        magic: What it is.
        version: Its format's version; who reads it decides which are known.
        body: Its content, JSON values.
    """

    magic: str
    version: int
    body: dict[str, Any]


def encode_document(magic: str, version: int, body: Mapping[str, Any]) -> bytes:
    """A document of ``body``, which is JSON values (tuples become lists)."""
    plain = {"magic": magic, "version": version, "body": body}
    checksum = hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()
    return (json.dumps({**plain, "checksum": checksum}, sort_keys=True, indent=1) + "\n").encode()


def decode_document(raw: bytes) -> Document:
    """What ``encode_document`` wrote.

    Raises:
        ValueError: where ``raw`` is damaged or something else; it says how.
    """
    try:
        parsed = json.loads(raw)
        document = Document(parsed["magic"], parsed["version"], parsed["body"])
        again = encode_document(document.magic, document.version, document.body)
    except (ValueError, KeyError, TypeError, RecursionError) as exc:
        raise ValueError(f"it is no checked document: {exc}") from exc
    if raw != again or not isinstance(document.body, dict):
        raise ValueError("its checksum does not fit")
    return document
