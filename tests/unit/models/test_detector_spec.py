"""What a detector's card says."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import ModelError
from nitari.models.card import read_card
from nitari.models.detector_spec import DetectorSpec

CARD = """
format = 1
name = "finder"
revision = "1"
kind = "detector"
description = "Finds."
license = "Apache-2.0"
origin = "A test."
[input]
size = 64
mean = [0, 0, 0]
std = [1, 1, 1]
filter = "bicubic"
fit = "stretch"
[detector]
labels = ["top", "pants"]
stride = 8
mask_cells = 4
threshold = 0.25
"""


def read(folder: Path, text: str) -> DetectorSpec:
    """The spec of a card with this text."""
    path = folder / "finder.toml"
    path.write_text(text, "utf-8")
    return read_card(path).network_detector


def test_layout(tmp_path: Path) -> None:
    """Middle, sides, labels and mask follow each other, and nothing follows them."""
    spec = read(tmp_path, CARD)
    assert spec == DetectorSpec(("top", "pants"), 8, 4, 0.25)
    assert (spec.labels_slice, spec.mask_slice, spec.channels) == (slice(5, 7), slice(7, 23), 23)
    card = read_card(tmp_path / "finder.toml")
    assert card.output_shape == (23, 8, 8)
    assert card.dim == 0


def test_fingerprint(tmp_path: Path) -> None:
    """Whatever shapes regions shapes the card's fingerprint."""
    prints = set()
    for old, new in (("0.25", "0.25"), ("0.25", "0.5"), ('"pants"', '"skirt"'), ("mask_cells = 4", "mask_cells = 2")):
        read(tmp_path, CARD.replace(old, new))
        prints.add(read_card(tmp_path / "finder.toml").fingerprint)
    assert len(prints) == 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('["top", "pants"]', "[]", "detector.labels is"),
        ('["top", "pants"]', '["top", "top"]', "expected no label twice"),
        ('["top", "pants"]', '["Top"]', "expected lower-case words"),
        ("stride = 8", "stride = 0", "detector.stride is 0"),
        ("stride = 8", "stride = 24", r"input.size is \[64, 64\], expected multiples of detector.stride"),
        ("mask_cells = 4", "mask_cells = 3", "detector.mask_cells is 3, expected an even number"),
        ("threshold = 0.25", "threshold = 1", "detector.threshold is 1"),
        ("threshold = 0.25", "thresholds = 1", "detector.thresholds is a key that means nothing here"),
        ("[detector]", "[detectors]", "detector is missing here"),
    ],
)
def test_wrong_cards(old: str, new: str, message: str, tmp_path: Path) -> None:
    """A wrong card is refused with the key, what was found and what was expected."""
    assert old in CARD
    with pytest.raises(ModelError, match=message):
        read(tmp_path, CARD.replace(old, new, 1))
