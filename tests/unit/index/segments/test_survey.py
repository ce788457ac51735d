"""The survey tells what is new and what is dead, and what cannot be opened."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.policy import Policy
from nitari.index.segments.status import status_of
from nitari.index.segments.store import IndexStore
from nitari.index.segments.survey import among, take_survey
from support.truths import ORIGIN, Truth


def test_tells_new_and_dead(tmp_path: Path) -> None:
    """Keys in no segment are new, rows without a key are dead; a damaged segment does not count. So says the status."""
    store, truth = IndexStore(tmp_path / "card", origin=ORIGIN, engines={}), Truth(range(100))
    empty = status_of(store, truth)
    assert (empty.number, empty.rows, empty.live, empty.segments, empty.bytes) == (0, 100, 100, (), 0)
    maintainer = Maintainer(store=store, truth=truth, policy=Policy(seal_rows=64), tables=truth)
    maintainer.run_once()
    truth.delete(*range(10))
    truth.put(*range(200, 205))
    manifest = store.manifest()
    assert manifest is not None
    survey, damaged = take_survey(store, truth, manifest)
    assert not damaged
    assert survey.new.tolist() == list(range(200, 205))
    assert [(held.rows, held.dead, held.alive) for held in survey.held] == [(100, 10, 90)]
    status = status_of(store, truth)
    assert (status.behind, status.table_behind, status.rows, status.live) == (15, 15, 95, 5)
    assert status.bytes > 2000
    assert status.maintainer["done"]
    (store.folder / "segments" / manifest.segments[0].name / "keys.npy").write_bytes(b"")
    survey, damaged = take_survey(store, truth, manifest)
    assert [found.entry for found in damaged] == list(manifest.segments)
    assert survey.new.size == 95
    assert "keys.npy" in status_of(store, truth).segments[0].problem
    (store.folder / "manifest.json").write_text("{}")
    assert "manifest.json" in status_of(store, truth).problem
    maintainer.close()


def test_among() -> None:
    """Which keys are among ordered ones."""
    assert among(np.asarray([3, 1, 9]), np.asarray([1, 2, 3])).tolist() == [True, True, False]
