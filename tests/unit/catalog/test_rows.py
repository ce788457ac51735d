"""Reading a few stored rows back touches those rows only."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.catalog import rows
from nitari.catalog.sql import SqlCatalog
from support.catalogs import query_plan


def test_chunks() -> None:
    """Values come in order, in pieces of the size asked for."""
    assert list(rows.chunks([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(rows.chunks([])) == []


@pytest.mark.parametrize(
    "statement",
    ["_WHOLE_ITEM", "_ITS_IMAGES", "_ITEMS", "_IMAGES", "_IMAGE_WITH_DIGEST", "_FEATURES", "_REGIONS", "_VIEWS"],
)
def test_look_ups_use_indexes(tmp_path: Path, statement: str) -> None:
    """What is asked for a few rows never reads a whole table."""
    with SqlCatalog.open(tmp_path / "catalog.sqlite") as catalog:
        steps = query_plan(catalog, getattr(rows, statement))
    assert steps
    assert not [step for step in steps if step.startswith("SCAN")], steps
