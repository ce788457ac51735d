"""A copy is only made of a state that is being read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from nitari.catalog.sqlite_copy import copy_database


def test_no_state(tmp_path: Path) -> None:
    """A connection outside a transaction would begin anew with every write of others: it is refused."""
    source = sqlite3.connect(tmp_path / "a")
    with pytest.raises(RuntimeError, match="one state"):
        copy_database(source, tmp_path / "b", None)
    source.close()
    assert not (tmp_path / "b").exists()


def test_damaged_source(tmp_path: Path) -> None:
    """A source that is no database is its own fault, not the copy's; nothing is left."""
    (tmp_path / "a").write_bytes(b"SQLite format 3\x00" + b"\xff" * 4096)
    source = sqlite3.connect(tmp_path / "a", isolation_level=None)
    source.execute("BEGIN")
    with pytest.raises(sqlite3.DatabaseError):
        copy_database(source, tmp_path / "copies" / "b", None)
    source.close()
    assert not (tmp_path / "copies").exists() or not list((tmp_path / "copies").iterdir())
