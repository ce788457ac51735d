"""The status of an index is plain values, for people and for JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.policy import Policy
from nitari.index.segments.status import status_of
from nitari.index.segments.store import IndexStore
from support.truths import ORIGIN, Truth


def test_is_plain(tmp_path: Path) -> None:
    """Everything in it can be written as JSON, and looking changes nothing."""
    store, truth = IndexStore(tmp_path / "card", origin=ORIGIN, engines={}), Truth(range(100))
    maintainer = Maintainer(store=store, truth=truth, policy=Policy(seal_rows=64), tables=truth)
    maintainer.run_once()
    maintainer.close()
    before = sorted(path.name for path in store.folder.rglob("*"))
    found = json.loads(json.dumps(asdict(status_of(store, truth))))
    assert (found["collection"], found["rows"], found["live"], found["rejected"]) == ("card", 100, 0, [])
    assert found["segments"][0]["rows"] == 100
    assert sorted(path.name for path in store.folder.rglob("*")) == before
