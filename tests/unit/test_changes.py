"""The log of changes: what changed since a version, as far back as it goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari import changes as changes_module
from nitari.changes import ChangeLog


@given(st.lists(st.lists(st.integers(0, 9), unique=True, max_size=4), max_size=12), st.integers(0, 12))
def test_says_what_changed_since(entries: list[list[int]], copied_at: int) -> None:
    """All keys since a version, each once, or that it is not known any more; never less, and a copy says the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes_module, "_LOGGED", 12)
        log = ChangeLog()
        for number, keys in enumerate(entries):
            if number == copied_at:
                old, log = log, log.copy()
                old.add(np.array([99], np.int64))
            log.add(np.array(keys, np.int64))
        assert log.version == len(entries)
        for since in range(len(entries) + 1):
            later = entries[since:]
            known = log.since(since)
            if known is None:
                assert sum(map(len, later)) > 12
            else:
                assert known.tolist() == sorted({key for keys in later for key in keys})
                assert sum(map(len, later)) <= 12
