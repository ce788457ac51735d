"""Whatever byte of whatever file of an index is changed: it is noticed, reported and healed, and no answer is wrong."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.index import seal
from nitari.index.segments.scrub import Damage, check_all
from nitari.index.segments.status import IndexStatus, status_of
from support.damaging import BLOCK, DAMAGES, build, damage, files_of, folder_of, maintainer, open_store
from support.recovering import answers, check, gallery

TESTS = Path(__file__).parents[1]
POSITIONS = 160
# What an index of segments and a table consists of.
KINDS = {
    "manifest.json", "segment.json", "rows.npy", "keys.npy", "sorted.npy", "slots.npy", "ivf-rotation.npy",
    "ivf-centroids.npy", "ivf-offsets.npy", "ivf-codebooks.npy", "ivf-codes.npy", "table.json", "items.table",
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with an index that is whole; to be copied."""
    home = build(tmp_path_factory.mktemp("template") / "home")
    assert {path.name for path in files_of(home)} == KINDS
    return home


@pytest.fixture
def home(template: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(template, tmp_path / "home"))


def _status(home: Path) -> IndexStatus:
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        return status_of(open_store(home, catalog), catalog)


def _is_noticed(home: Path) -> tuple[bool, bool]:
    """Whether a start leaves something out, and whether the scrub finds something."""
    with SqlCatalog.open(home / FILE_NAME) as catalog:
        store = open_store(home, catalog)
        edition = store.open()
        whole = edition is not None and len(edition.segments) == 3 and edition.table is not None
        if edition is not None:
            for segment in edition.segments:
                segment.close()
            if edition.table is not None:
                edition.table.close()
        scrubbed = edition is None or any(isinstance(found, Damage) for found in check_all(store))
    return not whole, scrubbed


@pytest.mark.parametrize("block", [BLOCK, seal.BLOCK_BYTES])
def test_any_changed_byte_is_noticed(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """A start does not use it, or (behind the first block of a file) the scrub finds it."""
    if block != BLOCK:
        home = Path(shutil.copytree(template, tmp_path / "home"))
    else:  # most of these small files is not looked at by who starts
        monkeypatch.setattr(seal, "BLOCK_BYTES", block)
        home = build(tmp_path / "home")
    chance, files = random.Random(block), files_of(home)
    assert _is_noticed(home) == (False, False)
    left_to_scrub = 0
    for number in range(POSITIONS // 2):
        path, how = folder_of(home) / files[number % len(files)], [*DAMAGES][number // len(files) % len(DAMAGES)]
        data = path.read_bytes()
        damage(path, how, chance)
        refused, scrubbed = _is_noticed(home)
        assert scrubbed, f"{path} was {how}, and nobody noticed"
        left_to_scrub += not refused
        path.write_bytes(data)
    assert (left_to_scrub > 0) == (block == BLOCK)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_answers_stay_right_and_what_is_damaged_heals(home: Path, kind: str) -> None:
    """Who starts answers rightly at once, and takes over what was healed; what was wrong is told."""
    path = next(path for path in files_of(home) if path.name == kind)
    hows = sorted(DAMAGES)
    damage(folder_of(home) / path, hows[sorted(KINDS).index(kind) % len(hows)], random.Random(kind))
    with gallery(home) as opened:
        check(home, answers(opened, 1), 1)
        with maintainer(home) as keeper:
            damaged = keeper.scrub()
            assert len(damaged) == (kind != "manifest.json")
            status = _status(home)
            assert status.rejected
            assert status.maintainer["damaged"]
            keeper.run_once()
            assert keeper.scrub() == ()
        check(home, answers(opened, 2), 2)
    status = _status(home)
    assert (status.problem, status.live) == ("", 0)
    with gallery(home) as opened:
        check(home, answers(opened, 3), 3)


@pytest.mark.parametrize("count", [12, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.timeout(1200)
def test_what_was_not_checked_yet_crashes_nobody(tmp_path: Path, count: int) -> None:
    """Compiled code searches what is damaged behind the first block, and lives; the scrub finds it, and it heals."""
    command = [sys.executable, "-m", "support.damaging", str(tmp_path), "4", str(count)]
    done = subprocess.run(command, cwd=TESTS, capture_output=True, text=True, timeout=30 + 10 * count)
    assert done.returncode == 0, f"exit status {done.returncode} after:\n{done.stdout}\n{done.stderr}"
