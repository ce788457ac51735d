"""``nitari eval``: every protocol from a folder to a report, with models that are quick, and what it prints."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nitari.cli.evaluating import _print_report
from nitari.cli.main import cli
from nitari.errors import NitariError, UsageError
from support.models import tiny_card, tiny_network
from support.shop import write_photo

TYPES = {"Men > Tops > Tees": "T-Shirt", "Men > Tops > Jackets": "Outwear"}
FOLDS = 2


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two small catalogs, unrelated photos, and a model with one more for each fold; commands run in it."""
    luma, flat = [], []
    for number in range(12):
        category = list(TYPES)[number % 2]
        back = f"images/{number}_back.jpg" if number < 4 else ""
        color = ("red", "blue")[number // 2 % 2]
        luma.append(
            (f"i{number}", f"g{number // 2 % 3}-{category[-4:]}", category, color, f"images/{number}.jpg", back)
        )
        flat.append((f"i{number}", f"s{number}", TYPES[category], f"images/{number}.jpg"))
        for place in (f"luma/images/{number}.jpg", f"luma/images/{number}_back.jpg", f"flat/images/{number}.jpg"):
            write_photo(tmp_path / place, sum(map(ord, place)) * 7, side=64)
        write_photo(tmp_path / "unrelated" / "cutouts" / "cats" / f"{number}.jpg", number * 77, side=64)
    _feed(
        tmp_path / "luma", ("id", "item_group_id", "product_type", "color", "image_link", "additional_image_link"), luma
    )
    _feed(tmp_path / "flat", ("id", "seller_id", "product_type", "image_link"), flat)
    for name in ("tiny", *(f"folds/{fold}/card" for fold in range(FOLDS))):
        card = tmp_path / "cards" / f"{name}.toml"
        card.parent.mkdir(parents=True, exist_ok=True)
        (card.parent / "net.onnx").write_bytes(tiny_network(dim=8).SerializeToString())
        card.write_text(tiny_card('path = "net.onnx"', name=name.replace("/", "-"), dim=8), "utf-8")
    monkeypatch.setenv("NITARI__HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NITARI__MODELS__CARDS", str(tmp_path / "cards"))
    monkeypatch.setenv("NITARI__MODELS__CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NITARI__MODELS__EMBEDDER", "tiny")
    monkeypatch.setenv("NITARI__EXTRACT__REGIONS", "whole")
    monkeypatch.setenv("NITARI__EXTRACT__VIEWS", "whole")
    monkeypatch.setenv("NITARI__INGEST__WORKERS", "1")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _feed(folder: Path, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    with (folder / "feed.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])


def evaluate(*words: str | Path) -> dict[str, Any]:
    """What ``nitari eval ... --json`` prints; an error of ours is raised."""
    result = CliRunner().invoke(cli, ["eval", *map(str, words), "--json"], standalone_mode=False)
    if isinstance(result.exception, NitariError):
        raise result.exception
    assert result.exception is None, result.output
    assert (result.return_value or 0) == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_worn_and_flat_photos_are_one_gallery(work: Path) -> None:
    """Both catalogs answer, though they use the same ids; flat ones alone when asked alone."""
    found = evaluate("worn", work, "--details", "--run", work / "run.txt")
    assert (found["queries"], found["judged"], found["failed"], found["gallery"]["items"]) == (24, 12, 0, 24)
    assert list(found["measures"]) == ["P@10", "worn share@10", "flat P@10", "P@5 in flat"]
    assert found["less_is_better"] == ["worn share@10"]
    assert set(found["categories"]) == {"T-Shirt", "Outwear"}
    assert set(found["per_query"]) == {f"worn:i{number}" for number in range(12)}
    run = [line.split() for line in (work / "run.txt").read_text().splitlines()]
    assert {fields[2].split(":")[0] for fields in run if fields[0].endswith("@flat")} == {"flat"}
    assert {fields[2].split(":")[0] for fields in run} == {"flat", "worn"}


def test_color_is_asked_for_twice(work: Path) -> None:
    """Once with emphasis and once as it comes; the protocols luma and color share the gallery."""
    found = evaluate("color", work / "luma")
    assert (found["queries"], found["judged"], found["failed"]) == (24, 12, 0)
    assert list(found["measures"]) == ["P@10", "kind P@10", "color P@10", "default P@10"]
    evaluate("luma", work / "luma")
    assert len(list((work / "home" / "eval").iterdir())) == 1


def test_thresholds_of_unrelated_photos(work: Path) -> None:
    """At a threshold of 0 everything is answered and kept; the curve says what any other does when it is asked."""
    found = evaluate("unrelated", work, "--min-score", "0")
    assert (found["queries"], found["judged"], found["failed"]) == (32, 16, 0)
    assert {name: measure["value"] for name, measure in found["measures"].items()} == {
        "photos answered": 1,
        "styles kept": 1,
    }
    assert found["settings"]["min_score"] == 0
    steps = found["thresholds"]["steps"]
    assert steps[0] == {"min_score": 0, "answered": 1, "kept": 1}
    assert [step["answered"] for step in steps] == sorted((step["answered"] for step in steps), reverse=True)
    assert found["thresholds"]["quiet"]["answered"] <= 0.05
    assert found["thresholds"]["open"]["kept"] >= 0.9
    strict = evaluate("unrelated", work, "--min-score", "1")
    assert strict["measures"]["photos answered"]["value"] == steps[-1]["answered"] < 1
    assert strict["thresholds"] == found["thresholds"], "the curve is that of no threshold, whatever is asked"


def test_general_cuts_photos_below_the_home(work: Path) -> None:
    """Pieces lie in the home folder, not beside the photos; kinds are folders."""
    before = sorted((work / "unrelated").rglob("*"))
    found = evaluate("general", work / "unrelated")
    assert (found["queries"], found["judged"], found["gallery"]["items"]) == (24, 12, 36)
    assert list(found["measures"]) == ["Success@1", "mAP", "kind P@10"]
    assert found["measures"]["kind P@10"]["value"] == 1, "there are cats only"
    assert sorted((work / "unrelated").rglob("*")) == before


@pytest.mark.parametrize("protocol", ["worn", "luma"])
def test_folds_pool_what_each_model_answers(work: Path, protocol: str) -> None:
    """With the same network in every fold the numbers are those without; each fold has a home of its own."""
    folder = work if protocol == "worn" else work / "luma"
    plain = evaluate(protocol, folder)
    folded = evaluate(protocol, folder, "--folds", work / "cards" / "folds")
    assert folded["measures"] == plain["measures"]
    assert (folded["queries"], folded["gallery"]) == (plain["queries"], plain["gallery"])
    assert folded["settings"]["folds"].endswith("folds")
    assert len([home for home in (work / "home" / "eval").iterdir() if home.name != "made"]) == 1 + FOLDS
    strict = evaluate(protocol, folder, "--folds", work / "cards" / "folds", "--strict-folds", "--details")
    assert strict["settings"]["strict_folds"] is True
    assert strict["judged"] > 0


def test_strict_folds_need_folds(work: Path) -> None:
    """The one says how the other is to be done."""
    with pytest.raises(UsageError, match="--strict-folds"):
        evaluate("luma", work / "luma", "--strict-folds")


def test_the_report_as_it_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """Golden: measures, which of them should be small, a table by category with gaps, and thresholds."""
    _print_report(
        {
            "protocol": "unrelated",
            "queries": 4,
            "judged": 2,
            "failed": 0,
            "gallery": {"items": 3, "rejected": 0},
            "measures": {
                "photos answered": {"value": 0.25, "low": 0.0, "high": 0.5},
                "styles kept": {"value": 1.0, "low": 1.0, "high": 1.0},
            },
            "less_is_better": ["photos answered"],
            "categories": {
                "cats": {"queries": 1, "measures": {"photos answered": {"value": 0.25}}},
                "back views": {"queries": 1, "measures": {"styles kept": {"value": 1.0}}},
            },
            "thresholds": {
                "steps": [{"min_score": 0.5, "answered": 0.25, "kept": 1.0}],
                "quiet": {"min_score": 0.61234, "answered": 0.05, "kept": 0.95},
                "open": {"min_score": 0.7, "answered": 0.0, "kept": 0.9},
            },
            "failures": {},
            "timing_ms": {"search": 1.25},
            "seconds": 3.0,
        }
    )
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines == GOLDEN.splitlines()


GOLDEN = """\
unrelated: 4 queries (2 judged, 0 failed) over 3 items
measure                           value  95 % interval
photos answered (less is better)  0.250  0.000 - 0.500
styles kept                       1.000  1.000 - 1.000
category    queries  photos answered  styles kept
cats              1            0.250
back views        1                         1.000
min_score  answered   kept
     0.50     0.250  1.000
lowest with at most 5 % answered: 0.612 (answered 0.050, kept 0.950)
highest with at least 90 % kept: 0.700 (answered 0.000, kept 0.900)
mean ms a query: search 1.2; 3 s of queries
"""
