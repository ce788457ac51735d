"""What suites of contracts share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nitari.catalog.base import Catalog
from support.catalogs import ADAPTERS, ready


@pytest.fixture(params=sorted(ADAPTERS))
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Catalog]]:
    """Opens one and the same catalog, each time anew; all are closed in the end."""
    opened: list[Catalog] = []

    def opener() -> Catalog:
        opened.append(ADAPTERS[request.param](tmp_path))
        return opened[-1]

    yield opener
    for catalog in opened:
        catalog.close()


@pytest.fixture
def catalog(reopen: Callable[[], Catalog]) -> Catalog:
    """A catalog with the collection and the feed registered."""
    return ready(reopen())
