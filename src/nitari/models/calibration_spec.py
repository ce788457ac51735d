"""What a card says of scores: how cosines of its vectors become the probability that an item is relevant."""

from __future__ import annotations

from dataclasses import dataclass

from nitari.models.table import Table

_FITTED = "a number, as `nitari calibrate` fits it"


@dataclass(frozen=True, slots=True)
class CalibrationSpec:
    """The ``[calibration]`` table of a card. It shapes no vector, so it is not part of the fingerprint.

    Args:
        slope: Above 0; see ``nitari.search.calibration.Calibration``.
        offset: Any number.
        recommended: The ``min_score`` to recommend, 0-1.
        unfamiliar: 0 or more; see there too. Only of use beside a gate.
    """

    slope: float
    offset: float
    recommended: float = 0.5
    unfamiliar: float = 0.0


def read_calibration(table: Table) -> CalibrationSpec | None:
    """The ``[calibration]`` table of a card; ``None`` where there is none.

    Raises:
        ModelError: naming the key, what was found and what was expected.
    """
    if table.absent:
        return None
    spec = CalibrationSpec(
        table.number("slope", expected=_FITTED),
        table.number("offset", expected=_FITTED),
        table.number("recommended", 0.5),
        table.number("unfamiliar", 0.0),
    )
    if spec.unfamiliar < 0:
        raise table.error("unfamiliar", spec.unfamiliar, "a number of 0 or more")
    if spec.slope <= 0:
        raise table.error("slope", spec.slope, "a number above 0")
    if not 0 <= spec.recommended <= 1:
        raise table.error("recommended", spec.recommended, "a number in 0-1")
    table.finish()
    return spec
