"""What a card says of query photos of worn garments: which learned transform takes the wearer out of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nitari.models.table import Table

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TransformSpec:
    """The ``[transform]`` table of a card. It shapes no stored vector, so it is not part of the fingerprint.

    Args:
        file: An ``npz`` as ``nitari transform fit`` writes it; a relative path from the card's folder.
        sha256: Of that file, hex.
        strength: What ``auto`` takes where a photo is worn for certain, 0-1; ``None`` for what the file says.
    """

    file: str
    sha256: str
    strength: float | None = None


def read_transform(table: Table) -> TransformSpec | None:
    """The ``[transform]`` table of a card; ``None`` where there is none.

    Raises:
        ModelError: naming the key, what was found and what was expected.
    """
    if table.absent:
        return None
    spec = TransformSpec(
        file=table.text("file"),
        sha256=table.text("sha256", pattern=_SHA256, expected="64 hex digits"),
        strength=table.number("strength", 0.0) if "strength" in table else None,
    )
    if spec.strength is not None and not 0 <= spec.strength <= 1:
        raise table.error("strength", spec.strength, "a number in 0-1")
    table.finish()
    return spec
