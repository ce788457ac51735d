"""Cross-validation: who asks which model, and what may answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import UsageError
from nitari.evaluate.folds import asking, fold_cards, pooled, strictly
from nitari.evaluate.protocols import EvalProtocol, EvalQuery, GalleryFeed, Lens, Sweep
from nitari.evaluate.report import report
from nitari.evaluate.runner import run_protocol
from nitari.folds import fold_of
from nitari.search.filters import parse_filter
from support.evaluating import FakeIngester, FakeSearcher, row

NAMES = [f"style{number}" for number in range(12)]
FOLDS = 3


def protocol(folder: Path) -> EvalProtocol:
    """Every style asks with its photo, and everything is right."""
    gallery = GalleryFeed("eval-test:f", str(folder), [row(name, group=name) for name in NAMES])
    queries = tuple(EvalQuery(name, f"{name}.jpg", filter={"x": 1}, fold_key=name) for name in NAMES)
    everything = {name: dict.fromkeys(NAMES, 1) for name in NAMES}
    lenses = (Lens("own", "P@1"), Lens("P@2", "P@2", everything))
    return EvalProtocol("qrels", gallery, queries, everything, lenses=lenses, sweep=Sweep((NAMES[0],), everything))


def test_queries_are_dealt_by_their_seller_or_style(tmp_path: Path) -> None:
    """Every query is in one fold, that of its key."""
    whole = protocol(tmp_path)
    dealt = [asking(whole, fold, FOLDS).queries for fold in range(FOLDS)]
    assert sorted(query.query_id for part in dealt for query in part) == sorted(NAMES)
    for fold, part in enumerate(dealt):
        assert all(fold_of(query.fold_key, FOLDS) == fold for query in part)


def test_strict_folds_answer_and_judge_within(tmp_path: Path) -> None:
    """Items say their fold, queries ask for theirs, and no item of another fold is right."""
    strict = strictly(protocol(tmp_path), FOLDS)
    for item in strict.gallery.items():
        assert item.attributes["eval_fold"] == str(fold_of(item.group_id, FOLDS))
    assert strict.judgments is not None
    assert strict.sweep is not None
    for query in strict.queries:
        fold = fold_of(query.fold_key, FOLDS)
        assert query.filter == {"x": 1, "eval_fold": str(fold)}
        parse_filter(query.filter)
        mates = {name for name in NAMES if fold_of(name, FOLDS) == fold}
        assert set(strict.judgments[query.query_id]) == set(strict.sweep.wanted[query.query_id]) == mates
        for lens in strict.measured:
            assert lens.judgments is not None
            assert set(lens.judgments[query.query_id]) == mates


def test_answers_of_all_folds_are_one_run(tmp_path: Path) -> None:
    """Rankings, failures and times are those of all; the measures are about all queries."""
    whole = protocol(tmp_path)
    for name in NAMES[1:]:
        (tmp_path / f"{name}.jpg").write_bytes(name.encode())
    table = {name.encode(): (name,) for name in NAMES}
    runs = [
        run_protocol(asking(whole, fold, FOLDS), ingester=FakeIngester(), open_searcher=FakeSearcher(table).open)
        for fold in range(FOLDS)
    ]
    run = pooled(whole, runs)
    assert set(run.rankings) == set(run.hits) | set(run.failures) == set(NAMES)
    assert set(run.failures) == {NAMES[0]}
    assert run.gallery.indexed == len(NAMES)
    assert run.timing_ms == {"total": pytest.approx(2.0)}
    told = report(run)
    assert (told["queries"], told["judged"], told["failed"]) == (12, 12, 1)
    assert told["measures"]["own"]["value"] == pytest.approx(11 / 12, abs=1e-4)
    assert told["measures"]["P@2"]["value"] == pytest.approx(11 / 24, abs=1e-4)


def test_cards_are_numbered_from_zero(tmp_path: Path) -> None:
    """A gap would leave queries unasked, so it is an error; other files are no concern."""
    for name in ("0", "1", "10", "notes"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "card.toml").touch()
    with pytest.raises(UsageError, match=r"0/card\.toml, 1/card\.toml, 10/card\.toml; expected"):
        fold_cards(tmp_path)
    (tmp_path / "10" / "card.toml").unlink()
    (tmp_path / "10").rmdir()
    assert fold_cards(tmp_path) == (tmp_path / "0" / "card.toml", tmp_path / "1" / "card.toml")
    (tmp_path / "1" / "card.toml").unlink()
    with pytest.raises(UsageError, match=r"holds 0/card\.toml; expected") as caught:
        fold_cards(tmp_path)
    assert "nitari train" in caught.value.remedy
