"""One attribute of rows that do not change any more: written once, memory-mapped by every process.

The vocabulary is sorted by kind and value, so that a comparison or a prefix is a range of codes; beside the pairs
``(ordinal, code)`` there are postings, the same pairs by code. So it is known which rows have a value, and how many
these are, without a look at the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.search.arrays import ArrayFile, ArrayWriter
from nitari.search.filters import Compare, Contains, Exists, OneOf, Prefix, Scalar, Test
from nitari.search.texts import Texts, read_index, spread, write_index, write_texts
from nitari.types import BoolArray, ByteArray

OrdinalArray: TypeAlias = NDArray[np.int32]
CodeArray: TypeAlias = NDArray[np.int32]
Spans: TypeAlias = list[tuple[int, int]]
"""Codes from, to; ascending and apart."""

# What a vocabulary's entry is. An element and a text are told apart so that a list comes back as one. These are plain
# integers because Python 3.11 takes a microsecond to look up a member of an enumeration.
TEXT, NUMBER, BOOLEAN, ELEMENT, EMPTY_LIST = range(5)
KINDS = 5

# A filter that lets fewer than one pair in so many pass is answered by its postings, which are written one by one.
_FEW = 8
# Up to so many ranges of codes are compared one by one.
_COMPARED = 3
# Tests whose codes are remembered, those that so many ranges are enough for.
_REMEMBERED = 256
_REMEMBERED_SPANS = 1024
# Texts that were decoded lately and are kept.
_DECODED = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The entries of a column that is to be written, sorted by kind and value.

    Args:
        sizes: How many entries there are of each kind.
        numbers: float64: the numbers, then the booleans.
        texts: The texts, then the elements: their bytes and the length of each, in parts.
        hashes: uint64: of the texts, then of the elements.
    """

    sizes: Sequence[int]
    numbers: NDArray[np.float64]
    texts: Sequence[tuple[ByteArray, NDArray[np.int64]]]
    hashes: NDArray[np.uint64]


def write_column(
    writer: ArrayWriter, name: str, vocabulary: Vocabulary, *, rows: int, ordinals: OrdinalArray, codes: CodeArray
) -> None:
    """Write a column.

    Args:
        writer: Where to.
        name: What its arrays' names begin with.
        vocabulary: Its entries; each of them occurs.
        rows: How many rows the table has.
        ordinals: int32 ``[pairs]``, ascending.
        codes: int32 ``[pairs]``.
    """
    entries = sum(vocabulary.sizes)
    dense = ordinals.size == rows and bool((ordinals == np.arange(rows, dtype=np.int32)).all())
    order = np.argsort(codes, kind="stable")
    by_code, posted = codes[order], ordinals[order]
    again = np.zeros(order.size, np.bool_)  # an item whose list holds an element twice is posted once
    again[1:] = (by_code[1:] == by_code[:-1]) & (posted[1:] == posted[:-1])
    filled = rows if dense else int(np.count_nonzero(np.diff(ordinals))) + bool(ordinals.size)
    writer.note(name, {"sizes": list(vocabulary.sizes), "pairs": int(codes.size), "dense": dense, "filled": filled})
    writer.put(f"{name}.numbers", vocabulary.numbers)
    write_texts(writer, f"{name}.texts", vocabulary.texts)
    write_index(writer, f"{name}.index", vocabulary.hashes)
    writer.put(f"{name}.codes", codes)
    if not dense:
        writer.put(f"{name}.ordinals", ordinals)
    counts = np.bincount(by_code[~again], minlength=entries)
    writer.put(f"{name}.starts", np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]))
    writer.put(f"{name}.rows", posted[~again])


class SealedColumn:
    """One attribute of rows that do not change any more.

    Args:
        file: Where it was written to.
        name: Under which name.
        rows: How many rows the table has.

    Raises:
        StateError: where the arrays do not fit together.
    """

    def __init__(self, file: ArrayFile, name: str, rows: int) -> None:
        try:
            noted = file.values[name]
            sizes, pairs = [int(size) for size in noted["sizes"]], int(noted["pairs"])
            self.dense, self.filled = bool(noted["dense"]), int(noted["filled"])
        except (KeyError, TypeError, ValueError) as exc:
            raise file.damaged(f"it does not describe the column {name!r}") from exc
        if len(sizes) != KINDS or min(sizes) < 0 or (self.dense and pairs != rows):
            raise file.damaged(f"its column {name!r} cannot have {pairs} values")
        self.row_count = rows
        self.bounds = [sum(sizes[:kind]) for kind in range(KINDS + 1)]
        self.entries = self.bounds[-1]
        self._starts_of_kinds = np.asarray(self.bounds[1:-1])
        self._numbers: NDArray[np.float64] = file.get(f"{name}.numbers", np.float64, sizes[NUMBER] + sizes[BOOLEAN])
        self.texts = Texts.read(file, f"{name}.texts", sizes[TEXT] + sizes[ELEMENT])
        self._index = read_index(file, f"{name}.index", self.texts)
        self._skipped = sizes[NUMBER] + sizes[BOOLEAN]  # codes between those of texts and of elements
        self.codes: CodeArray = file.get(f"{name}.codes", np.int32, pairs)
        self._ordinals: OrdinalArray | None = None if self.dense else file.get(f"{name}.ordinals", np.int32, pairs)
        self._starts: NDArray[np.int64] = file.get(f"{name}.starts", np.int64, self.entries + 1)
        self._rows: OrdinalArray = file.get(f"{name}.rows", np.int32)
        if self._starts[-1] != self._rows.size:
            raise file.damaged(f"the postings of its column {name!r} do not end where they should")
        self._repeats = self._rows.size < pairs
        self._decoded: dict[int, Any] = {}
        self._spans: dict[Test, Spans] = {}

    @property
    def ordinals(self) -> OrdinalArray:
        """The row of each of ``codes``: int32 ``[pairs]``, ascending."""
        return np.arange(self.codes.size, dtype=np.int32) if self._ordinals is None else self._ordinals

    def kinds(self, codes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """What the entries are: int64 ``[n]``."""
        return np.searchsorted(self._starts_of_kinds, codes, side="right")

    def value(self, code: int) -> Any:
        """An entry: text, number, boolean, or ``()`` for an empty list."""
        value = self._decoded.get(code)
        if value is None:
            value = self._value(code)
            if len(self._decoded) >= _DECODED:
                self._decoded.clear()
            self._decoded[code] = value
        return value

    def _value(self, code: int) -> Any:
        """An entry, read anew."""
        bounds = self.bounds
        if code < bounds[NUMBER]:
            return self.texts[code]
        if code < bounds[ELEMENT]:
            number = self._numbers.item(code - bounds[NUMBER])
            return number if code < bounds[BOOLEAN] else bool(number)
        return self.texts[code - self._skipped] if code < bounds[EMPTY_LIST] else ()

    def find(self, kind: int, values: Sequence[Any]) -> list[int]:
        """The codes of the entries of a kind that equal ``values``, -1 where there is none."""
        low, high = self.bounds[kind], self.bounds[kind + 1]
        if low == high:
            return [-1] * len(values)
        if kind == EMPTY_LIST:
            return [low] * len(values)
        if kind in (TEXT, ELEMENT):
            shift = self._skipped if kind == ELEMENT else 0
            found = self._index.find(values, low - shift, high - shift)
            return [-1 if number < 0 else number + shift for number in found]
        wanted = np.asarray(values, np.float64)
        own = self._numbers[low - self.bounds[NUMBER] : high - self.bounds[NUMBER]]
        at = np.minimum(np.searchsorted(own, wanted), own.size - 1)
        codes: list[int] = np.where(own[at] == wanted, at + low, -1).tolist()
        return codes

    def spans(self, test: Test) -> Spans:
        """The codes of the entries that pass a test."""
        spans = self._spans.get(test)
        if spans is None:
            spans = self._passing(test)
            if len(spans) <= _REMEMBERED_SPANS:
                if len(self._spans) >= _REMEMBERED:
                    self._spans.clear()
                self._spans[test] = spans
        return spans

    def _passing(self, test: Test) -> Spans:
        """``spans``, worked out anew."""
        match test:
            case OneOf(values=values):
                found = sorted(
                    code for kind, own in by_kind(values).items() for code in self.find(kind, own) if code >= 0
                )
                return [(code, code + 1) for code in found]
            case Exists():
                return [(0, self.bounds[EMPTY_LIST])]
            case Compare(order=order, bound=float(bound)):
                return self._compared_numbers(order, bound)
            case Compare(order=order, bound=str(bound)):
                return self._of_texts(lambda low, high: [self.texts.compared(order, bound, low, high)])
            case Prefix(text=wanted):
                return self._of_texts(lambda low, high: [self.texts.prefixed(wanted, low, high)])
            case Contains(text=wanted):
                return self._of_texts(lambda low, high: _runs(self.texts.containing(wanted, low, high)))
        raise AssertionError(test)

    def _compared_numbers(self, order: str, bound: float) -> Spans:
        """The codes of numbers above or below a bound."""
        first, count = self.bounds[NUMBER], self.bounds[BOOLEAN] - self.bounds[NUMBER]
        own = self._numbers[:count]
        end = first + int(np.searchsorted(own, np.nan))  # what is not a number sorts last
        at = first + int(np.searchsorted(own, bound, side="right" if order in ("gt", "lte") else "left"))
        return [(at, end) if order in ("gt", "gte") else (first, at)]

    def _of_texts(self, search: Callable[[int, int], Spans]) -> Spans:
        """What ``search(low, high)`` finds among the texts and among the elements, as codes."""
        skipped = self._skipped
        found = search(self.bounds[TEXT], self.bounds[NUMBER])
        elements = search(self.bounds[ELEMENT] - skipped, self.bounds[EMPTY_LIST] - skipped)
        return [*found, *((low + skipped, high + skipped) for low, high in elements)]

    def count(self, spans: Spans) -> int:
        """How many postings the entries ``spans`` have: at least as many as rows."""
        return sum(self._starts.item(high) - self._starts.item(low) for low, high in spans)

    def passes(self, test: Test, codes: CodeArray) -> BoolArray:
        """Whether the entries ``codes`` pass: bool ``[n]``. For a text that is searched for, only these are read."""
        if isinstance(test, Contains) and codes.size < self.entries:
            used, back = np.unique(codes, return_inverse=True)
            kinds = self.kinds(used).tolist()
            passing = [
                kind in (TEXT, ELEMENT) and test.text in self.value(code).casefold()
                for code, kind in zip(used.tolist(), kinds, strict=True)
            ]
            return np.asarray(passing, np.bool_)[back]
        return self._in_spans(codes, self.spans(test))

    def _in_spans(self, codes: CodeArray, spans: Spans) -> BoolArray:
        """Whether each of ``codes`` is in one of ``spans``: bool ``[n]``."""
        if len(spans) <= _COMPARED:
            result = np.zeros(codes.size, np.bool_)
            for low, high in spans:
                result |= (codes >= np.int32(low)) & (codes < np.int32(high))
            return result
        edges = np.asarray(spans, np.int32).reshape(-1)
        if codes.size < self.entries:
            inside: BoolArray = np.searchsorted(edges, codes, side="right") % 2 == 1
            return inside
        passing = np.zeros(self.entries, np.bool_)
        passing[spread(edges[::2].astype(np.int64), np.diff(edges)[::2].astype(np.int64))] = True
        chosen: BoolArray = passing[codes]
        return chosen

    def mask(self, spans: Spans) -> BoolArray:
        """The rows that have one of the entries ``spans``: bool ``[rows]``."""
        count = self.count(spans)
        if count * _FEW < self.codes.size or not self.dense:
            result = np.zeros(self.row_count, np.bool_)
            for low, high in spans:
                result[self._rows[self._starts.item(low) : self._starts.item(high)]] = True
            return result
        return self._in_spans(self.codes, spans)

    def rows(self, spans: Spans) -> OrdinalArray:
        """The rows that have one of the entries ``spans``, ascending, each once: int32 ``[n]``."""
        parts = [self._rows[self._starts.item(low) : self._starts.item(high)] for low, high in spans]
        rows = np.concatenate([np.empty(0, np.int32), *parts])
        if len(spans) == 1 and spans[0][1] - spans[0][0] == 1:
            return rows
        return np.sort(rows) if self.dense else np.unique(rows)

    def row_of(self, code: int) -> int:
        """The first row that has an entry."""
        return self._rows.item(self._starts.item(code))

    def pairs_of(self, ordinals: OrdinalArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the pairs of rows begin and end: int64 ``[n]`` each."""
        if self._ordinals is None:
            at = ordinals.astype(np.int64)
            return at, at + 1
        wanted = ordinals.astype(np.int32, copy=False)  # of another type, all of the column would be converted
        return self._ordinals.searchsorted(wanted), self._ordinals.searchsorted(wanted, side="right")

    def counts(self, mask: BoolArray) -> NDArray[np.int64]:
        """How many of the rows in ``mask`` (bool ``[rows]``) have each entry: int64 ``[entries]``."""
        chosen = int(np.count_nonzero(mask))
        if 2 * chosen > mask.size and not self._repeats:
            counts: NDArray[np.int64] = np.diff(self._starts)
            if chosen < mask.size:
                counts -= self._counted(~mask, mask.size - chosen)
            return counts
        return self._counted(mask, chosen)

    def _counted(self, mask: BoolArray, chosen: int) -> NDArray[np.int64]:
        """``counts`` of ``chosen`` rows, one by one."""
        if self._repeats:  # an item counts once
            total = np.concatenate([np.zeros(1, np.int64), np.cumsum(mask[self._rows])])
            return np.diff(total[self._starts])
        if self._ordinals is None:
            codes = self.codes[mask]
        elif chosen * 16 < self.row_count:
            begins, ends = self.pairs_of(np.flatnonzero(mask).astype(np.int32))
            codes = self.codes[spread(begins, ends - begins)]
        else:
            codes = self.codes[mask[self._ordinals]]
        return np.bincount(codes, minlength=self.entries)

    def filled_in(self, mask: BoolArray) -> int:
        """How many of the rows in ``mask`` have a value here."""
        if self.dense:
            return int(np.count_nonzero(mask))
        without = np.flatnonzero(~mask).astype(np.int32)
        if without.size * 16 < mask.size:
            begins, ends = self.pairs_of(without)
            return self.filled - int(np.count_nonzero(begins < ends))
        ordinals = self.ordinals[mask[self.ordinals]]
        # Ordinals ascend, so each item begins where they change.
        return int(np.count_nonzero(np.diff(ordinals))) + bool(ordinals.size)

    def numbers(self, codes: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """The entries ``codes`` as numbers, NaN where they are none, booleans as 0 and 1: float64 ``[n]``."""
        numbers = np.full(codes.size, np.nan)
        here = (codes >= self.bounds[NUMBER]) & (codes < self.bounds[ELEMENT])
        numbers[here] = self._numbers[codes[here] - self.bounds[NUMBER]]
        return numbers

    def hashes(self) -> NDArray[np.uint64]:
        """The hash of each text, by its number: uint64 ``[texts]``."""
        return self._index.by_number()

    def text_numbers(self, codes: NDArray[np.int64]) -> NDArray[np.int64]:
        """The number among ``texts`` of entries that are texts or elements: int64 ``[n]``."""
        return np.where(codes < self.bounds[NUMBER], codes, codes - self._skipped)


def by_kind(values: Sequence[Scalar]) -> dict[int, list[Scalar]]:
    """The values of a filter under the kinds of entries that may equal them."""
    kinds: dict[int, list[Scalar]] = {}
    for value in values:
        own = (BOOLEAN,) if isinstance(value, bool) else (TEXT, ELEMENT) if isinstance(value, str) else (NUMBER,)
        for kind in own:
            kinds.setdefault(kind, []).append(value)
    return kinds


def _runs(numbers: Sequence[int]) -> Spans:
    """Ascending numbers as spans."""
    if not numbers:
        return []
    array = np.asarray(numbers)
    breaks = np.flatnonzero(np.diff(array) > 1)
    return list(
        zip(array[np.r_[0, breaks + 1]].tolist(), (array[np.r_[breaks, array.size - 1]] + 1).tolist(), strict=True)
    )
