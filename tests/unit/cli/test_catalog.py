"""``nitari catalog``: how far back the catalog reaches, and the way there."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from nitari.catalog.base import ItemDelete
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.cli.main import cli
from nitari.errors import UsageError
from support.catalogs import COLLECTION, indexed, photo, put, ready


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder whose catalog had two items and now has one."""
    with SqlCatalog.open(tmp_path / FILE_NAME) as catalog:
        ready(catalog)
        catalog.apply([put(name, photo("1", name)) for name in "ab"], collection=COLLECTION.name)
        catalog.apply([ItemDelete("a")], collection=COLLECTION.name)
    return tmp_path


def run(home: Path, *arguments: str, answer: str = "") -> Result:
    """Run ``nitari catalog`` and check that it went well."""
    found = CliRunner().invoke(
        cli, ["--home", str(home), "catalog", *arguments], input=answer, standalone_mode=False, catch_exceptions=True
    )
    if found.exception is not None:
        raise found.exception
    return found


def items(home: Path) -> list[str]:
    """The items that the catalog holds."""
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        return sorted(indexed(catalog))


def test_history(home: Path) -> None:
    """The range is shown as a table and as JSON, with what the settings say."""
    assert "3" in run(home, "history").output
    told = json.loads(run(home, "history", "--json").output)
    assert (told["oldest"], told["newest"], told["oldest_at"], told["history_days"]) == (0, 3, None, 7)
    assert datetime.fromisoformat(told["newest_at"]).tzinfo is not None


def test_rollback_and_back(home: Path) -> None:
    """A rollback says how to undo itself, and that works."""
    assert "took 1 items back; the catalog is at change 4" in run(home, "rollback", "--to", "2", "--yes").output
    assert items(home) == ["a", "b"]
    told = json.loads(run(home, "rollback", "--to", "3", "--yes", "--json").output)
    assert told == {"undo": 4, "items": 1, "seq": 5}
    assert items(home) == ["b"]


def test_rollback_to_a_time(home: Path) -> None:
    """A time without a zone is of this machine."""
    run(home, "rollback", "--to", "2001-01-01T00:00:00", "--yes")
    assert items(home) == []


def test_asked_first(home: Path) -> None:
    """Without --yes nothing happens before a person has agreed."""
    with pytest.raises(click.exceptions.Abort):
        run(home, "rollback", "--to", "2", answer="n\n")
    assert items(home) == ["b"]
    run(home, "rollback", "--to", "2", answer="y\n")
    assert items(home) == ["a", "b"]


def test_neither_number_nor_time(home: Path) -> None:
    """What is neither a number nor a time is refused, with an example."""
    with pytest.raises(UsageError, match="yesterday") as caught:
        run(home, "rollback", "--to", "yesterday", "--yes")
    assert "T14:05" in caught.value.remedy
