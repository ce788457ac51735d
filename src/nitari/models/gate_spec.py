"""What a composite card says of photos that show something else than its heads were trained on."""

from __future__ import annotations

from dataclasses import dataclass

from nitari.models.table import Table

_WRITTEN = "a number, as `nitari train embedding` writes it"


@dataclass(frozen=True, slots=True)
class GateSpec:
    """The ``[gate]`` table of a composite card; ``nitari.embeddings.gate.SubspaceGate`` says what is done with it.

    A card that has one scales the blocks of its vectors one by one, which the fingerprint covers; the rest of the table
    only concerns queries.

    Args:
        part: Which part tells whether a photo is familiar, by its place among the card's parts, from 0.
        directions: How many of its first numbers are those that familiar photos lie in.
        middle: The share of that part's squared length in these directions at which a photo is half familiar, 0-1.
        slope: How fast familiarity grows there, above 0.
        familiar: The weight of each part where a photo is familiar, in place of the part's own; 0 or more.
        unfamiliar: The weight of each part where a photo is not familiar at all, in place of the part's own; 0 or more.
    """

    part: int
    directions: int
    middle: float
    slope: float
    familiar: tuple[float, ...]
    unfamiliar: tuple[float, ...]


def read_gate(table: Table, *, parts: int) -> GateSpec | None:
    """The ``[gate]`` table; ``None`` where there is none.

    Args:
        table: What the card says.
        parts: How many parts the card has.

    Raises:
        ModelError: naming the key, what was found and what was expected.
    """
    if table.absent:
        return None
    spec = GateSpec(
        part=table.integer("part", low=0, high=parts - 1),
        directions=table.integer("directions", low=1, high=65536),
        middle=table.number("middle", expected=_WRITTEN),
        slope=table.number("slope", expected=_WRITTEN),
        familiar=table.numbers("familiar", count=parts),
        unfamiliar=table.numbers("unfamiliar", count=parts),
    )
    if not 0 < spec.middle < 1:
        raise table.error("middle", spec.middle, "a number between 0 and 1")
    if spec.slope <= 0:
        raise table.error("slope", spec.slope, "a number above 0")
    for key, weights in (("familiar", spec.familiar), ("unfamiliar", spec.unfamiliar)):
        if min(weights) < 0 or not any(weights):
            raise table.error(key, list(weights), "numbers of 0 or more, not all 0")
    table.finish()
    return spec
