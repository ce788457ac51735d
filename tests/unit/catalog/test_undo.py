"""Records of the history come back as they went in, and damaged ones are known for it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.catalog.codec import RegionRow
from nitari.catalog.states import FeatureState, ItemState, ViewState
from nitari.catalog.undo import Undo, UndoError, decode_undo, encode_undo

numbers = st.integers(1, 2**62)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
shares = st.floats(0, 1)
regions: st.SearchStrategy[RegionRow] = st.tuples(shares, shares, shares, shares, texts, shares)
features = st.builds(
    FeatureState,
    lowlevel=st.none() | st.binary(max_size=20),
    regions=st.lists(regions, max_size=2).map(tuple),
    views=st.lists(st.builds(ViewState, key=numbers, region=regions, vector=st.binary(max_size=40)), max_size=3).map(
        tuple
    ),
)
images = st.tuples(numbers, st.integers(0, 9), texts, texts, st.none() | texts, st.none() | texts, numbers, numbers)
states = st.builds(
    ItemState,
    number=numbers,
    columns=st.tuples(texts, texts, texts, texts, texts, st.none() | numbers, texts, numbers),
    images=st.lists(images, max_size=3).map(tuple),
    features=st.dictionaries(st.tuples(numbers, numbers), features, max_size=3),
)
undos = st.builds(Undo, state=states, collections=st.none() | st.frozensets(numbers, max_size=2))


@given(undo=undos)
def test_round_trip(undo: Undo) -> None:
    """What is written is read back, equal in value and type."""
    found = decode_undo(encode_undo(undo))
    assert found == undo
    assert (found.state.item_id, found.state.seq) == (undo.state.columns[0], undo.state.columns[-1])
    assert hash(found.state.images) == hash(undo.state.images)


@given(undo=undos, data=st.data())
def test_damage(undo: Undo, data: st.DataObject) -> None:
    """A record with a byte changed, or cut off, is refused or the same; it is never taken for another one."""
    record = bytearray(encode_undo(undo))
    at = data.draw(st.integers(0, len(record) - 1))
    if data.draw(st.booleans()):
        del record[at:]
    else:
        record[at] ^= data.draw(st.integers(1, 255))
    with suppress(UndoError):
        assert decode_undo(bytes(record)) == undo


def test_other_version() -> None:
    """A record of a newer version is not guessed at."""
    undo = Undo(ItemState(1, ("a", "a", "", "[]", "{}", None, "", 1), ()), None)
    with pytest.raises(UndoError, match="version 07, expected 01"):
        decode_undo(b"\x07" + encode_undo(undo)[1:])
    with pytest.raises(UndoError, match="version none"):
        decode_undo(b"")
