"""Fixtures every test may use: the sample catalogs' folder, and what to do where something optional is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from nitari.errors import ModelError
from nitari.models.store import ModelStore
from nitari.settings import load_settings
from support.browser import find_browser

# There are wheels of NGT for Linux only; there, it has to be installed.
if sys.platform != "linux" and find_spec("ngtpy") is None:
    collect_ignore = [f"unit/index/{name}.py" for name in ("test_ngt", "test_ngt_graph", "segments/test_ngt")]

# How long an example takes says how busy the machine is.
settings.register_profile("nitari", deadline=None)
settings.load_profile("nitari")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--data=DIR``: a folder that holds the sample catalogs ``luma/`` and ``flat/``."""
    parser.addoption("--data", default=None, help="folder with the sample catalogs luma/ and flat/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files of slow tests: one of them at the end would be waited for by all other workers."""
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    items.sort(key=lambda item: item.path not in slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """With several workers, each file is one worker's, and so are all of the page's tests: they share their servers."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = nodeid.partition("::")[0]
            return "page" if "/test_page_" in path else path

    return ByFile(config, log)


@pytest.fixture(scope="session")
def missing() -> Callable[[str], None]:
    """Call with a reason where something optional is absent: skips on a laptop, fails where CI=true."""

    def report(reason: str) -> None:
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(f"{reason} (CI must have it)")
        pytest.skip(reason)

    return report


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest, missing: Callable[[str], None]) -> Path:
    """The folder with the sample catalogs."""
    given = request.config.getoption("--data")
    if given is None:
        missing("no sample catalogs: run with --data=DIR (see `nitari sample --help`)")
    folder = Path(str(given)).resolve()
    assert (folder / "luma" / "feed.csv").is_file(), f"{folder} holds no luma/feed.csv"
    return folder


@pytest.fixture(scope="session")
def model_cache() -> Path:
    """The folder of converted networks: what ``NITARI__MODELS__CACHE`` says, else the user's own cache."""
    return load_settings().models.cache


@pytest.fixture(scope="session")
def model_store(model_cache: Path, missing: Callable[[str], None]) -> ModelStore:
    """A store with the networks of the built-in baseline cards in it, pulled if need be."""
    store = ModelStore(cache=model_cache)
    try:
        for name in ("fashion-baseline", "efficientnet-lite0-mobilenet-v2", "u2netp"):
            store.networks(store.card(name))
    except ModelError as exc:
        missing(f"the default models cannot be pulled: {exc}")
    return store


@pytest.fixture(scope="session")
def browser_path(missing: Callable[[str], None]) -> str:
    """The path of a Chromium or Chrome."""
    path = find_browser()
    if path is None:
        missing("no Chromium or Chrome found: install one, or name it in NITARI_TEST_BROWSER")
        raise AssertionError
    return path
