"""``nitari eval`` in the default configuration, on the real catalogs and on a drawn one: what we promise."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nitari.evaluate.qrels import read_run

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
ACCEPTED = BENCHMARKS / "accepted" / "luma.json"
BY_FOLDS = ("--folds", str(BENCHMARKS / "folds"))
"""The default model was trained on these catalogs: each query asks the model that never saw its style or seller."""
MEASURES = ["Success@1", "Success@5", "Success@10", "P@1", "P@10", "mAP", "nDCG@10"]


def evaluate(home: Path, protocol: str, folder: Path, *options: str) -> dict[str, Any]:
    """What ``nitari eval PROTOCOL FOLDER --json`` prints."""
    command = [sys.executable, "-m", "nitari", "--home", str(home), "eval", protocol, str(folder), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    for measure in found["measures"].values():
        assert measure["low"] <= measure["value"] <= measure["high"]
    return found


def value(found: dict[str, Any], measure: str) -> float:
    """A measure's mean."""
    return float(found["measures"][measure]["value"])


@dataclass(frozen=True)
class LumaRun:
    """The default configuration on luma, evaluated once.

    Args:
        folder: The home, with ``run.txt`` and the saved run, ``run.json``, in it.
        found: What the command printed.
    """

    folder: Path
    found: dict[str, Any]


@pytest.fixture(scope="module")
def luma_run(tmp_path_factory: pytest.TempPathFactory, data_dir: Path, model_store: object) -> LumaRun:
    """One run that several tests look at."""
    folder = tmp_path_factory.mktemp("luma")
    files = ("--run", str(folder / "run.txt"), "--save", str(folder / "run.json"))
    return LumaRun(folder, evaluate(folder, "luma", data_dir / "luma", *BY_FOLDS, *files))


@pytest.mark.timeout(1200)
def test_luma_back_views_find_their_style(luma_run: LumaRun, data_dir: Path) -> None:
    """145 back views over the main photos of 461 items: Success@1 >= .80, Success@5 >= .94; the run says the same."""
    found, tmp_path = luma_run.found, luma_run.folder
    assert list(found["measures"]) == MEASURES
    assert (found["queries"], found["judged"], found["failed"], found["gallery"]["items"]) == (145, 145, 0, 461)
    assert value(found, "Success@1") >= 0.80
    assert value(found, "Success@5") >= 0.94
    run = read_run(tmp_path / "run.txt")
    assert len(run) == 145
    assert all(len(ranking) == 461 for ranking in run.values())
    assert evaluate(tmp_path, "luma", data_dir / "luma", *BY_FOLDS)["measures"] == found["measures"]


def test_color_can_be_asked_for(tmp_path: Path, data_dir: Path, model_store: object) -> None:
    """398 garments of luma: asked for the color, P@10 of type and color >= .29, and better than where nobody asks."""
    found = evaluate(tmp_path, "color", data_dir / "luma", *BY_FOLDS)
    assert (found["queries"], found["judged"], found["failed"], found["gallery"]["items"]) == (796, 398, 0, 461)
    assert value(found, "P@10") >= 0.29
    assert value(found, "P@10") > value(found, "default P@10")


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_worn_photos_find_flat_ones(tmp_path: Path, data_dir: Path, model_store: object) -> None:
    """402 worn garments over both catalogs: the right type at P@10 >= .77; P@5 >= .70 where flat ones alone answer."""
    found = evaluate(tmp_path, "worn", data_dir, *BY_FOLDS)
    assert (found["queries"], found["judged"], found["failed"], found["gallery"]["items"]) == (804, 402, 0, 5557)
    assert value(found, "P@10") >= 0.77
    assert value(found, "P@5 in flat") >= 0.70


@pytest.mark.timeout(1200)
def test_nothing_dropped_since_the_accepted_run(luma_run: LumaRun) -> None:
    """No measure that decides on luma is significantly worse than in the run that was accepted last.

    If a drop is meant, look at it and accept the new run: docs/how-to/compare.md says how.
    """
    command = [sys.executable, "-m", "nitari", "--home", str(luma_run.folder), "compare", str(ACCEPTED)]
    command += [str(luma_run.folder / "run.json"), "--fail-on-drop", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["dropped"] == []
    assert (told["queries"], told["judged"], told["left_out"]) == (145, 145, 0)
    assert {name: one["b"] for name, one in told["measures"].items()} == {
        name: one["value"] for name, one in luma_run.found["measures"].items()
    }


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_flat_photos_find_their_type(tmp_path: Path, data_dir: Path, model_store: object) -> None:
    """1,500 photos over 3,596 of other sellers: P@1 >= .75, P@10 >= .72."""
    found = evaluate(tmp_path, "flat", data_dir / "flat", *BY_FOLDS)
    assert (found["queries"], found["failed"], found["gallery"]["items"]) == (1500, 0, 3596)
    assert value(found, "P@1") >= 0.75
    assert value(found, "P@10") >= 0.72


def test_drawn_snapshots_find_their_item(tmp_path: Path, model_store: object) -> None:
    """A drawn catalog evaluates offline with its own queries and judgments, and most snapshots find their style."""
    command = [sys.executable, "-m", "nitari", "sample", "drawn", str(tmp_path / "drawn"), "--items", "48"]
    subprocess.run(command, capture_output=True, check=True)
    found = evaluate(tmp_path / "home", "qrels", tmp_path / "drawn", "--details")
    assert (found["queries"], found["judged"], found["failed"], found["gallery"]["items"]) == (24, 24, 0, 48)
    assert value(found, "Success@5") >= 0.80
    assert len(found["per_query"]) == 24
    assert sum(entry["queries"] for entry in found["categories"].values()) == 24
