"""The ``[calibration]`` table of a card."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import ModelError
from nitari.models.calibration_spec import CalibrationSpec, read_calibration
from nitari.models.card import read_card
from nitari.models.table import Table

CARD = """
format = 1
name = "own"
revision = "1"
kind = "composite"
description = "d"
license = "Apache-2.0"
origin = "o"
dim = 300
[[parts]]
descriptor = "lowlevel-300"
dim = 300
"""


def _read(values: dict[str, object] | None) -> CalibrationSpec | None:
    return read_calibration(Table(Path("card.toml"), "calibration", values))


def test_reads() -> None:
    """Slope and offset are needed, the recommended score is .5 unless it says otherwise; no table is none."""
    assert _read({"slope": 17, "offset": -12.5}) == CalibrationSpec(17.0, -12.5, 0.5)
    assert _read({"slope": 17, "offset": -12.5, "recommended": 0.3}) == CalibrationSpec(17.0, -12.5, 0.3)
    spec = CalibrationSpec(17.0, -12.5, 0.5, 2.5)
    assert _read({"slope": 17, "offset": -12.5, "unfamiliar": 2.5}) == spec
    assert _read(None) is None


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"offset": 1.0}, "calibration.slope is missing"),
        ({"slope": 1.0}, "calibration.offset is missing"),
        ({"slope": 0.0, "offset": 1.0}, "above 0"),
        ({"slope": 1.0, "offset": 1.0, "recommended": 2.0}, "0-1"),
        ({"slope": "steep", "offset": 1.0}, "a number"),
        ({"slope": 1.0, "offset": 1.0, "bias": 1.0}, "means nothing here"),
    ],
)
def test_complains(values: dict[str, object], complaint: str) -> None:
    """What is wrong is named."""
    with pytest.raises(ModelError, match=complaint):
        _read(values)


def test_shapes_no_vector(tmp_path: Path) -> None:
    """A card's fingerprint is the same with another calibration, or none."""
    path = tmp_path / "own.toml"
    path.write_text(CARD)
    plain = read_card(path)
    path.write_text(CARD + "[calibration]\nslope = 17.0\noffset = -12.0\n")
    calibrated = read_card(path)
    assert plain.calibration is None
    assert calibrated.calibration == CalibrationSpec(17.0, -12.0)
    assert calibrated.fingerprint == plain.fingerprint
