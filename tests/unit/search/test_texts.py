"""Texts in one block: read back, found, compared and searched as Python's own texts are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.search import texts as texts_module
from nitari.search.arrays import ArrayFile, ArrayWriter
from nitari.search.texts import TextIndex, Texts, encoded, hashes_of, in_blocks, read_index, write_index, write_texts

ANY = st.text(st.characters() | st.sampled_from("aAbßſK\x00"), max_size=6) | st.sampled_from(
    ["\ud800", "\U0010ffff", "\uffff"]
)


def _saved(texts: list[str]) -> tuple[Texts, TextIndex]:
    """The texts, written and opened."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts"
        with ArrayWriter(path, "TEXTS--T", 1) as writer:
            write_texts(writer, "own", in_blocks(map(encoded, texts)))
            write_index(writer, "own", hashes_of(map(encoded, texts)))
        file = ArrayFile(path, "TEXTS--T", 1)
        opened = Texts.read(file, "own", len(texts))
        return opened, read_index(file, "own", opened)


@given(st.lists(ANY, max_size=12), st.lists(ANY, max_size=4), st.data())
def test_texts_come_back_and_are_found(texts: list[str], others: list[str], data: st.DataObject) -> None:
    """By number, many at a time, and by what they are, within any range."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts_module, "_AT_ONCE", 3)
        opened, index = _saved(texts)
        assert [opened[number] for number in range(len(opened))] == texts
        chosen = np.array(data.draw(st.lists(st.integers(0, len(texts) - 1)) if texts else st.just([])), np.int64)
        assert [raw.decode("utf-8", "surrogatepass") for raw in opened.raws(chosen)] == [texts[at] for at in chosen]
        blocks = b"".join(block.tobytes() for block, _ in opened.copied(chosen))
        assert blocks == b"".join(opened.raws(chosen))
    low = data.draw(st.integers(0, len(texts)))
    high = data.draw(st.integers(low, len(texts)))
    for text, found in zip([*texts, *others], index.find([*texts, *others], low, high), strict=True):
        if found < 0:
            assert text not in texts[low:high]
        else:
            assert low <= found < high
            assert texts[found] == text
    assert index.by_number().tolist() == hashes_of(map(encoded, texts)).tolist()


def test_equal_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are told apart where their hashes are equal."""
    monkeypatch.setattr(
        texts_module, "blake2b", lambda raw, digest_size: type("Same", (), {"digest": lambda _: bytes(8)})()
    )
    _, index = _saved(["a", "b", "c"])
    assert index.find(["c", "a", "x", "b"], 0, 3) == [2, 0, -1, 1]


@given(st.lists(ANY, max_size=12), ANY, st.sampled_from(["gt", "gte", "lt", "lte"]), st.data())
def test_sorted_texts_are_compared_as_texts(texts: list[str], bound: str, order: str, data: st.DataObject) -> None:
    """Ranges of prefixes and comparisons are those that Python's texts give."""
    texts = sorted(set(texts))
    opened, _ = _saved(texts)
    low = data.draw(st.integers(0, len(texts)))
    high = data.draw(st.integers(low, len(texts)))
    compare = {"gt": str.__gt__, "gte": str.__ge__, "lt": str.__lt__, "lte": str.__le__}[order]
    expected = [at for at in range(low, high) if compare(texts[at], bound)]
    assert list(range(*opened.compared(order, bound, low, high))) == expected
    prefix = bound[:2]
    assert list(range(*opened.prefixed(prefix, low, high))) == [
        at for at in range(low, high) if texts[at].startswith(prefix)
    ]


@given(st.lists(ANY | st.text("ab", max_size=4), max_size=12), st.text("abKsſß", max_size=2), st.data())
def test_parts_of_texts(texts: list[str], part: str, data: st.DataObject) -> None:
    """Texts with a part in them are found whatever the case, never across the end of one into the next."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts_module, "_AT_ONCE", 3)
        opened, _ = _saved(texts)
        low = data.draw(st.integers(0, len(texts)))
        high = data.draw(st.integers(low, len(texts)))
        folded = part.casefold()
        assert opened.containing(folded, low, high) == [at for at in range(low, high) if folded in texts[at].casefold()]
