"""Vocabularies as one: sorted by kind and value, only what is used, each entry where its new code says."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nitari.search.arrays import ArrayFile, ArrayWriter
from nitari.search.columns_merged import merged
from nitari.search.columns_sealed import BOOLEAN, ELEMENT, EMPTY_LIST, NUMBER, TEXT, SealedColumn, write_column

_TEXTS = st.sampled_from(["", "a", "ab", "b", "ß", "\U0001f457"])
_ENTRIES = st.one_of(
    st.tuples(st.sampled_from([TEXT, ELEMENT]), _TEXTS),
    st.tuples(st.just(NUMBER), st.sampled_from([-1.5, 0.0, 1.0, 1e300])),
    st.tuples(st.just(BOOLEAN), st.booleans()),
    st.just((EMPTY_LIST, ())),
)
Entry = tuple[int, Any]


def _column(folder: str, name: str, old: SealedColumn | None, used: list[bool], entries: list[Entry]) -> SealedColumn:
    """The used entries of ``old`` and ``entries``, merged and written as a column that has each of them once."""
    kinds = np.array([kind for kind, _ in entries], np.uint8)
    chosen = np.array(used, np.bool_)
    vocabulary, recoded = merged(old, chosen, [value for _, value in entries], kinds)
    codes = np.sort(recoded[chosen])
    assert codes.tolist() == list(range(sum(used)))
    with ArrayWriter(Path(folder) / name, "MERGED-T", 1) as writer:
        rows = np.arange(codes.size, dtype=np.int32)
        write_column(writer, "own", vocabulary, rows=codes.size, ordinals=rows, codes=codes)
    column = SealedColumn(ArrayFile(Path(folder) / name, "MERGED-T", 1), "own", codes.size)
    both = (
        [] if old is None else [(int(old.kinds(np.array([code]))[0]), old.value(code)) for code in range(old.entries)]
    )
    for code, entry in enumerate([*both, *entries]):
        if used[code]:
            new = int(recoded[code])
            assert (int(column.kinds(np.array([new]))[0]), column.value(new)) == entry
            assert column.find(entry[0], [entry[1]]) == [new]
            assert column.row_of(new) == new
    return column


@given(st.lists(_ENTRIES, unique=True, max_size=10), st.lists(_ENTRIES, unique=True, max_size=10), st.data())
def test_merges_what_is_used(first: list[Entry], second: list[Entry], data: st.DataObject) -> None:
    """First a vocabulary of its own, then that one with what came since; the order is that of kinds and values."""
    flags = st.booleans()
    with tempfile.TemporaryDirectory() as folder:
        old = _column(folder, "old", None, [True] * len(first), first)
        since = [entry for entry in second if entry not in first]
        used = data.draw(st.lists(flags, min_size=len(first) + len(since), max_size=len(first) + len(since)))
        new = _column(folder, "new", old, used, since)
        by_kind = [[new.value(code) for code in range(*new.bounds[kind : kind + 2])] for kind in range(4)]
        assert by_kind == [sorted(values) for values in by_kind]
