"""Columns that were saved: rows by value, counts, and everything that has a quick way and a thorough one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nitari.errors import StateError
from nitari.search import columns as columns_module
from nitari.search import columns_sealed as sealed_module
from nitari.search.arrays import ArrayFile, ArrayWriter
from nitari.search.columns import Columns, Row
from nitari.search.filters import parse_filter
from nitari.types import Attributes, AttributeValue
from support.filters import passes

ROWS = 600
FILTERS: tuple[dict[str, Any], ...] = (
    {"color": "c1"},
    {"color": ["c1", "c3", "c4", "c6", "c9"]},
    {"rare": ["r1", "r5", "r9", "r12", "r77", "none"]},
    {"price": {"gte": 3.0, "lt": 9.0}},
    {"price": [1.0, 2.0, 5.0, 7.0, 9.0, 11.0, "1"]},
    {"tags": ["t1", "t4"]},
    {"tags": {"contains": "T"}, "color": {"ne": "c2"}},
    {"color": "c1", "sale": True, "price": {"lt": 4.0}},
    {"or": [{"rare": "r1"}, {"color": "c2", "tags": "t3"}]},
    {"not": {"or": [{"color": ["c1", "c2", "c3"]}, {"rare": {"exists": True}}]}},
    {"title": {"contains": "7 Of"}},
    {"title": {"prefix": "Number 12"}},
    {"item_id": [f"i{number}" for number in range(0, 1200, 7)]},
    {"item_group_id": {"lte": "g2"}},
    {"nothing": 1.0},
)


def _row(number: int, rng: np.random.Generator) -> Row:
    attributes: dict[str, AttributeValue] = {
        "color": f"c{int(rng.integers(10))}",
        "price": float(rng.integers(12)),
        "tags": tuple(f"t{tag}" for tag in rng.integers(6, size=int(rng.integers(4))).tolist()),
    }
    if rng.random() < 0.1:
        attributes["rare"] = f"r{int(rng.integers(80))}"
    if rng.random() < 0.5:
        attributes["sale"] = bool(rng.random() < 0.3)
    return Row(f"i{number}", f"g{number // 100}", f"Number {number} of many", attributes)


def _saved(path: Path, columns: Columns, alive: np.ndarray[Any, np.dtype[np.bool_]]) -> Columns:
    with ArrayWriter(path, "COLUMNS-", 1) as writer:
        columns.write(writer, alive, (np.cumsum(alive) - 1).astype(np.int32))
    return Columns(ArrayFile(path, "COLUMNS-", 1))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> tuple[Columns, list[Row]]:
    """Saved rows with some more behind them, and all of these rows."""
    rng = np.random.default_rng(0)
    rows = [_row(number, rng) for number in range(ROWS)]
    columns = Columns()
    columns.append(rows)
    alive = rng.random(ROWS) < 0.9
    saved = _saved(tmp_path_factory.mktemp("columns") / "file", columns, alive)
    later = [_row(number, rng) for number in range(ROWS, ROWS + 60)]
    saved.append(later[:30])
    saved.append(later[30:])
    return saved, [*(row for row, live in zip(rows, alive.tolist(), strict=True) if live), *later]


@pytest.mark.parametrize("sparse", [24, 2, 0.25])
@pytest.mark.parametrize("few", [1, 8, 1000])
def test_quick_and_thorough_ways_agree(
    table: tuple[Columns, list[Row]], sparse: float, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter passes what it should, whichever way of finding that out is taken."""
    monkeypatch.setattr(columns_module, "_SPARSE", sparse)
    monkeypatch.setattr(sealed_module, "_FEW", few)
    columns, rows = table
    for document in FILTERS:
        wanted = parse_filter(document)
        columns._masks.clear()
        expected = [at for at, row in enumerate(rows) if passes(document, row)]
        assert columns.matching(wanted).tolist() == expected
        columns._masks.clear()
        assert np.flatnonzero(columns.mask(wanted)).tolist() == expected
        assert columns.estimate(wanted) >= len(expected)


def test_estimates_of_values_are_exact(table: tuple[Columns, list[Row]]) -> None:
    """What one value or range of an attribute lets pass is known exactly; of two, it is at most the rarer's."""
    columns, rows = table
    for document in ({"color": "c1"}, {"price": {"gte": 3.0, "lt": 9.0}}, {"title": {"prefix": "Number 12"}}):
        exact = [sum(passes({name: test}, row) for row in rows) for name, test in document.items()]
        if len(exact) == 1 and not isinstance(next(iter(document.values())), dict):
            assert columns.estimate(parse_filter(document)) == exact[0]
        assert columns.estimate(parse_filter(document)) >= exact[0]
    both = {"color": "c1", "rare": "r1"}
    rare = sum(passes({"rare": "r1"}, row) for row in rows)
    assert columns.estimate(parse_filter(both)) == rare
    colors = sum(passes({"color": "c1"}, row) for row in rows)
    assert columns.estimate(parse_filter({"not": {"color": "c1"}})) == len(rows) - colors
    either = {"or": [{"color": "c1"}, {"rare": "r1"}]}
    assert columns.estimate(parse_filter(either)) == colors + rare
    assert columns.estimate(parse_filter({"nothing": 1})) == 0


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.98, 1.0])
def test_counts_for_any_share_of_rows(table: tuple[Columns, list[Row]], share: float) -> None:
    """Facets and summaries are the same whether few rows are counted, or those left out are taken off."""
    columns, rows = table
    mask = np.random.default_rng(1).random(len(rows)) < share
    fresh = Columns()
    fresh.append(rows)
    for name in ("color", "price", "tags", "rare", "sale", "item_group_id", "title"):
        assert columns.facet(name, mask, 5) == fresh.facet(name, mask, 5)
    assert columns.summaries(mask) == fresh.summaries(mask)
    assert columns.group_count(mask) == fresh.group_count(mask)


def test_equal_texts_and_elements_are_one_value_of_a_facet(tmp_path: Path) -> None:
    """Where some items have a text and others a list with the same text, also if only one of them was saved."""
    values: tuple[Attributes, ...] = ({"x": "a"}, {"x": ("a", "b")}, {"x": ("b", "b")}, {"x": ()}, {"x": "c"})
    rows = [Row(str(number), "g", "", attributes) for number, attributes in enumerate(values)]
    fresh = Columns()
    fresh.append([*rows, *rows])
    everything = np.ones(10, np.bool_)
    for cut in range(6):
        columns = Columns()
        columns.append(rows[:cut])
        saved = _saved(tmp_path / str(cut), columns, np.ones(cut, np.bool_))
        saved.append([*rows[cut:], *rows])
        assert saved.facet("x", everything, 9) == fresh.facet("x", everything, 9)


def test_no_rows(tmp_path: Path) -> None:
    """A file without rows opens, and rows go behind it."""
    empty = _saved(tmp_path / "file", Columns(), np.empty(0, np.bool_))
    assert len(empty) == 0
    assert empty.mask(parse_filter({"title": "x"})).size == 0
    assert empty.facet("title", np.empty(0, np.bool_), 3).values == ()
    empty.append([Row("a", "g", "x", {"n": 1.0})])
    assert empty.mask(parse_filter({"title": "x"})).tolist() == [True]
    assert empty.saved_rows(["a"]) == [-1]


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    """A file of a table of another size, or without a column that every table has, is damaged."""
    rows = [Row("a", "g", "x", {"n": 1.0})]
    columns = Columns()
    columns.append(rows)

    def written(name: str, notes: dict[str, Any]) -> ArrayFile:
        with ArrayWriter(tmp_path / name, "COLUMNS-", 1) as writer:
            columns.write(writer, np.ones(1, np.bool_), np.zeros(1, np.int32))
            for key, value in notes.items():
                writer.note(key, value)
        return ArrayFile(tmp_path / name, "COLUMNS-", 1)

    sizes = {"pairs": 1, "dense": False, "filled": 1}
    for number, notes in enumerate(
        (
            {"rows": 2},
            {"rows": "many"},
            {"attributes": ["n", "m"]},
            {"reserved.title": {}},
            {"reserved.title": {**sizes, "sizes": [1, 0, 0, 0, 0]}},
            {"attribute.0": {**sizes, "sizes": [0, 2, 0, 0, 0]}},
            {"attribute.0": {**sizes, "sizes": [0, 1]}},
        )
    ):
        file = written(str(number), notes)
        with pytest.raises(StateError, match="damaged"):
            Columns(file)
