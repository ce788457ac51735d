"""What a composite card says of a head: a learned matrix between a part's features and its share of the vector."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nitari.models.table import Table

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """The ``[parts.head]`` table of a composite card.

    Args:
        file: An ``npz`` as ``nitari train embedding`` writes it; a relative path from the card's folder.
        sha256: Of that file, hex. It is in the card's fingerprint; where the file lies is not.
        dim: Width of what the head gives.
    """

    file: str
    sha256: str
    dim: int


def read_head(table: Table) -> HeadSpec | None:
    """The ``[parts.head]`` table; ``None`` where there is none.

    Raises:
        ModelError: naming the key, what was found and what was expected.
    """
    if table.absent:
        return None
    spec = HeadSpec(
        file=table.text("file"),
        sha256=table.text("sha256", pattern=_SHA256, expected="64 hex digits"),
        dim=table.integer("dim", low=1, high=65536),
    )
    table.finish()
    return spec
