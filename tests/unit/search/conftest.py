"""What tests of the searcher share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from nitari.catalog.base import Edit
from nitari.extract import Extractor
from nitari.search.searcher import Searcher
from support.catalogs import COLLECTION
from support.extraction import text_extractor
from support.galleries import open_catalog, open_gallery
from support.searching import OpenShop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[OpenShop]:
    """Call with edits: a searcher over a catalog of them."""
    opened = []

    def open_(*edits: Edit, extractor: Callable[[], Extractor] = text_extractor, **more: Any) -> Searcher:
        catalog = open_catalog(tmp_path)
        catalog.apply(edits, collection=COLLECTION.name)
        opened.append(Searcher(gallery=open_gallery(catalog), extractor=extractor, **more))
        return opened[-1]

    yield open_
    for searcher in opened:
        searcher.close()
