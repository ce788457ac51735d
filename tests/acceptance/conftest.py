"""What tests of the search page share: served catalogs for the session, a browser for each file, watched tabs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from support.browser import open_browser
from support.page import Site, Visit, visiting
from support.page_catalogs import TELLING_COLOR, site, write_colored, write_drawn, write_hostile, write_some
from support.server import FAST


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Site]:
    """Twelve drawn styles in three colors, served with products found on photos."""
    folder = tmp_path_factory.mktemp("page") / "drawn"
    with site(folder, write_drawn(folder)) as made:
        yield made


@pytest.fixture(scope="session")
def colored(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Site]:
    """Drawn products in four colors, served with vectors that tell color from shape."""
    folder = tmp_path_factory.mktemp("page") / "colored"
    with site(folder, write_colored(folder), env=TELLING_COLOR) as made:
        yield made


@pytest.fixture(scope="session")
def luma(tmp_path_factory: pytest.TempPathFactory, model_store: object, data_dir: Path) -> Iterator[Site]:
    """Some of the sample luma."""
    folder = tmp_path_factory.mktemp("page") / "luma"
    with site(folder, write_some(data_dir / "luma", folder)) as made:
        yield made


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory, model_store: object, data_dir: Path) -> Iterator[Site]:
    """Some of the sample flat."""
    folder = tmp_path_factory.mktemp("page") / "flat"
    with site(folder, write_some(data_dir / "flat", folder)) as made:
        yield made


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Iterator[Site]:
    """A catalog whose every field tries to be more than text."""
    folder = tmp_path_factory.mktemp("page") / "hostile"
    with site(folder, write_hostile(folder), env=FAST, code=3) as made:
        yield made


@pytest.fixture(scope="session")
def camera(drawn: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film for the camera: a drawn garment, standing still."""
    path = tmp_path_factory.mktemp("camera") / "camera.mjpeg"
    path.write_bytes(next(iter(drawn.photos.values())).read_bytes() * 5)
    return path


@pytest.fixture(scope="module")
def browser(browser_path: str, camera: Path) -> Iterator[Browser]:
    """A browser with a camera. Not one for the session: while it is open, no test can run an event loop of its own."""
    with open_browser(browser_path, camera=camera) as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens tabs, each in a context of its own; none may complain."""
    with visiting(browser) as visit:
        yield visit
