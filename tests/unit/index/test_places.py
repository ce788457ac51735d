"""Which rows stand where: followed through edits, listed or marked, and judged by a sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.index import places as places_module
from nitari.index.places import Places


@given(
    st.lists(st.integers(-1, 30), min_size=1, max_size=60),
    st.lists(st.lists(st.tuples(st.integers(0, 70), st.integers(-1, 40)), max_size=12), max_size=5),
    st.sampled_from([0, 8, 1000]),
    st.booleans(),
)
def test_the_rows_at_some_places(
    first: list[int], edits: list[list[tuple[int, int]]], listed: int, inverted: bool
) -> None:
    """Whatever moved since, they are those whose place is one of these, in each of the ways to find them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(places_module, "_INVERTED_FROM", 0 if inverted else 1000)
        patch.setattr(places_module, "_LISTED", listed)
        patch.setattr(places_module, "_ELSEWHERE", 16)
        now = np.array(first, np.int32)
        places = Places(now.copy())
        for number, edit in enumerate([[], *edits]):
            rows = max(now.size, *(slot + 1 for slot, _ in edit), 1)
            slots = {**dict.fromkeys(range(now.size, rows), -1), **dict(edit)}
            now = np.concatenate([now, np.full(rows - now.size, -1, np.int32)])
            now[list(slots)] = list(slots.values())
            if edit:
                places.put(rows, np.array(list(slots), np.int64), np.array(list(slots.values()), np.int32))
            assert places.array.tolist() == now.tolist()
            assert places.top > now.max()
            for few in (np.arange(number, 41, 3, dtype=np.int32), np.empty(0, np.int32)):
                expected = np.flatnonzero(np.isin(now, few))
                found, bits, count = places.at(few)
                assert count == expected.size
                if found is None:
                    assert bits is not None
                    found = np.flatnonzero(np.unpackbits(bits, count=rows, bitorder="little"))
                assert found.tolist() == expected.tolist()


def test_a_share_is_judged_by_a_sample() -> None:
    """Within a few parts in ten; 0 where too few of the sample pass to say."""
    rng = np.random.default_rng(1)
    places = Places(rng.integers(-1, 50_000, 100_000).astype(np.int32))
    for share in (1.0, 0.5, 0.1, 0.02):
        assert places.share(rng.random(50_000) < share) == pytest.approx(share, rel=0.4)
    assert places.share(np.zeros(50_000, np.bool_)) == 0.0
    assert places.share(rng.random(50_000) < 0.0005) == 0.0
    assert Places(np.empty(0, np.int32)).share(np.ones(1, np.bool_)) == 0.0
