"""Attributes of many items, by column: quick to filter by, to count, and to read back.

A row is what one item said at one time; it never changes, and its number is its **ordinal**. An item that changes gets
a new row, and the old one dies. So whatever was once worked out about rows stays true, and only new rows are looked at
when the catalog changes: a cached filter costs O(changes), not O(items).

A column is a vocabulary (each distinct value once) and pairs ``(ordinal, code)``, ascending by ordinal. That one
layout holds scalars, lists (several pairs) and absence (no pair), and takes 8 bytes a value. A test is evaluated on
the vocabulary and then gathered, as dictionary-encoded column stores do it (Abadi, Madden and Ferreira, "Integrating
compression and execution in column-oriented database systems", SIGMOD 2006).

Rows that were saved are read where they lie in the file (``columns_sealed.py``), and come first; those that were added
since are in memory (``columns_column.py``).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.search.arrays import ArrayFile, ArrayWriter
from nitari.search.columns_column import AttributeSummary, Column
from nitari.search.columns_sealed import OrdinalArray, SealedColumn
from nitari.search.filters import RESERVED, And, Filter, Node, Not, Or
from nitari.types import Attributes, AttributeValue, BoolArray, Facet

__all__ = ["AttributeSummary", "Columns", "OrdinalArray", "Row"]

_CACHED = 256
_CACHED_BYTES = 64 * 2**20
# Where at most one row in so many may pass, those are looked at one by one: that costs about 30 nanoseconds each, and a
# pass over all rows 1 or 2 nanoseconds each.
_SPARSE = 24


@dataclass(frozen=True, slots=True)
class Row:
    """What a column store keeps of an item."""

    item_id: str
    group_id: str
    title: str
    attributes: Attributes


class Columns:
    """All attributes of all rows. One writer or many readers at a time, as its owner's lock sees to.

    Args:
        file: Where rows were saved to; ``None`` for none.

    Raises:
        StateError: where the file is damaged.
    """

    def __init__(self, file: ArrayFile | None = None) -> None:
        self._first = 0
        self._reserved: dict[str, Column] = {name: Column() for name in RESERVED}
        self._attributes: dict[str, Column] = {}
        self._masks: OrderedDict[str, BoolArray] = OrderedDict()
        self._masks_lock = Lock()
        if file is not None:
            self._open(file)
        self._count = self._first

    def _open(self, file: ArrayFile) -> None:
        """Take over the rows that were saved."""
        try:
            rows, names = int(file.values["rows"]), [str(name) for name in file.values["attributes"]]
        except (KeyError, TypeError, ValueError) as exc:
            raise file.damaged("it does not say which columns it has") from exc
        self._first = rows
        for name in RESERVED:
            sealed = SealedColumn(file, _reserved(name), rows)
            if not sealed.dense:
                raise file.damaged(f"some of its items have no {name}")
            self._reserved[name] = Column(sealed, rows)
        for number, name in enumerate(names):
            self._attributes[name] = Column(SealedColumn(file, _attribute(number), rows), rows)

    def write(self, writer: ArrayWriter, alive: BoolArray, renumbered: OrdinalArray) -> None:
        """Write the rows in ``alive``.

        Args:
            writer: Where to.
            alive: bool ``[rows]``.
            renumbered: int32 ``[rows]``: the new ordinal of each row that is alive.
        """
        writer.note("rows", int(np.count_nonzero(alive)))
        for name, column in self._reserved.items():
            column.write(writer, _reserved(name), alive, renumbered)
        written: list[str] = []
        for name, column in sorted(self._attributes.items()):
            if column.used_by(alive):
                column.write(writer, _attribute(len(written)), alive, renumbered)
                written.append(name)
        writer.note("attributes", written)

    def __len__(self) -> int:
        """How many rows there are, dead ones included."""
        return self._count

    @property
    def saved(self) -> int:
        """How many of the rows are in the file."""
        return self._first

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
            self._attributes.setdefault(name, Column(None, self._first)).extend(at, values)
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

    def estimate(self, wanted: Filter) -> int:
        """At most how many rows pass, dead ones included: by the counts of values, without a look at rows."""
        return self._bounds(wanted.node)[1]

    def matching(self, wanted: Filter) -> OrdinalArray:
        """The rows that pass a filter, dead ones included, ascending: int32 ``[n]``.

        Costs by ``estimate``, where that is small, and not by the number of rows.
        """
        if self._is_sparse(wanted.node):
            return self._rows(wanted.node)
        return np.flatnonzero(self.mask(wanted)).astype(np.int32)

    def _is_sparse(self, node: Node) -> bool:
        """Whether so few rows can pass that they are best looked at one by one."""
        return self._bounds(node)[1] * _SPARSE < self._count

    def _bounds(self, node: Node) -> tuple[int, int]:
        """At least and at most how many rows pass."""
        match node:
            case And(parts):
                bounds = [(self._count, self._count), *map(self._bounds, parts)]
                missing = sum(self._count - low for low, _ in bounds)
                return max(0, self._count - missing), min(high for _, high in bounds)
            case Or(parts):
                bounds = list(map(self._bounds, parts))
                return max(low for low, _ in bounds), min(self._count, sum(high for _, high in bounds))
            case Not(part):
                low, high = self._bounds(part)
                return self._count - high, self._count - low
        column = self._column(node.name)
        if column is None:
            return 0, 0
        low, high = column.bounds(node)
        return low, min(high, self._count)

    def _evaluate(self, node: Node, start: int) -> BoolArray:
        """Which of the rows from ``start`` on pass: bool ``[rows - start]``."""
        size = self._count - start
        if not start and self._is_sparse(node):
            result = np.zeros(size, np.bool_)
            result[self._rows(node)] = True
            return result
        match node:
            case And(parts):
                return self._all_of(parts, start)
            case Or(parts):
                result = np.zeros(size, np.bool_)
                for part in parts:
                    result |= self._evaluate(part, start)
                return result
            case Not(part):
                return ~self._evaluate(part, start)
        column = self._column(node.name)
        return np.zeros(size, np.bool_) if column is None else column.where(node, start, self._count)

    def _all_of(self, parts: Sequence[Node], start: int) -> BoolArray:
        """Which of the rows from ``start`` on pass all ``parts``: the rarest first, and the rest where few are left."""
        ordered = parts if start else self._rarest_first(parts)
        result = np.ones(self._count - start, np.bool_)
        for at, part in enumerate(ordered):
            if at and np.count_nonzero(result) * _SPARSE < result.size:
                left = np.flatnonzero(result)
                result[left] = self._among(And(tuple(ordered[at:])), (left + start).astype(np.int32))
                return result
            result &= self._evaluate(part, start)
        return result

    def _rarest_first(self, parts: Sequence[Node]) -> list[Node]:
        """``parts``, those that the fewest rows can pass first."""
        return sorted(parts, key=lambda part: self._bounds(part)[1])

    def _rows(self, node: Node) -> OrdinalArray:
        """The rows that pass, ascending: int32 ``[n]``."""
        match node:
            case And(parts) if parts:
                first, *others = self._rarest_first(parts)
                rows = self._rows(first)
                for part in others:
                    rows = rows[self._among(part, rows)]
                return rows
            case Or(parts):
                return np.unique(np.concatenate([self._rows(part) for part in parts]))
            case And():
                return np.arange(self._count, dtype=np.int32)
            case Not(part):
                return np.flatnonzero(~self._evaluate(part, 0)).astype(np.int32)
        column = self._column(node.name)
        return np.empty(0, np.int32) if column is None else column.rows(node)

    def _among(self, node: Node, ordinals: OrdinalArray) -> BoolArray:
        """Which of the rows ``ordinals`` (int32, ascending) pass: bool ``[n]``."""
        match node:
            case And(parts):
                passing = np.ones(ordinals.size, np.bool_)
                for part in parts:
                    left = np.flatnonzero(passing)
                    passing[left] = self._among(part, ordinals[left])
                return passing
            case Or(parts):
                passing = np.zeros(ordinals.size, np.bool_)
                for part in parts:
                    left = np.flatnonzero(~passing)
                    passing[left] = self._among(part, ordinals[left])
                return passing
            case Not(part):
                return ~self._among(part, ordinals)
        column = self._column(node.name)
        return np.zeros(ordinals.size, np.bool_) if column is None else column.among(node, ordinals)

    def _column(self, name: str) -> Column | None:
        """The column that a filter means by ``name``: the reserved one, where an attribute is named like it."""
        return self._reserved.get(name, self._attributes.get(name))

    def saved_rows(self, item_ids: Sequence[str]) -> list[int]:
        """The row in the file of each of these items, dead or alive, -1 where there is none."""
        return self._reserved["item_id"].row_with(item_ids)

    def saved_id(self, ordinal: int) -> str:
        """The item that a row in the file is of."""
        (row,) = self._reserved["item_id"].scalars(np.asarray([ordinal], np.int32)).tolist()
        return str(self._reserved["item_id"].value(row))

    def groups(self, ordinals: OrdinalArray) -> NDArray[np.int32]:
        """A number for the group of each row, equal for rows of one group: int32 ``[n]``."""
        return self._reserved["item_group_id"].scalars(ordinals)

    def texts(self, name: str, ordinals: OrdinalArray) -> list[str | None]:
        """What the rows have in an attribute, of a list the first element; ``None`` where that is not a text."""
        column = self._column(name)
        if column is None:
            return [None] * len(ordinals)
        codes = column.firsts(ordinals)
        values = {code: column.value(code) for code in np.unique(codes).tolist() if code >= 0}
        texts = {code: value for code, value in values.items() if isinstance(value, str)}
        return [texts.get(code) for code in codes.tolist()]

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
        return int(np.count_nonzero(self._reserved["item_group_id"].counts(alive)))

    def kept(self, alive: BoolArray, renumbered: OrdinalArray) -> Columns:
        """A store of the rows in ``alive`` only; those in the file stay as they are, and must be in ``alive``.

        Args:
            alive: bool ``[rows]``.
            renumbered: int32 ``[rows]``: the new ordinal of each row that is alive.
        """
        columns = Columns()
        columns._first, columns._count = self._first, int(np.count_nonzero(alive))
        if self._first:  # masks of the rows in the file stay as they are, too
            with self._masks_lock:
                columns._masks.update((token, mask[: self._first]) for token, mask in self._masks.items())
        columns._reserved = {name: column.kept(alive, renumbered) for name, column in self._reserved.items()}
        kept = {name: column.kept(alive, renumbered) for name, column in self._attributes.items()}
        columns._attributes = {name: column for name, column in kept.items() if not column.empty}
        return columns


def _reserved(name: str) -> str:
    """What the arrays of a reserved column are named."""
    return f"reserved.{name}"


def _attribute(number: int) -> str:
    """What the arrays of an attribute's column are named; the attribute's own name may be anything."""
    return f"attribute.{number}"
