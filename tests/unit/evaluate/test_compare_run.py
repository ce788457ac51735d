"""Saved runs: what is written is what is read, small ones tell no paths, and damage is seen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from nitari.errors import DataError, UsageError
from nitari.evaluate.compare_run import (
    SavedHit,
    SavedMeasure,
    SavedQuery,
    SavedRun,
    of_run,
    read_saved,
    small,
    standard,
    write_saved,
)
from nitari.evaluate.protocols import EvalProtocol, EvalQuery, GalleryFeed
from nitari.evaluate.report import report
from nitari.evaluate.runner import run_protocol
from nitari.types import Box
from support.evaluating import FakeIngester, FakeSearcher, row

HITS = (SavedHit("one", "p/1.jpg", Box(0.1, 0.2, 0.3, 0.4), 0.9), SavedHit("two", "https://shop.example/2.jpg"))
RUN = SavedRun(
    name="test model",
    protocol="qrels",
    queries=(
        SavedQuery(
            "q1", "q/1.jpg", Box(0, 0, 0.5, 1), "Hats", "", ("one", "two", "three"), HITS, {"two": 2, "five": 0},
            {"Success@1": 0.0, "mAP": 1 / 3},
        ),
        SavedQuery("q2 a b, 色", failure="no photo", grades={"one": 1}, measures={"Success@1": 0.0, "mAP": 0.0}),
        SavedQuery("q3", ranking=("one",)),
    ),
    measures=(*standard(["Success@1", "mAP"]), SavedMeasure("worn@10", "P@10", less_is_better=True, is_own=True)),
    settings={"embedder": "e", "threads": 1},
    depth=1000,
    kept=1000,
    image_base="/somewhere/else",
    made="2026-01-02T03:04:05+00:00",
)  # fmt: skip


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Every field comes back (measures to nine digits); each query is a line."""
    write_saved(tmp_path / "run.json", RUN)
    found = read_saved(tmp_path / "run.json")
    assert found.by_id()["q1"].measures == pytest.approx(RUN.by_id()["q1"].measures, abs=1e-9)
    assert replace(found, queries=()) == replace(RUN, queries=())
    for there, was in zip(found.queries, RUN.queries, strict=True):
        assert replace(there, measures={}) == replace(was, measures={})
    lines = (tmp_path / "run.json").read_text("utf-8").splitlines()
    assert sum(line.startswith('{"id":') for line in lines) == 3


def test_a_protocols_run_is_saved_with_what_it_measured(tmp_path: Path) -> None:
    """Rankings, judgments, measures and photos of hits are those of the run; so a report of it says the same."""
    (tmp_path / "a.jpg").write_bytes(b"a")
    gallery = GalleryFeed("eval-test:f", str(tmp_path), [row("one"), row("two"), row("three")])
    asked = EvalProtocol("qrels", gallery, (EvalQuery("q", "a.jpg", category="Hats"), EvalQuery("gone", "no.jpg")),
                         {"q": {"two": 1}, "gone": {"one": 1}})  # fmt: skip
    searcher = FakeSearcher({b"a": ("three", "two", "one")})
    run = run_protocol(asked, ingester=FakeIngester(), open_searcher=searcher.open, depth=3)
    told = report(run, details=True)
    saved = of_run(run, name="m", settings={"a": 1})
    first, second = saved.queries
    assert (first.ranking, first.grades, first.category) == (("three", "two", "one"), {"two": 1}, "Hats")
    assert [hit.item_id for hit in first.hits] == ["three", "two", "one"]
    assert first.measures == told["per_query"]["q"]
    assert second.ranking == ()
    assert "no.jpg" in second.failure
    assert (saved.kept, saved.image_base, saved.name) == (3, str(tmp_path), "m")


def test_a_small_run_tells_no_paths(tmp_path: Path) -> None:
    """Cut rankings, no photos, no folder, no texts of failures; the measures stay."""
    failed = replace(
        RUN,
        settings={"folds": str(tmp_path / "folds"), "threads": 1},
        queries=(*RUN.queries, SavedQuery("q4", failure="photo '/home/me/x.jpg' cannot be read")),
    )
    write_saved(tmp_path / "run.json", small(failed, kept=2))
    text = (tmp_path / "run.json").read_text("utf-8")
    assert not any(word in text for word in ("jpg", "somewhere", "shop.example", "home", str(tmp_path)))
    found = read_saved(tmp_path / "run.json")
    assert found.by_id()["q1"].ranking == ("one", "two")
    assert found.by_id()["q1"].measures["mAP"] == pytest.approx(1 / 3)
    assert found.by_id()["q4"].failure == "failed"
    assert (found.depth, found.kept) == (1000, 2)
    assert found.settings == {"folds": "folds", "threads": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "no magic"),
        ('{"magic": "other"}', "no magic"),
        ('{"magic": "nitari-run", "version": 2}', "format 2"),
        ('{"magic": "nitari-run", "version": 1}', "damaged"),
    ],
)
def test_another_file_is_told_apart(tmp_path: Path, text: str, said: str) -> None:
    """What is no run of this version is refused by name, with what was found."""
    (tmp_path / "x.json").write_text(text, "utf-8")
    with pytest.raises(DataError, match=said) as caught:
        read_saved(tmp_path / "x.json")
    assert "x.json" in caught.value.message
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ranking", [0, 0]),
        ("ranking", [99]),
        ("ranking", [-1]),
        ("ranking", [0]),
        ("ranking", "01"),
        ("measures", [1.0]),
        ("measures", ["x", 1]),
        ("box", [1, 0, 0, 1]),
        ("box", [0, 1]),
        ("photo", 77),
        ("grades", {"one": [0]}),
        ("grades", {"1": [99]}),
        ("hits", [[0, 0.5]]),
        ("id", "q3"),
    ],
)
def test_damage_is_seen(tmp_path: Path, name: str, value: object) -> None:
    """A number that refers to nothing, a value of another kind, a query that is there twice: damaged."""
    path = tmp_path / "run.json"
    write_saved(path, RUN)
    told = json.loads(path.read_text("utf-8"))
    told["queries"][0][name] = value
    path.write_text(json.dumps(told), "utf-8")
    with pytest.raises(DataError, match="damaged"):
        read_saved(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """The path and the reason are told; so they are of a file that is not there to be read."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be saved"):
        write_saved(tmp_path / "file" / "run.json", RUN)
    with pytest.raises(DataError, match="cannot be read"):
        read_saved(tmp_path / "none.json")
