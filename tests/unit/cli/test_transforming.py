"""``nitari transform``: learned from a drawn shop, shown, used by searches, switched off and on."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nitari.cli.main import cli
from nitari.errors import ModelError, UsageError

# No network: color and texture alone tell these photos.
CARD = """format = 1
name = "looks"
revision = "1"
kind = "composite"
description = "x"
license = "x"
origin = "x"
dim = 300
[[parts]]
descriptor = "lowlevel-300"
dim = 300
"""
KINDS = {"Tees": (200, 40, 40), "Pants": (40, 40, 200), "Skirts": (40, 160, 60)}
FLAT_NAMES = {"Tees": "T-Shirt", "Pants": "Pants", "Skirts": "Skirt"}
MAP = """format = 1
[catalogs]
worn = "worn"
flat = "flat"
[[types]]
worn = ["Tees"]
flat = ["T-Shirt"]
[[types]]
worn = ["Pants"]
flat = ["Pants"]
[[types]]
worn = ["Skirts"]
flat = ["Skirt"]
"""


def _photo(path: Path, color: tuple[int, int, int], seed: int, *, worn: bool) -> None:
    """A garment of a color: on a wearer with skin before white, or on wood."""
    random = np.random.default_rng(seed)
    pixels = np.full((64, 64, 3), 255 if worn else (150, 110, 70), dtype=np.float64)
    top, left = random.integers(18, 24), random.integers(16, 22)
    if worn:
        pixels[4:top, 24:40] = pixels[top:50, 4:left] = (224, 172, 140)
    pixels[top:56, left : left + 26] = np.array(color) + random.integers(-25, 25, 3)
    pixels += random.normal(0, 6, pixels.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)


def _feed(folder: Path, rows: list[dict[str, str]]) -> Path:
    with (folder / "feed.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "feed.csv"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two feeds, ``worn`` and ``flat``, one feed of both, a category map and a card."""
    root = tmp_path_factory.mktemp("shop")
    both: list[dict[str, str]] = []
    for sort in ("worn", "flat"):
        rows = []
        for number in range(36):
            kind = list(KINDS)[number % 3]
            link = f"images/{sort}{number}.jpg"
            _photo(root / sort / link, KINDS[kind], number + 100 * (sort == "worn"), worn=sort == "worn")
            _photo(root / "both" / link, KINDS[kind], number + 100 * (sort == "worn"), worn=sort == "worn")
            name = f"Women > {kind}" if sort == "worn" else FLAT_NAMES[kind]
            row = {"id": f"{sort}{number}", "title": kind, "product_type": name, "image_link": link}
            rows.append(row)
            both.append({**row, "product_type": kind, "shown": "model" if sort == "worn" else "hanger"})
        for number in range(6 if sort == "worn" else 0):  # bags before white, which nobody wears
            _photo(root / sort / f"images/bag{number}.jpg", (20, 20, 20), number, worn=False)
            rows.append({"id": f"bag{number}", "title": "Bag", "product_type": "Gear > Bags",
                         "image_link": f"images/bag{number}.jpg"})  # fmt: skip
        _feed(root / sort, rows)
    _feed(root / "both", both)
    (root / "kinds.toml").write_text(MAP, encoding="utf-8")
    (root / "looks.toml").write_text(CARD, encoding="utf-8")
    return root


@pytest.fixture
def home(tmp_path: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home that needs no network."""
    monkeypatch.setenv("NITARI__MODELS__EMBEDDER", str(shop / "looks.toml"))
    monkeypatch.setenv("NITARI__EXTRACT__REGIONS", "whole")
    return tmp_path / "home"


def run(home: Path, *words: object, code: int = 0) -> str:
    """What a command prints."""
    done = CliRunner().invoke(
        cli, ["--home", str(home), *map(str, words)], catch_exceptions=False, standalone_mode=False
    )
    assert (done.return_value or 0) == code, done.output
    return done.stdout


def fit(home: Path, shop: Path, *more: object) -> Any:
    """Learn from both feeds."""
    words = ("--worn", shop / "worn/feed.csv", "--flat", shop / "flat/feed.csv", "--not-worn", "Gear")
    return json.loads(run(home, "transform", "fit", *words, "--category-map", shop / "kinds.toml", "--json", *more))


def show(home: Path) -> Any:
    """What applies."""
    return json.loads(run(home, "transform", "show", "--json"))


def test_learned_and_used(home: Path, shop: Path) -> None:
    """A transform is learned, says what it does, and moves the answers of worn photos; off, it does not."""
    run(home, "import", shop / "worn")
    run(home, "import", shop / "flat")
    assert show(home)["origin"] == "none"
    photo = shop / "worn/images/worn0.jpg"
    plain = json.loads(run(home, "search", photo, "--json"))
    assert plain.get("worn") is None

    told = fit(home, shop)
    assert told["photos"] == {"worn": 36, "others": 42}
    assert told["cue"]["auc"] > 0.95
    assert told["auto"]["worn"] <= told["strengths"][0]["worn"]
    assert told["kinds"]["T-Shirt"] == {"worn": 12, "flat": 12}
    found = show(home)
    assert (found["origin"], found["enabled"], found["kinds"]) == ("home", True, ["Pants", "Skirt", "T-Shirt"])
    assert found["told"]["auto"] == told["auto"]
    assert "learned from 36 worn photos and 42 others" in run(home, "transform", "show")

    asked = json.loads(run(home, "search", photo, "--json"))
    assert asked["worn"] > 0.5
    assert asked["hits"][0]["score"] != plain["hits"][0]["score"]
    off = json.loads(run(home, "search", photo, "--worn", "off", "--json"))
    assert [hit["score"] for hit in off["hits"]] == [hit["score"] for hit in plain["hits"]]

    run(home, "transform", "disable")
    assert show(home)["enabled"] is False
    assert json.loads(run(home, "search", photo, "--json"))["hits"] == plain["hits"]
    run(home, "transform", "enable")
    assert json.loads(run(home, "search", photo, "--json"))["hits"] == asked["hits"]


def test_a_flat_photo_is_left_alone(home: Path, shop: Path) -> None:
    """What nobody wears is told as such, and hardly moved."""
    run(home, "import", shop / "flat")
    fit(home, shop)
    answer = json.loads(run(home, "search", shop / "flat/images/flat1.jpg", "--json"))
    assert answer["worn"] < 0.5
    assert answer["hits"][0]["item_id"] == "flat1"


def test_one_feed(home: Path, shop: Path) -> None:
    """One feed whose attribute tells worn photos is as good as two."""
    words = ("--feed", shop / "both/feed.csv", "--worn-if", "shown=model", "--json")
    told = json.loads(run(home, "transform", "fit", *words))
    assert told["photos"] == {"worn": 36, "others": 36}
    assert told["kinds"]["tees"] == {"worn": 12, "flat": 12}


def test_for_a_card(home: Path, shop: Path, tmp_path: Path) -> None:
    """Written beside a card, it is named there by its checksum, in place of an older one, and all else is kept."""
    card = tmp_path / "cards/looks.toml"
    card.parent.mkdir()
    card.write_text(CARD, "utf-8")
    for _ in range(2):
        told = fit(home, shop, "--model", card, "--into-card")
        assert card.read_text("utf-8").count("[transform]") == 1
        assert card.read_text("utf-8").startswith(CARD)
    assert show(home)["origin"] == "none"
    found = json.loads(run(home, "transform", "show", "--model", card, "--json"))
    assert (found["origin"], found["path"]) == ("card", told["path"])


def test_for_folds(home: Path, shop: Path, tmp_path: Path) -> None:
    """Each fold's card gets one that was learned without the photos of its fold."""
    for number in range(3):
        card = tmp_path / "folds" / str(number) / "card.toml"
        card.parent.mkdir(parents=True)
        card.write_text(CARD, "utf-8")
    made = fit(home, shop, "--folds", tmp_path / "folds")
    assert [one["left_out"] for one in made] == ["0/3", "1/3", "2/3"]
    assert sum(one["photos"]["worn"] for one in made) == 72, "each photo is left out once"
    for number, one in enumerate(made):
        shown = ("transform", "show", "--model", tmp_path / "folds" / str(number) / "card.toml", "--json")
        assert json.loads(run(home, *shown))["path"] == one["path"]


def test_cards_that_came_with_nitari(home: Path, shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cards of the package are not changed."""
    from nitari.models import card as card_module

    monkeypatch.setattr(card_module, "BUILT_IN", shop)
    with pytest.raises(ModelError, match="came with Nitari"):
        fit(home, shop, "--into-card")


@pytest.mark.parametrize(
    "words",
    [
        ("--worn", "x.csv"),
        ("--feed", "x.csv"),
        ("--feed", "x.csv", "--worn-if", "a=b", "--flat", "y.csv"),
    ],
)
def test_not_said_what_is_worn(home: Path, words: tuple[str, ...]) -> None:
    """Without a way to tell worn photos, the error says which there are."""
    with pytest.raises(UsageError, match="which photos are worn"):
        run(home, "transform", "fit", *words)
