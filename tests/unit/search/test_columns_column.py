"""One attribute in memory: how many rows pass a test, and which of some rows do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.search import columns_column as column_module
from nitari.search.columns import Row
from nitari.search.columns_column import Column
from nitari.search.filters import And, Filter, Not, Or, parse_filter
from nitari.types import AttributeValue
from support.filters import filters, passes, values


@given(
    st.lists(st.tuples(st.integers(1, 3), values()), max_size=10),
    filters(["color"]),
    st.sampled_from([0, 2, 1000]),
    st.data(),
)
def test_tests_of_some_rows(
    steps: list[tuple[int, AttributeValue]], document: dict[str, Any], counted: int, data: st.DataObject
) -> None:
    """Asked about all rows, about those that pass, or about some of them, a column says the same."""
    node = parse_filter(document).node
    if isinstance(node, And | Or | Not):
        return
    ordinals = np.cumsum([gap for gap, _ in steps], dtype=np.int32) if steps else np.empty(0, np.int32)
    count = int(ordinals[-1]) + 2 if steps else 1
    column = Column()
    column.extend(ordinals.tolist(), [value for _, value in steps])
    held = dict(zip(ordinals.tolist(), (value for _, value in steps), strict=True))
    wanted = [row in held and passes(document, Row("", "", "", {"color": held[row]})) for row in range(count)]
    assert column.where(node, 0, count).tolist() == wanted
    assert column.rows(node).tolist() == np.flatnonzero(wanted).tolist()
    some = np.array(sorted(data.draw(st.sets(st.integers(0, count - 1)))), np.int32)
    assert column.among(node, some).tolist() == [wanted[row] for row in some.tolist()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(column_module, "_COUNTED", counted)
        low, high = column.bounds(node)
    assert low <= sum(wanted) <= high


def test_bounds_follow_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was counted is counted again once there is more, and tests long not asked for are forgotten."""
    monkeypatch.setattr(column_module, "_REMEMBERED", 2)
    column = Column()
    tests: list[Filter] = [parse_filter({"x": value}) for value in ("a", "b", "c", "d")]
    for row, value in enumerate("abacab"):
        column.extend([row], [value])
        for name, wanted in zip("abcd", tests, strict=True):
            expected = "abacab"[: row + 1].count(name)
            assert column.bounds(wanted.node) == (expected, expected)  # type: ignore[arg-type]  # one test is no tree
    assert len(column._bounds) <= 2
    assert column.row_with(["a"]) == [-1]
