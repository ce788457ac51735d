"""``nitari index``: what it says of an index, and that it keeps, builds and heals one without any model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.cli.main import cli
from nitari.errors import ConfigurationError, UsageError
from support.catalogs import COLLECTION, photo, put, ready

NAME = COLLECTION.name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalog of 300 items, of which 256 are enough for a segment."""
    monkeypatch.setenv("NITARI__INDEX__SEAL_ROWS", "256")
    with ready(SqlCatalog.open(tmp_path / FILE_NAME)) as catalog:  # type: ignore[attr-defined]
        items = [put(f"item {number}", photo(f"{number}.jpg", f"{number}")) for number in range(300)]
        catalog.apply(items, collection=NAME)
    return tmp_path


def run(home: Path, *words: str, code: int = 0) -> str:
    """What a command of the group prints."""
    done = CliRunner().invoke(
        cli, ["--home", str(home), "index", *words], catch_exceptions=False, standalone_mode=False
    )
    assert (done.return_value or 0) == code, done.output
    return done.output


def status(home: Path, code: int = 0) -> Any:
    """The status of the one index."""
    (found,) = json.loads(run(home, "status", "--json", code=code))
    return found


def test_keeps_an_index(home: Path) -> None:
    """What is due is done, and told; the status tells what there is."""
    assert f"{NAME}: 300 vectors, 300 of them in memory only, 0.0 MiB" in run(home, "status")
    assert "300 rows are in no segment" in run(home, "maintain")
    assert run(home, "maintain", "--settle") == f"{NAME}: nothing to do\n"
    found = status(home)
    assert (found["rows"], found["live"], found["table_behind"]) == (300, 0, 0)
    assert "manifest 2, 0 changes behind; saved table 0 behind" in run(home, "status")


def test_heals_an_index(home: Path) -> None:
    """Damage is told by the status, and healed by the scrub."""
    run(home, "maintain")
    assert "all is as it was written" in run(home, "scrub", NAME)
    (rows,) = home.rglob("rows.npy")
    rows.write_bytes(rows.read_bytes()[:-1])
    assert "rows.npy has" in status(home, code=7)["segments"][0]["problem"]
    assert "rows.npy" in run(home, "scrub")
    assert "set aside because it was damaged" in run(home, "status")
    assert (status(home)["live"], len(status(home)["segments"])) == (0, 1)


def test_rebuilds_an_index(home: Path) -> None:
    """All of it is built again, and replaces what there was."""
    run(home, "maintain")
    before = status(home)["segments"]
    assert "all was built again; the table of items was saved" in run(home, "rebuild", NAME)
    after = status(home)["segments"]
    assert [part["rows"] for part in after] == [300]
    assert before != after


def test_a_small_catalog_has_no_index(tmp_path: Path) -> None:
    """A few items leave no folder behind."""
    with ready(SqlCatalog.open(tmp_path / FILE_NAME)) as catalog:  # type: ignore[attr-defined]
        catalog.apply([put("a", photo("a.jpg", "a"))], collection=NAME)
    assert run(tmp_path, "maintain") == f"{NAME}: nothing to do\n"
    assert not (tmp_path / "index").exists()


def test_tells_what_cannot_be(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collection that there is not, and an engine that keeps nothing on disk."""
    with pytest.raises(UsageError, match="no collection is named nowhere"):
        run(home, "rebuild", "nowhere")
    monkeypatch.setenv("NITARI__INDEX__ENGINE", "exact")
    with pytest.raises(ConfigurationError, match="keeps nothing on disk"):
        run(home, "maintain")


def test_follows_until_its_input_is_closed(home: Path) -> None:
    """A process that follows seals what there is, does what it is asked for, and ends with who started it."""
    command = [sys.executable, "-m", "nitari", "--home", str(home), "index", "maintain", "--follow"]
    with subprocess.Popen([*command, "--until-stdin-closes"], stdin=subprocess.PIPE) as process:
        folder = home / "index" / NAME
        while not (folder / "manifest.json").exists():
            assert process.poll() is None
        assert "the process that maintains it was asked to" in run(home, "rebuild")
        while (folder / "rebuild.wanted").exists():
            assert process.poll() is None
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(30) == 0
    assert status(home)["live"] == 0
