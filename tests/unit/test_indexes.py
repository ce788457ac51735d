"""Settings become indexes that hold what the catalog has, and processes that keep them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from nitari import indexes
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.errors import MissingExtraError
from nitari.index.segments.segmented import SegmentedIndex
from nitari.search.gallery import Gallery
from nitari.settings import Settings, load_settings
from support.catalogs import COLLECTION, FEED, photo, put

NAME = COLLECTION.name


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqlCatalog]:
    """A catalog of 300 items."""
    with SqlCatalog.open(tmp_path / FILE_NAME) as opened:
        opened.register_collection(COLLECTION)
        opened.register_feed(FEED, None)
        opened.apply([put(f"{number}", photo(f"{number}.jpg", f"{number}")) for number in range(300)], collection=NAME)
        yield opened


def _settings(home: Path, **index: object) -> Settings:
    return load_settings(home=home, index={"seal_rows": 256, **index})


@pytest.mark.parametrize("engine", ["auto", "exact", "faiss", "ngt"])
def test_every_engine_holds_the_catalog(catalog: SqlCatalog, tmp_path: Path, engine: str) -> None:
    """Whatever the engine, a gallery holds every vector; only segments are kept on disk."""
    if engine == "ngt" and not find_spec("ngtpy"):
        pytest.skip("ngt is not installed")
    settings = _settings(tmp_path, engine=engine)
    done = indexes.maintain_once(settings, catalog)
    assert bool(done) == (engine == "auto") == (tmp_path / "index").exists()
    index, editions = indexes.open_index(settings, catalog, COLLECTION)
    assert (editions is not None) == (engine == "auto")
    own = SqlCatalog.open(tmp_path / FILE_NAME)
    with closing(Gallery.open(catalog=own, index=index, collection=NAME, editions=editions)):
        assert len(index) == 300
        if isinstance(index, SegmentedIndex):
            assert index.live == 0


def test_what_is_large(tmp_path: Path) -> None:
    """Large is what has segments, or will have once it is quiet; nothing is where another engine is set."""
    settings = _settings(tmp_path)
    assert not indexes.is_large(settings, 31, 16)
    assert indexes.is_large(settings, 32, 16)
    assert not indexes.is_large(_settings(tmp_path, engine="exact"), 10**6, 16)


def test_an_engine_that_is_not_installed(catalog: SqlCatalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The maintainer says which extra to install; readers scan such segments."""
    engines = {name: engine for name, engine in indexes.segment_engines().items() if name != "ngt"}
    monkeypatch.setattr(indexes, "segment_engines", lambda: engines)
    with pytest.raises(MissingExtraError, match="ngt"):
        indexes.open_maintainer(_settings(tmp_path, segments="ngt"), catalog, COLLECTION)


def test_the_command_names_the_home(tmp_path: Path) -> None:
    """The process beside a server maintains this home until its input is closed."""
    command = indexes.maintainer_command(_settings(tmp_path))
    assert command[command.index("--home") + 1] == str(tmp_path)
    assert command[-2:] == ["--follow", "--until-stdin-closes"]
