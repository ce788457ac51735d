"""Running a protocol: what is imported, asked and kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.evaluate.protocols import EvalProtocol, EvalQuery, GalleryFeed
from nitari.evaluate.report import report
from nitari.evaluate.runner import Run, home_for, run_protocol
from nitari.types import Box
from support.evaluating import FakeIngester, FakeSearcher, row


def protocol(folder: Path, *queries: EvalQuery) -> EvalProtocol:
    """Three items; ``one`` and ``two`` are right for every query."""
    gallery = GalleryFeed("eval-test:f", str(folder), [row("one"), row("two"), row("three")])
    judgments = {query.query_id: {"one": 1, "two": 1} for query in queries}
    return EvalProtocol("qrels", gallery, queries, judgments)


def run(asked: EvalProtocol, searcher: FakeSearcher, *, depth: int = 10, workers: int = 2) -> Run:
    """Run with a fake ingester."""
    return run_protocol(asked, ingester=FakeIngester(), open_searcher=searcher.open, depth=depth, workers=workers)


def test_gallery_is_synchronized_then_queries_are_asked_in_order(tmp_path: Path) -> None:
    """The eval home equals the gallery; rankings come in the protocol's order; progress is told."""
    (tmp_path / "a.jpg").write_bytes(b"a")
    (tmp_path / "b.jpg").write_bytes(b"b")
    box = Box(0, 0, 0.5, 0.5)
    asked = protocol(tmp_path, EvalQuery("q1", "a.jpg", box, {"not": {"x": 1}}), EvalQuery("q2", "b.jpg"))
    ingester, searcher = FakeIngester(), FakeSearcher({b"a": ("one", "three"), b"b": ("three", "two", "one")})
    told: list[tuple[int, int]] = []
    found = run_protocol(
        asked,
        ingester=ingester,
        open_searcher=searcher.open,
        depth=2,
        on_query=lambda done, total: told.append((done, total)),
    )
    assert ingester.asked == [("eval-test:f", True, True)]
    assert list(found.rankings) == ["q1", "q2"]
    assert [[item_id for item_id, _ in ranking] for ranking in found.rankings.values()] == [
        ["one", "three"],
        ["three", "two"],
    ]
    assert told == [(1, 2), (2, 2)]
    by_photo = {query.photo: query for query in searcher.queries}
    assert (by_photo[b"a"].region, by_photo[b"a"].filter, by_photo[b"a"].k) == (box, {"not": {"x": 1}}, 2)
    assert by_photo[b"b"].region == "auto"
    assert found.timing_ms == {"total": 2.0}
    assert [hit.item_id for hit in found.hits["q2"]] == ["three", "two"]
    assert not searcher.is_open


def test_unusable_query_photos_are_failures_that_count_zero(tmp_path: Path) -> None:
    """A missing, foreign or broken photo is recorded with its reason, and the rest is asked."""
    (tmp_path / "good.jpg").write_bytes(b"good")
    (tmp_path / "bad.jpg").write_bytes(b"bad")
    asked = protocol(
        tmp_path,
        EvalQuery("missing", "no.jpg"),
        EvalQuery("outside", "../secret.jpg"),
        EvalQuery("broken", "bad.jpg"),
        EvalQuery("good", "good.jpg", category="Hats"),
    )
    found = run(asked, FakeSearcher({b"good": ("one", "two")}))
    assert set(found.failures) == {"missing", "outside", "broken"}
    assert "no.jpg" in found.failures["missing"]
    assert "outside" in found.failures["outside"]
    told = report(found, settings={"embedder": "e"}, details=True)
    assert (told["queries"], told["judged"], told["failed"]) == (4, 4, 3)
    assert told["measures"]["Success@1"]["value"] == 0.25
    assert told["categories"]["Hats"]["measures"]["Success@1"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert told["categories"]["Hats"]["queries"] == 1
    assert told["per_query"]["broken"]["mAP"] == 0
    assert told["settings"]["embedder"] == "e"
    assert told["settings"]["depth"] == 10


def test_reports_without_judgments_have_no_measures(tmp_path: Path) -> None:
    """A run alone is worth reporting too."""
    (tmp_path / "a.jpg").write_bytes(b"a")
    asked = EvalProtocol("qrels", GalleryFeed("f", str(tmp_path), [row("one")]), (EvalQuery("q", "a.jpg"),), None)
    told = report(run(asked, FakeSearcher({b"a": ("one",)})))
    assert (told["measures"], told["categories"], told["judged"], told["gallery"]["items"]) == ({}, {}, 0, 1)


def test_errors_of_the_system_end_the_run(tmp_path: Path) -> None:
    """What is not the photo's fault is not counted as a failure of it."""
    (tmp_path / "a.jpg").write_bytes(b"a")

    class Broken(FakeSearcher):
        def search(self, query: object) -> object:  # type: ignore[override]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(protocol(tmp_path, *(EvalQuery(f"q{n}", "a.jpg") for n in range(9))), Broken({}))


def test_homes_differ_by_data_and_by_extractor(tmp_path: Path) -> None:
    """Vectors of two kinds or two catalogs never share a home; the same question finds the same home."""
    one, other = protocol(tmp_path / "a"), protocol(tmp_path / "b")
    homes = {home_for(tmp_path, asked, fingerprint) for asked in (one, other) for fingerprint in ("f", "g")}
    assert len(homes) == 4
    assert home_for(tmp_path, one, "f") in homes
    assert home_for(tmp_path, one, "f").parent == tmp_path


def test_options_are_those_of_the_run_but_for_pinned_ones(tmp_path: Path) -> None:
    """A run's options win over the protocol's, except where a query pins them: with its own value, or without."""
    (tmp_path / "a.jpg").write_bytes(b"a")
    asked = protocol(
        tmp_path,
        EvalQuery("free", "a.jpg", options={"emphasis": 0.7}),
        EvalQuery("pinned", "a.jpg", options={"emphasis": 0.6}, pinned=("emphasis", "min_score")),
    )
    searcher = FakeSearcher({b"a": ("one",)})
    given = {"emphasis": 0.1, "min_score": 0.3, "worn": "off"}
    run_protocol(asked, ingester=FakeIngester(), open_searcher=searcher.open, options=given)
    found = [(query.emphasis, query.min_score, query.worn) for query in searcher.queries]
    assert found == [(0.1, 0.3, "off"), (0.6, None, "off")]


def test_several_galleries_are_imported_one_by_one(tmp_path: Path) -> None:
    """Each feed under its own name, their counts together; the query's own folder wins over the gallery's."""
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "a.jpg").write_bytes(b"a")
    first = GalleryFeed("eval-one:f", str(tmp_path), [row("one")])
    second = GalleryFeed("eval-two:f", str(tmp_path / "far"), [row("two"), row("three")])
    asked = EvalProtocol("qrels", first, (EvalQuery("q", "a.jpg", image_base=second.image_base),), None, (second,))
    ingester = FakeIngester()
    found = run_protocol(asked, ingester=ingester, open_searcher=FakeSearcher({b"a": ("two",)}).open)
    assert [feed for feed, _, _ in ingester.asked] == ["eval-one:f", "eval-two:f"]
    assert (found.gallery.indexed, found.gallery.complete, found.failures) == (3, True, {})
    assert home_for(tmp_path, asked, "f") != home_for(tmp_path, EvalProtocol("qrels", first, (), None), "f")
