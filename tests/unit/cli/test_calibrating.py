"""``nitari calibrate`` on a catalog of its own items, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from nitari import wiring
from nitari.calibrations import calibration_path, open_calibration
from nitari.cli.calibrating import _pairs_of
from nitari.cli.main import cli
from nitari.errors import DataError, UsageError
from nitari.evaluate.calibrate import Pair
from nitari.evaluate.protocols.base import EvalProtocol, EvalQuery, GalleryFeed, Sweep
from nitari.evaluate.runner import Run
from nitari.ingest.worker import ImportReport
from nitari.settings import load_settings
from nitari.types import WHOLE, Hit
from support.categories import TANKS, TEES, assortment
from support.extraction import text_extractor


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose catalog holds three categories that vectors tell fairly well."""
    extractor = text_extractor()
    monkeypatch.setattr(wiring, "open_extractor", lambda _settings, _collection=None: extractor)
    folder = tmp_path / "home"
    with wiring.open_catalog(load_settings(home=folder)) as catalog:
        catalog.register_collection(extractor.spec)
        catalog.register_feed("feed.csv", None)
        catalog.apply(assortment(), collection=extractor.collection)
    return folder


def _run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--home", str(home), "calibrate", *arguments])


def test_its_own_items(home: Path) -> None:
    """The fit is told, kept, used by searchers from then on, and forgotten on request."""
    result = _run(home, "--items", "60", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["recommended"] == 0.5
    assert 0.3 < told["relevant"] < 1
    assert told["error"] < 0.15
    assert told["pairs"] == 60 * 20
    settings, spec = load_settings(home=home), text_extractor().spec
    kept = open_calibration(settings, spec)
    assert kept is not None
    assert (kept.slope, kept.offset) == (told["slope"], told["offset"])
    # Fitted to likeness, whatever scores are like by now.
    again = json.loads(_run(home, "--items", "60", "--json").stdout)
    assert again["slope"] == pytest.approx(told["slope"])
    assert "[calibration] slope" in _run(home, "--items", "60").stdout
    assert _run(home, "--forget").exit_code == 0
    assert not calibration_path(settings, spec).exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("luma",), "not pairs"),
        (("mars", "."), "not one of luma"),
        (("luma", "nowhere"), "does not exist"),
    ],
)
def test_refuses(home: Path, arguments: tuple[str, ...], complaint: str) -> None:
    """Arguments that are no protocols with folders are named."""
    result = _run(home, *arguments)
    assert isinstance(result.exception, UsageError)
    assert complaint in result.exception.message


def test_too_small_a_catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalog without items teaches nothing, and says so."""
    monkeypatch.setattr(wiring, "open_extractor", lambda _settings, _collection=None: text_extractor())
    result = _run(tmp_path)
    assert isinstance(result.exception, DataError)
    assert "teach no calibration" in result.exception.message


def test_which_hits_of_a_run_count() -> None:
    """What is judged so or of the query's category is relevant; strangers find nothing; thresholds are out."""

    def hit(item_id: str, kind: str) -> Hit:
        return Hit(item_id, item_id, 0.5, "a.jpg", WHOLE, attributes={"product_type": kind})

    queries = (
        EvalQuery("judged", "q.jpg", category=TEES),
        EvalQuery("stranger@all", "q.jpg", category="birds"),
        EvalQuery("stranger", "q.jpg", options={"min_score": 0.5}),
        EvalQuery("unjudged", "q.jpg", category=TEES),
    )
    protocol = EvalProtocol(
        "p", GalleryFeed("f", None, ()), queries, {"judged": {"a": 1}}, sweep=Sweep(("stranger@all", "stranger"), {})
    )
    hits = (hit("a", TANKS), hit("b", TEES), hit("c", TANKS))
    run = Run(protocol, {}, {}, 1000, ImportReport("f"), 1.0, hits={query.query_id: hits for query in queries})
    relevant = [Pair(0.5, True), Pair(0.5, True), Pair(0.5, False)]
    assert list(_pairs_of(run, "product_type")) == [*relevant, *[Pair(0.5, False)] * 3]


def test_folds_want_a_protocol(home: Path) -> None:
    """A catalog's own items cannot ask a model that did not embed them."""
    result = _run(home, "--folds", str(home))
    assert isinstance(result.exception, UsageError)
    assert "--folds is for protocols" in str(result.exception)
