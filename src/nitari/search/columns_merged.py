"""Two vocabularies as one, sorted: that of a saved column, and what came since."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.search.columns_sealed import (
    BOOLEAN,
    ELEMENT,
    EMPTY_LIST,
    KINDS,
    NUMBER,
    TEXT,
    CodeArray,
    SealedColumn,
    Vocabulary,
)
from nitari.search.texts import encoded, hashes_of, in_blocks
from nitari.types import BoolArray, ByteArray


def merged(
    sealed: SealedColumn | None, used: BoolArray, values: Sequence[Any], kinds: NDArray[np.uint8]
) -> tuple[Vocabulary, CodeArray]:
    """The entries of ``sealed``, and those behind them, that are used.

    Args:
        sealed: A saved column; ``None`` for none.
        used: bool ``[entries]``, by code: which entries are wanted.
        values: The entries behind the sealed ones; no value of a kind stands in both.
        kinds: What these are: uint8 ``[len(values)]``.

    Returns:
        The vocabulary, and the new code of each entry that is used: int32 ``[entries]``.
    """
    known = 0 if sealed is None else sealed.entries
    recoded = np.full(used.size, -1, np.int32)
    hashes = np.empty(0, np.uint64) if sealed is None else sealed.hashes()
    own_codes = np.flatnonzero(used[known:])
    sizes: list[int] = []
    numbers: list[NDArray[np.float64]] = []
    texts: list[tuple[ByteArray, NDArray[np.int64]]] = []
    text_hashes: list[NDArray[np.uint64]] = []
    for kind in range(KINDS):
        old = np.empty(0, np.int64)
        if sealed is not None:
            old = sealed.bounds[kind] + np.flatnonzero(used[sealed.bounds[kind] : sealed.bounds[kind + 1]])
        new = own_codes[kinds[own_codes] == kind]
        order = np.arange(old.size + new.size)
        if kind in (TEXT, ELEMENT):
            blocks, own_hashes, order = _texts(sealed, hashes, old, [encoded(values[code]) for code in new.tolist()])
            texts += blocks
            text_hashes.append(own_hashes)
        elif kind in (NUMBER, BOOLEAN):
            before = np.empty(0) if sealed is None else sealed.numbers(old)
            all_of_kind = np.concatenate([before, [float(values[code]) for code in new.tolist()]])
            order = np.argsort(all_of_kind, kind="stable")
            numbers.append(all_of_kind[order])
        first = sum(sizes)
        recoded[np.concatenate([old, known + new])[order]] = np.arange(first, first + order.size, dtype=np.int32)
        sizes.append(int(order.size))
    assert sizes[EMPTY_LIST] <= 1  # noqa: S101  # what a vocabulary is: each entry once
    return Vocabulary(sizes, np.concatenate(numbers), texts, np.concatenate(text_hashes)), recoded


def _texts(
    sealed: SealedColumn | None, hashes: NDArray[np.uint64], old: NDArray[np.int64], new: Sequence[bytes]
) -> tuple[list[tuple[ByteArray, NDArray[np.int64]]], NDArray[np.uint64], NDArray[np.int64]]:
    """Texts of one kind, sorted: as blocks, their hashes, and which of ``old`` and then ``new`` each one is.

    Args:
        sealed: Whose texts ``old`` are.
        hashes: Of all of these.
        old: Codes, ascending, and so in order already.
        new: Texts, not in order.
    """
    numbers = np.empty(0, np.int64) if sealed is None else sealed.text_numbers(old)
    own = np.concatenate([hashes[numbers], hashes_of(new)])
    if sealed is not None and not new:
        return list(sealed.texts.copied(numbers)), own, np.arange(old.size)
    by_text = sorted(range(len(new)), key=new.__getitem__)
    raws: list[bytes] = [] if sealed is None else list(sealed.texts.raws(numbers))
    raws += [new[at] for at in by_text]
    # Two sorted runs, one behind the other: Python's sort merges them in linear time.
    order = sorted(range(len(raws)), key=raws.__getitem__)
    places = np.concatenate([np.arange(old.size), old.size + np.asarray(by_text, np.int64)])[order]

    def in_order() -> Iterator[bytes]:
        return (raws[at] for at in order)

    return list(in_blocks(in_order())), own[places], places
