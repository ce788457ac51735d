"""Attributes of many items in memory, by column: quick to filter by, to count, and to read back.

A row is what one item said at one time; it never changes, and its number is its **ordinal**. An item that changes gets
a new row, and the old one dies. So whatever was once worked out about rows stays true, and only new rows are looked at
when the catalog changes: a cached filter costs O(changes), not O(items).

A column is a vocabulary (each distinct value once) and pairs ``(ordinal, code)``, ascending by ordinal. That one
layout holds scalars, lists (several pairs) and absence (no pair), and takes 8 bytes a value. A test is evaluated on
the vocabulary and then gathered, as dictionary-encoded column stores do it (Abadi, Madden and Ferreira, "Integrating
compression and execution in column-oriented database systems", SIGMOD 2006).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.search.filters import (
    RESERVED,
    And,
    Compare,
    Contains,
    Exists,
    Filter,
    Node,
    Not,
    OneOf,
    Or,
    Prefix,
    Scalar,
    Test,
)
from nitari.search.growing import Growing
from nitari.types import Attributes, AttributeValue, BoolArray, Facet, FacetValue

OrdinalArray: TypeAlias = NDArray[np.int32]

_CACHED = 256
_CACHED_BYTES = 64 * 2**20


# What a vocabulary's entry is. An element and a text are told apart so that a list comes back as one. These are plain
# integers because Python 3.11 takes a microsecond to look up a member of an enumeration.
_TEXT, _NUMBER, _BOOLEAN, _ELEMENT, _EMPTY_LIST = range(5)
_KIND_NAMES = ("text", "number", "boolean", "list", "list")


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


@dataclass(frozen=True, slots=True)
class Row:
    """What a column store keeps of an item."""

    item_id: str
    group_id: str
    title: str
    attributes: Attributes


class Column:
    """One attribute of all rows."""

    def __init__(self) -> None:
        self._codes_of: tuple[dict[Any, int], ...] = tuple({} for _ in _KIND_NAMES)
        self._values: list[Any] = []
        self._kinds: Growing[np.uint8] = Growing(np.uint8)
        self._numbers: Growing[np.float64] = Growing(np.float64)  # NaN where the entry is no number
        self._ordinals: Growing[np.int32] = Growing(np.int32)
        self._codes: Growing[np.int32] = Growing(np.int32)
        self._repeats = False  # whether a list holds an element twice

    def extend(self, ordinals: Sequence[int], values: Sequence[AttributeValue]) -> None:
        """Append values of rows, ``ordinals`` ascending and above those that are there."""
        known = len(self._values)
        kinds: list[int] = []
        at: list[int] = []
        codes: list[int] = []
        for ordinal, value in zip(ordinals, values, strict=True):
            self._repeats |= isinstance(value, tuple) and len(set(value)) < len(value)
            for kind, entry in _entries(value):
                code = self._codes_of[kind].get(entry)
                if code is None:
                    code = self._codes_of[kind][entry] = len(self._values)
                    self._values.append(entry)
                    kinds.append(kind)
                at.append(ordinal)
                codes.append(code)
        self._kinds.extend(kinds)
        added = zip(self._values[known:], kinds, strict=True)
        self._numbers.extend([value if kind == _NUMBER else np.nan for value, kind in added])
        self._ordinals.extend(at)
        self._codes.extend(codes)

    def where(self, test: Test, start: int, count: int) -> BoolArray:
        """Which of the rows ``start``..``count`` pass: bool ``[count - start]``."""
        begin = int(self._ordinals.view.searchsorted(np.int32(start)))
        ordinals, codes = self._ordinals.view[begin:], self._codes.view[begin:]
        result = np.zeros(count - start, np.bool_)
        passing = self._passing(test, codes)
        result[ordinals[passing[codes]] - start] = True
        return result

    def _passing(self, test: Test, codes: NDArray[np.int32]) -> BoolArray:
        """Which vocabulary entries pass; those that do not occur in ``codes`` need not be right. bool ``[entries]``."""
        match test:
            case OneOf(values=values):
                passing = np.zeros(len(self._values), np.bool_)
                passing[[code for value in values for code in self._codes_equal(value)]] = True
                return passing
            case Exists():
                filled: BoolArray = self._kinds.view != _EMPTY_LIST
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

    def _codes_equal(self, value: Scalar) -> Iterable[int]:
        """The codes of the entries that equal a filter's value."""
        if isinstance(value, bool):
            kinds: tuple[int, ...] = (_BOOLEAN,)
        elif isinstance(value, str):
            kinds = (_TEXT, _ELEMENT)
        else:
            kinds = (_NUMBER,)
        return [code for kind in kinds if (code := self._codes_of[kind].get(value)) is not None]

    def _passing_texts(self, passes: Callable[[str], bool], codes: NDArray[np.int32]) -> BoolArray:
        """Which texts and elements pass; only those in ``codes`` are tried, where these are few."""
        passing = np.zeros(len(self._values), np.bool_)
        kinds = self._kinds.view.tobytes()
        texts = (_TEXT, _ELEMENT)
        tried = range(len(self._values)) if codes.size >= len(self._values) else np.unique(codes).tolist()
        passing[[code for code in tried if kinds[code] in texts and passes(self._values[code])]] = True
        return passing

    def read_into(self, name: str, ordinals: OrdinalArray, rows: Sequence[dict[str, AttributeValue]]) -> None:
        """Set ``rows[i][name]`` to the value of the row ``ordinals[i]``, where it has one."""
        column, codes, values = self._ordinals.view, self._codes.view, self._values
        begins, ends = column.searchsorted(ordinals), column.searchsorted(ordinals, side="right")
        present = np.flatnonzero(begins < ends)
        first = codes[begins[present]]
        kinds = self._kinds.view[first]
        for at, code, kind in zip(present.tolist(), first.tolist(), kinds.tolist(), strict=True):
            if kind == _ELEMENT:
                rows[at][name] = tuple(values[code] for code in codes[begins[at] : ends[at]].tolist())
            else:
                rows[at][name] = values[code]

    def scalars(self, ordinals: OrdinalArray) -> NDArray[np.int32]:
        """The codes of rows in a column that has exactly one value for each row: int32 ``[n]``."""
        return self._codes.view[ordinals]

    def counts(self, mask: BoolArray) -> NDArray[np.int64]:
        """How many of the rows in ``mask`` have each vocabulary entry: int64 ``[entries]``."""
        ordinals, codes = self._ordinals.view, self._codes.view
        chosen = mask[ordinals]
        ordinals, codes = ordinals[chosen], codes[chosen]
        if self._repeats:  # the item counts once
            pairs = np.unique(ordinals.astype(np.int64) * len(self._values) + codes)
            codes = (pairs % max(1, len(self._values))).astype(np.int32)
        return np.bincount(codes, minlength=len(self._values)).astype(np.int64)

    def facet(self, mask: BoolArray, limit: int) -> tuple[tuple[FacetValue, ...], tuple[float, float] | None]:
        """What the rows in ``mask`` have here.

        Returns:
            The ``limit`` most frequent values, ties by value, an item with a list counting for each of its elements;
            and the smallest and the largest number, ``None`` where there is no number.
        """
        counts = self.counts(mask)
        kinds = self._kinds.view
        counts[kinds == _EMPTY_LIST] = 0
        if self._codes_of[_TEXT]:  # a text and a list's element may be equal
            for value, code in self._codes_of[_ELEMENT].items():
                if (same := self._codes_of[_TEXT].get(value)) is not None:
                    counts[same] += counts[code]
                    counts[code] = 0
        used = np.flatnonzero(counts)
        numbers = self._numbers.view[used[kinds[used] == _NUMBER]]
        bounds = (float(numbers.min()), float(numbers.max())) if numbers.size else None
        if used.size > limit:
            used = used[counts[used] >= np.partition(counts[used], used.size - limit)[used.size - limit]]
        entries = [
            (-count, _TEXT if kind == _ELEMENT else kind, self._values[code])
            for code, kind, count in zip(used.tolist(), kinds[used].tolist(), counts[used].tolist(), strict=True)
        ]
        return tuple(FacetValue(value, -count) for count, _, value in nsmallest(limit, entries)), bounds

    def summary(self, alive: BoolArray) -> AttributeSummary:
        """What the rows in ``alive`` have here."""
        ordinals = self._ordinals.view
        chosen = alive[ordinals]
        ordinals = ordinals[chosen]
        used = np.flatnonzero(np.bincount(self._codes.view[chosen], minlength=1))
        kinds = {_KIND_NAMES[kind] for kind in self._kinds.view[used].tolist()}
        # Ordinals ascend, so each item begins where they change.
        items = np.count_nonzero(np.diff(ordinals)) + bool(ordinals.size)
        return AttributeSummary(tuple(sorted(kinds)), int(items), int(used.size))

    def kept(self, alive: BoolArray, renumbered: OrdinalArray) -> Column:
        """A column of the rows in ``alive`` only, under their new numbers, without entries that nothing else used."""
        ordinals, codes = self._ordinals.view, self._codes.view
        chosen = alive[ordinals]
        ordinals, codes = ordinals[chosen], codes[chosen]
        used = np.zeros(len(self._values), np.bool_)
        used[codes] = True
        recoded = (np.cumsum(used) - 1).astype(np.int32)
        column = Column()
        column._repeats = self._repeats
        column._ordinals.extend(renumbered[ordinals])
        column._codes.extend(recoded[codes])
        column._kinds.extend(self._kinds.view[used])
        column._numbers.extend(self._numbers.view[used])
        column._values = [self._values[code] for code in np.flatnonzero(used).tolist()]
        for code, (value, kind) in enumerate(zip(column._values, column._kinds.view.tolist(), strict=True)):
            column._codes_of[kind][value] = code
        return column

    @property
    def empty(self) -> bool:
        """Whether no row has a value here."""
        return not len(self._codes)


class Columns:
    """All attributes of all rows. One writer or many readers at a time, as its owner's lock sees to."""

    def __init__(self) -> None:
        self._count = 0
        self._reserved = {name: Column() for name in RESERVED}
        self._attributes: dict[str, Column] = {}
        self._masks: OrderedDict[str, BoolArray] = OrderedDict()
        self._masks_lock = Lock()

    def __len__(self) -> int:
        """How many rows there are, dead ones included."""
        return self._count

    def append(self, rows: Sequence[Row]) -> range:
        """Add rows; returns their ordinals."""
        ordinals = range(self._count, self._count + len(rows))
        self._reserved["item_id"].extend(ordinals, [row.item_id for row in rows])
        self._reserved["item_group_id"].extend(ordinals, [row.group_id for row in rows])
        self._reserved["title"].extend(ordinals, [row.title for row in rows])
        gathered: dict[str, tuple[list[int], list[AttributeValue]]] = {}
        for ordinal, row in zip(ordinals, rows, strict=True):
            for name, value in row.attributes.items():
                at, values = gathered.setdefault(name, ([], []))
                at.append(ordinal)
                values.append(value)
        for name, (at, values) in gathered.items():
            self._attributes.setdefault(name, Column()).extend(at, values)
        self._count += len(rows)
        return ordinals

    def mask(self, wanted: Filter) -> BoolArray:
        """Which rows pass a filter, dead ones included: bool ``[rows]``, not to be written to."""
        with self._masks_lock:
            mask = self._masks.get(wanted.token, np.empty(0, np.bool_))
        if mask.size < self._count:
            mask = np.concatenate([mask, self._evaluate(wanted.node, mask.size)])
        with self._masks_lock:
            self._masks[wanted.token] = mask
            self._masks.move_to_end(wanted.token)
            while len(self._masks) > min(_CACHED, max(1, _CACHED_BYTES // max(1, self._count))):
                self._masks.popitem(last=False)
        return mask

    def _evaluate(self, node: Node, start: int) -> BoolArray:
        """Which of the rows from ``start`` on pass: bool ``[rows - start]``."""
        match node:
            case And(parts):
                result = np.ones(self._count - start, np.bool_)
                for part in parts:
                    result &= self._evaluate(part, start)
                return result
            case Or(parts):
                result = np.zeros(self._count - start, np.bool_)
                for part in parts:
                    result |= self._evaluate(part, start)
                return result
            case Not(part):
                return ~self._evaluate(part, start)
        column = self._column(node.name)
        if column is None:
            return np.zeros(self._count - start, np.bool_)
        return column.where(node, start, self._count)

    def _column(self, name: str) -> Column | None:
        """The column that a filter means by ``name``: the reserved one, where an attribute is named like it."""
        return self._reserved.get(name, self._attributes.get(name))

    def groups(self, ordinals: OrdinalArray) -> NDArray[np.int32]:
        """A number for the group of each row, equal for rows of one group: int32 ``[n]``."""
        return self._reserved["item_group_id"].scalars(ordinals)

    def rows(self, ordinals: OrdinalArray) -> list[Row]:
        """What was appended as these rows."""
        own: list[dict[str, Any]] = [{} for _ in range(len(ordinals))]
        for name, column in self._reserved.items():
            column.read_into(name, ordinals, own)
        attributes: list[dict[str, AttributeValue]] = [{} for _ in own]
        for name, column in self._attributes.items():
            column.read_into(name, ordinals, attributes)
        return [
            Row(row["item_id"], row["item_group_id"], row["title"], values)
            for row, values in zip(own, attributes, strict=True)
        ]

    def facet(self, name: str, mask: BoolArray, limit: int) -> Facet:
        """What the rows in ``mask`` (bool ``[rows]``) have in the attribute ``name``: its ``limit`` top values."""
        column = self._column(name)
        if column is None:
            return Facet(name, ())
        values, bounds = column.facet(mask, limit)
        return Facet(name, values) if bounds is None else Facet(name, values, *bounds)

    def summaries(self, alive: BoolArray) -> Mapping[str, AttributeSummary]:
        """What each attribute of the rows in ``alive`` is like, by name; those that none of them has are left out."""
        summaries = {name: column.summary(alive) for name, column in sorted(self._attributes.items())}
        return {name: summary for name, summary in summaries.items() if summary.items}

    def group_count(self, alive: BoolArray) -> int:
        """How many groups the rows in ``alive`` belong to."""
        groups = self.groups(np.flatnonzero(alive).astype(np.int32))
        return int(np.count_nonzero(np.bincount(groups, minlength=1)))

    def kept(self, alive: BoolArray, renumbered: OrdinalArray) -> Columns:
        """A store of the rows in ``alive`` only.

        Args:
            alive: bool ``[rows]``.
            renumbered: int32 ``[rows]``: the new ordinal of each row that is alive.
        """
        columns = Columns()
        columns._count = int(np.count_nonzero(alive))
        columns._reserved = {name: column.kept(alive, renumbered) for name, column in self._reserved.items()}
        kept = {name: column.kept(alive, renumbered) for name, column in self._attributes.items()}
        columns._attributes = {name: column for name, column in kept.items() if not column.empty}
        return columns


def _entries(value: AttributeValue) -> Iterable[tuple[int, Any]]:
    """A value as vocabulary entries."""
    if isinstance(value, str):
        return ((_TEXT, value),)
    if isinstance(value, tuple):
        return [(_ELEMENT, element) for element in value] or ((_EMPTY_LIST, ()),)
    return ((_BOOLEAN, value),) if isinstance(value, bool) else ((_NUMBER, float(value)),)


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
