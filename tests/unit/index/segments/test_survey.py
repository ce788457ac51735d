"""The survey tells what is new and what is dead, and what cannot be opened."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.policy import Policy
from nitari.index.segments.status import status_of
from nitari.index.segments.store import IndexStore
from nitari.index.segments.survey import Survey, among, bring_up, take_survey
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


def _said(survey: Survey) -> tuple[object, ...]:
    """A survey, to be compared."""
    alive = {name: slots.tolist() for name, slots in survey.alive.items()}
    return survey.seq, survey.rows, survey.new.tolist(), survey.held, alive


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_survey_is_brought_up(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """After any puts, deletes and keys that return, it says what a look at all keys says."""
    store, truth = IndexStore(tmp_path_factory.mktemp("index"), origin=ORIGIN, engines={}), Truth(range(200))
    with closing(Maintainer(store=store, truth=truth, policy=Policy(seal_rows=64))) as maintainer:
        maintainer.run_once()
        truth.put(*range(1000, 1100))
        maintainer.run_once()
    manifest = store.manifest()
    assert manifest is not None
    assert len(manifest.segments) == 2
    survey, _ = take_survey(store, truth, manifest)
    for number in range(data.draw(st.integers(1, 5))):
        gone = set(range(1200)) - truth.rows.keys()
        truth.put(*range(2000 + 100 * number, 2000 + 100 * number + data.draw(st.integers(0, 50))))
        truth.put(*sorted(gone)[:: data.draw(st.integers(1, 9))])
        truth.delete(*sorted(truth.rows)[:: data.draw(st.integers(1, 9))])
        brought = bring_up(survey, store, truth, manifest)
        assert brought is not None
        assert _said(brought) == _said(take_survey(store, truth, manifest)[0])
        survey = brought


def test_what_cannot_be_brought_up(tmp_path: Path) -> None:
    """Where the catalog forgot what changed, or segments are others or cannot be opened, all is looked at again."""
    store, truth = IndexStore(tmp_path / "card", origin=ORIGIN, engines={}), Truth(range(100))
    with closing(Maintainer(store=store, truth=truth, policy=Policy(seal_rows=64))) as maintainer:
        maintainer.run_once()
    manifest = store.manifest()
    assert manifest is not None
    survey, _ = take_survey(store, truth, manifest)
    assert bring_up(survey, store, truth, replace(manifest, segments=())) is None
    truth.put(500)
    assert bring_up(survey, store, truth, manifest) is not None
    truth.forget()
    assert bring_up(survey, store, truth, manifest) is None
    survey, _ = take_survey(store, truth, manifest)
    (store.folder / "segments" / manifest.segments[0].name / "keys.npy").write_bytes(b"")
    assert bring_up(survey, store, truth, manifest) is None


def test_slots_that_a_segment_does_not_have_are_damage(tmp_path: Path) -> None:
    """What is damaged where nobody looked before it was used is found to be, and kills nobody."""
    store, truth = IndexStore(tmp_path / "card", origin=ORIGIN, engines={}), Truth(range(100))
    with closing(Maintainer(store=store, truth=truth, policy=Policy(seal_rows=64))) as maintainer:
        maintainer.run_once()
    manifest = store.manifest()
    assert manifest is not None
    wrong = replace(manifest, segments=(replace(manifest.segments[0], count=99),))
    survey, damaged = take_survey(store, truth, wrong)
    assert [found.entry for found in damaged] == list(wrong.segments)
    assert survey.new.size == 100


def test_among() -> None:
    """Which keys are among ordered ones."""
    assert among(np.asarray([3, 1, 9]), np.asarray([1, 2, 3])).tolist() == [True, True, False]
