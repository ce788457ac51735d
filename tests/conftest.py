"""Fixtures every test may use: the sample catalogs' folder, and what to do where something optional is missing."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--data DIR``: a folder that holds the sample catalogs ``luma/`` and ``flat/``."""
    parser.addoption("--data", default=None, help="folder with the sample catalogs luma/ and flat/")


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
        missing("no sample catalogs: run with --data DIR (see `nitari sample --help`)")
    folder = Path(str(given)).resolve()
    assert (folder / "luma" / "feed.csv").is_file(), f"{folder} holds no luma/feed.csv"
    return folder
