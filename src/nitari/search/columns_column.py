"""One attribute of all rows: of those that were saved, as far as there are any, and of those that came since."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.search.arrays import ArrayWriter
from nitari.search.columns_merged import merged
from nitari.search.columns_sealed import (
    BOOLEAN,
    ELEMENT,
    EMPTY_LIST,
    KINDS,
    NUMBER,
    TEXT,
    CodeArray,
    OrdinalArray,
    SealedColumn,
    by_kind,
    write_column,
)
from nitari.search.filters import Compare, Contains, Exists, OneOf, Prefix, Test
from nitari.search.growing import Growing
from nitari.search.texts import spread
from nitari.types import AttributeValue, BoolArray, FacetValue

_KIND_NAMES = ("text", "number", "boolean", "list", "list")
# Of so many values that came since the table was saved it is counted which pass, to know how selective a test is.
_COUNTED = 2**16
# Tests of which it is remembered how many rows pass.
_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class AttributeSummary:
    """What is known of one attribute.

    Args:
        kinds: Which of ``text``, ``number``, ``boolean``, ``list`` its values are.
        items: How many items have it.
        distinct: How many different values there are.
    """

    kinds: tuple[str, ...]
    items: int
    distinct: int


class Column:
    """One attribute of all rows.

    Codes of the sealed vocabulary come first, those of entries that it does not have behind them.

    Args:
        sealed: What was saved, of the rows below ``first``; ``None`` where none of these has the attribute.
        first: The ordinal of the first row that was not saved.
    """

    def __init__(self, sealed: SealedColumn | None = None, first: int = 0) -> None:
        self._sealed = sealed
        self._first = first
        self._known = 0 if sealed is None else sealed.entries
        self._codes_of: tuple[dict[Any, int], ...] = tuple(
            {} for _ in range(KINDS)
        )  # of what came since, sealed or not
        self._values: list[Any] = []
        self._kinds: Growing[np.uint8] = Growing(np.uint8)
        self._numbers: Growing[np.float64] = Growing(np.float64)  # NaN where the entry is no number
        self._ordinals: Growing[np.int32] = Growing(np.int32)
        self._codes: Growing[np.int32] = Growing(np.int32)
        self._repeats = False  # whether a list that came since holds an element twice
        self._bounds: dict[Test, tuple[int, tuple[int, int]]] = {}  # with the number of pairs that they were counted of

    @property
    def empty(self) -> bool:
        """Whether no row has a value here."""
        return self._sealed is None and not len(self._codes)

    def extend(self, ordinals: Sequence[int], values: Sequence[AttributeValue]) -> None:
        """Append values of rows, ``ordinals`` ascending and above those that are there."""
        if self._sealed is not None:
            self._recall(self._sealed, values)
        known = len(self._values)
        kinds: list[int] = []
        at: list[int] = []
        codes: list[int] = []
        for ordinal, value in zip(ordinals, values, strict=True):
            self._repeats |= isinstance(value, tuple) and len(set(value)) < len(value)
            for kind, entry in _entries(value):
                code = self._codes_of[kind].get(entry)
                if code is None:
                    code = self._codes_of[kind][entry] = self._known + len(self._values)
                    self._values.append(entry)
                    kinds.append(kind)
                at.append(ordinal)
                codes.append(code)
        self._kinds.extend(kinds)
        added = zip(self._values[known:], kinds, strict=True)
        self._numbers.extend([value if kind == NUMBER else np.nan for value, kind in added])
        self._ordinals.extend(at)
        self._codes.extend(codes)

    def _recall(self, sealed: SealedColumn, values: Sequence[AttributeValue]) -> None:
        """Look up which of ``values`` the sealed vocabulary has, all at once."""
        unknown: tuple[dict[Any, None], ...] = tuple({} for _ in range(KINDS))
        for value in values:
            for kind, entry in _entries(value):
                if entry not in self._codes_of[kind]:
                    unknown[kind][entry] = None
        for kind, entries in enumerate(unknown):
            found = sealed.find(kind, list(entries)) if entries else []
            self._codes_of[kind].update((entry, code) for entry, code in zip(entries, found, strict=True) if code >= 0)

    def value(self, code: int) -> Any:
        """An entry of the vocabulary: text, number, boolean, or ``()`` for an empty list."""
        if self._sealed is not None and code < self._known:
            return self._sealed.value(code)
        return self._values[code - self._known]

    def kinds(self, codes: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
        """What entries are: int64 ``[n]``."""
        return self._of_codes(codes, SealedColumn.kinds, self._kinds.view, np.int64)

    def numbers(self, codes: NDArray[np.int64]) -> NDArray[np.float64]:
        """Entries as numbers, NaN where they are none: float64 ``[n]``; of booleans it says nothing."""
        return self._of_codes(codes, SealedColumn.numbers, self._numbers.view, np.float64)

    def _of_codes(
        self, codes: NDArray[np.integer[Any]], old: Callable[..., NDArray[Any]], new: NDArray[Any], dtype: type[Any]
    ) -> NDArray[Any]:
        """What ``old`` says of the codes of the sealed vocabulary, and ``new`` holds for the others."""
        result: NDArray[Any]
        if self._sealed is None:
            result = new[codes]
            return result
        result = np.empty(codes.size, dtype)
        sealed = codes < self._known
        result[sealed] = old(self._sealed, codes[sealed])
        result[~sealed] = new[codes[~sealed] - self._known]
        return result

    def where(self, test: Test, start: int, count: int) -> BoolArray:
        """Which of the rows ``start``..``count`` pass: bool ``[count - start]``."""
        result = np.zeros(count - start, np.bool_)
        if self._sealed is not None and start < self._first:
            result[: self._first - start] = self._sealed.mask(self._sealed.spans(test))[start:]
        begin = int(self._ordinals.view.searchsorted(np.int32(start)))
        ordinals, codes = self._ordinals.view[begin:], self._codes.view[begin:]
        result[ordinals[self._passes(test, codes)] - start] = True
        return result

    def bounds(self, test: Test) -> tuple[int, int]:
        """At least and at most how many rows pass a test, by what is known of the counts of values."""
        size, bounds = self._bounds.get(test, (-1, (0, 0)))
        if size != len(self._codes):
            bounds = self._counted(test)
            if len(self._bounds) >= _REMEMBERED:
                self._bounds.clear()
            self._bounds[test] = (len(self._codes), bounds)
        return bounds

    def _counted(self, test: Test) -> tuple[int, int]:
        """``bounds``, worked out anew."""
        low = high = 0
        if self._sealed is not None:
            if isinstance(test, Contains):
                high = self._sealed.codes.size
            else:
                high = self._sealed.count(self._sealed.spans(test))
                low = high if self._sealed.dense else 0
        codes = self._codes.view
        if codes.size > _COUNTED or isinstance(test, Contains):
            return low, high + codes.size
        exact = self._own_rows(test).size
        return low + exact, high + exact

    def rows(self, test: Test) -> OrdinalArray:
        """The rows that pass, ascending: int32 ``[n]``."""
        own = self._own_rows(test)
        return own if self._sealed is None else np.concatenate([self._sealed.rows(self._sealed.spans(test)), own])

    def _own_rows(self, test: Test) -> OrdinalArray:
        """The rows that came since and pass, ascending: int32 ``[n]``."""
        ordinals = self._ordinals.view[self._passes(test, self._codes.view)]
        return ordinals[np.diff(ordinals, prepend=-1) > 0]  # a list may pass by several elements

    def among(self, test: Test, ordinals: OrdinalArray) -> BoolArray:
        """Which of the rows ``ordinals`` (ascending) pass: bool ``[n]``. Costs by their number, not by that of rows."""
        split = int(ordinals.searchsorted(np.int32(self._first)))
        old, new = ordinals[:split], ordinals[split:]
        begins, ends = self._ordinals.view.searchsorted(new), self._ordinals.view.searchsorted(new, side="right")
        passing = _any(begins, ends, lambda pairs: self._passes(test, self._codes.view[pairs]))
        if self._sealed is None:
            return np.concatenate([np.zeros(split, np.bool_), passing])
        sealed = self._sealed
        begins, ends = sealed.pairs_of(old)
        return np.concatenate([_any(begins, ends, lambda pairs: sealed.passes(test, sealed.codes[pairs])), passing])

    def _passes(self, test: Test, codes: CodeArray) -> BoolArray:
        """Whether the entries ``codes`` pass: bool ``[n]``."""
        if self._sealed is None:
            return self._passing(test, codes)[codes]
        result = np.empty(codes.size, np.bool_)
        old = codes < self._known
        result[old] = self._sealed.passes(test, codes[old])
        own = codes[~old] - np.int32(self._known)
        result[~old] = self._passing(test, own)[own]
        return result

    def _passing(self, test: Test, codes: CodeArray) -> BoolArray:
        """Which of the entries that came since pass; those not in ``codes`` need not be right. bool ``[entries]``."""
        match test:
            case OneOf(values=values):
                passing = np.zeros(len(self._values), np.bool_)
                found = (self._codes_of[kind].get(value, -1) for kind, own in by_kind(values).items() for value in own)
                passing[[code - self._known for code in found if code >= self._known]] = True
                return passing
            case Exists():
                filled: BoolArray = self._kinds.view != EMPTY_LIST
                return filled
            case Compare(order=order, bound=float(bound)):
                compared: BoolArray = _COMPARE_NUMBERS[order](self._numbers.view, bound)
                return compared
            case Compare(order=order, bound=str(bound)):
                compare = _COMPARE_TEXTS[order]
                return self._passing_texts(lambda text: compare(text, bound), codes)
            case Prefix(text=wanted):
                return self._passing_texts(lambda text: text.startswith(wanted), codes)
            case Contains(text=wanted):
                return self._passing_texts(lambda text: wanted in text.casefold(), codes)
        raise AssertionError(test)

    def _passing_texts(self, passes: Callable[[str], bool], codes: CodeArray) -> BoolArray:
        """Which texts and elements pass; only those in ``codes`` are tried, where these are few."""
        passing = np.zeros(len(self._values), np.bool_)
        kinds = self._kinds.view.tobytes()
        texts = (TEXT, ELEMENT)
        tried = range(len(self._values)) if codes.size >= len(self._values) else np.unique(codes).tolist()
        passing[[code for code in tried if kinds[code] in texts and passes(self._values[code])]] = True
        return passing

    def read_into(self, name: str, ordinals: OrdinalArray, rows: Sequence[dict[str, AttributeValue]]) -> None:
        """Set ``rows[i][name]`` to the value of the row ``ordinals[i]``, where it has one."""
        if self._sealed is not None:
            old = np.flatnonzero(ordinals < self._first)
            begins, ends = self._sealed.pairs_of(ordinals[old])
            self._read(name, self._sealed.codes, begins, ends, [rows[at] for at in old.tolist()])
            if old.size == ordinals.size:
                return
        column = self._ordinals.view
        begins, ends = column.searchsorted(ordinals), column.searchsorted(ordinals, side="right")
        self._read(name, self._codes.view, begins, ends, rows)

    def _read(
        self,
        name: str,
        codes: CodeArray,
        begins: NDArray[np.int64],
        ends: NDArray[np.int64],
        rows: Sequence[dict[str, AttributeValue]],
    ) -> None:
        """Set ``rows[i][name]`` to what ``codes[begins[i]:ends[i]]`` stand for, where these are any."""
        present = np.flatnonzero(begins < ends)
        first = codes[begins[present]]
        kinds = self.kinds(first)
        for at, code, kind in zip(present.tolist(), first.tolist(), kinds.tolist(), strict=True):
            if kind == ELEMENT:
                rows[at][name] = tuple(self.value(code) for code in codes[begins[at] : ends[at]].tolist())
            else:
                rows[at][name] = self.value(code)

    def scalars(self, ordinals: OrdinalArray) -> NDArray[np.int32]:
        """The codes of rows in a column that has exactly one value for each row: int32 ``[n]``."""
        if self._sealed is None:
            return self._codes.view[ordinals]
        old = ordinals < self._first
        codes = np.empty(ordinals.size, np.int32)
        codes[old] = self._sealed.codes[ordinals[old]]
        codes[~old] = self._codes.view[ordinals[~old] - self._first]
        return codes

    def firsts(self, ordinals: OrdinalArray) -> NDArray[np.int32]:
        """The code of the first value of each row, -1 where it has none: int32 ``[n]``."""
        codes = np.full(ordinals.size, -1, np.int32)
        if self._sealed is not None:
            begins, ends = self._sealed.pairs_of(ordinals)
            there = (ordinals < self._first) & (begins < ends)
            codes[there] = self._sealed.codes[begins[there]]
        column = self._ordinals.view
        begins, ends = column.searchsorted(ordinals), column.searchsorted(ordinals, side="right")
        there = begins < ends
        codes[there] = self._codes.view[begins[there]]
        return codes

    def row_with(self, values: Sequence[str]) -> list[int]:
        """A saved row that has each of these texts, -1 where there is none."""
        if self._sealed is None:
            return [-1] * len(values)
        return [code if code < 0 else self._sealed.row_of(code) for code in self._sealed.find(TEXT, values)]

    def counts(self, mask: BoolArray) -> NDArray[np.int64]:
        """How many of the rows in ``mask`` have each vocabulary entry: int64 ``[entries]``."""
        entries = self._known + len(self._values)
        ordinals, codes = self._ordinals.view, self._codes.view
        chosen = mask[ordinals]
        ordinals, codes = ordinals[chosen], codes[chosen]
        if self._repeats:  # the item counts once
            pairs = np.unique(ordinals.astype(np.int64) * entries + codes)
            codes = (pairs % max(1, entries)).astype(np.int32)
        counts = np.bincount(codes, minlength=entries).astype(np.int64)
        if self._sealed is not None:
            counts[: self._known] += self._sealed.counts(mask[: self._first])
        return counts

    def facet(self, mask: BoolArray, limit: int) -> tuple[tuple[FacetValue, ...], tuple[float, float] | None]:
        """What the rows in ``mask`` have here.

        Returns:
            The ``limit`` most frequent values, ties by value, an item with a list counting for each of its elements;
            and the smallest and the largest number, ``None`` where there is no number.
        """
        counts = self.counts(mask)
        used = np.flatnonzero(counts)
        kinds = self.kinds(used)
        used, kinds = used[kinds != EMPTY_LIST], kinds[kinds != EMPTY_LIST]
        numbers = self.numbers(used[kinds == NUMBER])
        bounds = (float(numbers.min()), float(numbers.max())) if numbers.size else None
        # A text and a list's element may be equal: they are one value then.
        # A text that only deleted rows had is still in the vocabulary, but does not count.
        twins = self._twins(used[kinds == ELEMENT]) if (kinds == TEXT).any() else {}
        twins = {element: text for element, text in twins.items() if counts[text]}
        for element, text in twins.items():
            counts[text] += counts[element]
        if twins:
            kept = ~np.isin(used, list(twins))
            used, kinds = used[kept], kinds[kept]
        if used.size > limit:
            top = counts[used] >= np.partition(counts[used], used.size - limit)[used.size - limit]
            used, kinds = used[top], kinds[top]
        entries = [
            (-count, TEXT if kind == ELEMENT else kind, self.value(code))
            for code, kind, count in zip(used.tolist(), kinds.tolist(), counts[used].tolist(), strict=True)
        ]
        return tuple(FacetValue(value, -count) for count, _, value in nsmallest(limit, entries)), bounds

    def _twins(self, elements: NDArray[np.int64]) -> dict[int, int]:
        """The code of the equal text for each of these elements that has one."""
        values = [self.value(code) for code in elements.tolist()]
        found = [-1] * len(values) if self._sealed is None else self._sealed.find(TEXT, values)
        pairs = zip(elements.tolist(), values, found, strict=True)
        twins = {code: self._codes_of[TEXT].get(value, -1) if text < 0 else text for code, value, text in pairs}
        return {code: text for code, text in twins.items() if text >= 0}

    def summary(self, alive: BoolArray) -> AttributeSummary:
        """What the rows in ``alive`` have here."""
        used = np.flatnonzero(self.counts(alive))
        kinds = {_KIND_NAMES[kind] for kind in np.unique(self.kinds(used)).tolist()}
        ordinals = self._ordinals.view
        ordinals = ordinals[alive[ordinals]]
        # Ordinals ascend, so each item begins where they change.
        items = int(np.count_nonzero(np.diff(ordinals))) + bool(ordinals.size)
        if self._sealed is not None:
            items += self._sealed.filled_in(alive[: self._first])
        return AttributeSummary(tuple(sorted(kinds)), items, int(used.size))

    def kept(self, alive: BoolArray, renumbered: OrdinalArray) -> Column:
        """A column of the rows in ``alive`` only, under their new numbers, without entries that nothing else used.

        Saved rows stay as they are, alive or not.
        """
        ordinals, codes = self._ordinals.view, self._codes.view
        chosen = alive[ordinals]
        ordinals, codes = ordinals[chosen], codes[chosen]
        entries = self._known + len(self._values)
        used = np.zeros(entries, np.bool_)
        used[codes] = True
        used[: self._known] = True
        recoded = (np.cumsum(used) - 1).astype(np.int32)
        column = Column(self._sealed, self._first)
        column._repeats = self._repeats
        column._ordinals.extend(renumbered[ordinals])
        column._codes.extend(recoded[codes])
        own = np.flatnonzero(used[self._known :])
        column._kinds.extend(self._kinds.view[own])
        column._numbers.extend(self._numbers.view[own])
        column._values = [self._values[code] for code in own.tolist()]
        for code, (value, kind) in enumerate(zip(column._values, column._kinds.view.tolist(), strict=True)):
            column._codes_of[kind][value] = self._known + code
        return column

    def used_by(self, alive: BoolArray) -> bool:
        """Whether any of the rows in ``alive`` has a value here."""
        saved = self._sealed is not None and self._sealed.filled_in(alive[: self._first]) > 0
        return saved or bool(alive[self._ordinals.view].any())

    def write(self, writer: ArrayWriter, name: str, alive: BoolArray, renumbered: OrdinalArray) -> None:
        """Write the values of the rows in ``alive`` under their new numbers.

        Args:
            writer: Where to.
            name: What the names of its arrays begin with.
            alive: bool ``[rows]``.
            renumbered: int32 ``[rows]``: the new ordinal of each row that is alive.
        """
        ordinals, codes = self._ordinals.view, self._codes.view
        if self._sealed is not None:
            ordinals = np.concatenate([self._sealed.ordinals, ordinals])
            codes = np.concatenate([self._sealed.codes, codes])
        chosen = alive[ordinals]
        ordinals, codes = renumbered[ordinals[chosen]], codes[chosen]
        used = np.zeros(self._known + len(self._values), np.bool_)
        used[codes] = True
        vocabulary, recoded = merged(self._sealed, used, self._values, self._kinds.view)
        rows = int(np.count_nonzero(alive))
        write_column(writer, name, vocabulary, rows=rows, ordinals=ordinals, codes=recoded[codes])


def _any(
    begins: NDArray[np.int64], ends: NDArray[np.int64], passes: Callable[[NDArray[np.int64]], BoolArray]
) -> BoolArray:
    """For each row, whether one of its pairs ``begins``..``ends`` passes: bool ``[n]``."""
    lengths = ends - begins
    result = np.zeros(begins.size, np.bool_)
    result[np.repeat(np.arange(begins.size), lengths)[passes(spread(begins, lengths))]] = True
    return result


def _entries(value: AttributeValue) -> Iterable[tuple[int, Any]]:
    """A value as vocabulary entries."""
    if isinstance(value, str):
        return ((TEXT, value),)
    if isinstance(value, tuple):
        return [(ELEMENT, element) for element in value] or ((EMPTY_LIST, ()),)
    return ((BOOLEAN, value),) if isinstance(value, bool) else ((NUMBER, float(value)),)


_COMPARE_NUMBERS: Mapping[str, Any] = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}
_COMPARE_TEXTS: Mapping[str, Callable[[str, str], bool]] = {
    "gt": str.__gt__,
    "gte": str.__ge__,
    "lt": str.__lt__,
    "lte": str.__le__,
}
