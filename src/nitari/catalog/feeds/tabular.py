"""CSV and TSV: comma, semicolon, tab or bar between cells, quoted line ends, and recovery after a broken quote."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nitari.catalog.feeds.columns import ID, IMAGE, MORE_IMAGES, TITLE, check_header, layout
from nitari.catalog.feeds.records import MAX_RECORD, Record
from nitari.catalog.feeds.text import Lines, RecordTooLongError, count_lines, open_text, translated
from nitari.errors import FeedError
from nitari.types import MAX_ID_LENGTH, Rejection, is_printable_id

DELIMITERS = (",", ";", "\t", "|")
_EXCEL_HINT = "sep="


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: the number of its first physical line, and its cells."""

    line: int
    cells: list[str]


class Table:
    """A delimited text file: its header, then its rows. Use as ``with``-less iterator through ``rows``.

    A record may hold quoted line ends. One whose quote never closes would swallow the rows after it: such a record is
    rejected, and reading goes on at the first line inside it that is a whole row by itself.
    """

    def __init__(self, path: Path, *, encoding: str | None = None) -> None:
        self.path = path
        self._encoding = encoding

    @property
    def size_hint(self) -> int | None:
        """About how many rows there are."""
        with translated(self.path):
            lines = count_lines(self.path)
        return None if lines is None else max(lines - 1, 0)

    def header(self) -> tuple[str, ...]:
        """The names of the columns.

        Raises:
            FeedError: an empty file, or a header that cannot be read.
        """
        with translated(self.path), open_text(self.path, self._encoding) as file:
            return self._open(Lines(file))[0]

    def rows(self) -> Iterator[Row | Rejection]:
        """The rows below the header, all as wide as it is; empty ones are left out."""
        with translated(self.path), open_text(self.path, self._encoding) as file:
            lines = Lines(file)
            header, delimiter = self._open(lines)
            while True:
                line = lines.begin()
                try:
                    cells = next(_reader(lines, delimiter), None)
                except (csv.Error, RecordTooLongError) as exc:
                    yield self._broken(lines, line, header, delimiter, _reason(exc))
                    continue
                if cells is None:
                    return
                if not any(cell and not cell.isspace() for cell in cells):
                    continue
                if len(cells) != len(header) and any(cell.strip() for cell in cells[len(header) :] or ["short"]):
                    reason = f"{len(cells)} cells where the header has {len(header)}"
                    yield self._broken(lines, line, header, delimiter, reason, cells)
                    continue
                yield Row(line, cells[: len(header)])

    def _open(self, lines: Lines) -> tuple[tuple[str, ...], str]:
        """Read up to the end of the header: its names, and what separates cells."""
        given = None
        while True:
            start = lines.begin()
            try:
                first = next(lines, None)
            except RecordTooLongError as exc:
                raise FeedError(
                    f"{self.path} starts with a line of more than {MAX_RECORD} characters: this is no table",
                    remedy="give a CSV, TSV, JSONL, XML or Parquet file",
                    code="header",
                ) from exc
            if first is None:
                raise FeedError(
                    f"{self.path} is empty" if start == 1 else f"{self.path} holds no header, only blank lines",
                    remedy="the first row must name the columns, at least id and image_link",
                    code="empty",
                )
            bare = first.strip().strip('"').lower()
            if bare.startswith(_EXCEL_HINT) and len(first.strip().strip('"')) <= len(_EXCEL_HINT) + 1:
                given = first.strip('\r\n"')[len(_EXCEL_HINT) :] or None
            elif first.strip():
                break
        lines.give_back(1)
        lines.begin()
        delimiter = given or guess_delimiter(first)
        try:
            cells = next(_reader(lines, delimiter))
        except (csv.Error, RecordTooLongError) as exc:
            raise FeedError(
                f"{self.path}: the header on line {start} cannot be read: {_reason(exc)}",
                remedy="close the quotes in the first row",
                code="header",
            ) from exc
        while len(cells) > 1 and not cells[-1].strip():
            cells.pop()  # rows that end in a delimiter
        return tuple(cells), delimiter

    def _broken(
        self,
        lines: Lines,
        line: int,
        header: Sequence[str],
        delimiter: str,
        reason: str,
        cells: Sequence[str] | None = None,
    ) -> Rejection:
        """Give back the whole rows that a broken record swallowed, and say what is wrong with it."""
        whole = (i for i in range(1, len(lines.taken)) if _is_row(lines.taken[i], delimiter, len(header)))
        swallowed = next(whole, len(lines.taken))
        last = line + swallowed - 1
        first_line = lines.taken[0] if lines.taken else ""
        lines.give_back(len(lines.taken) - swallowed)
        return Rejection(
            "ragged-row" if cells is not None else "broken-row",
            (f"lines {line} to {last}: " if last > line else "") + reason,
            "put quotes around cells that hold the delimiter, line ends or quotes, and double the quotes inside",
            # Lines that were lost may have been rows of other items: then no one id speaks for all of them.
            item_id=_likely_id(header, cells or first_line[:4096].split(delimiter))
            if cells or swallowed == 1
            else None,
            location=f"line {line}",
        )


class TableReader:
    """What all readers of tables share; each has its own ``records``."""

    unit = "line"

    def __init__(self, table: Table) -> None:
        self._table = table

    @property
    def size_hint(self) -> int | None:
        """About how many rows there are; items may be fewer."""
        return self._table.size_hint


class TabularReader(TableReader):
    """Reads a table whose columns have Merchant Center names."""

    def records(self) -> Iterator[Record | Rejection]:
        """The rows."""
        names = self._table.header()
        check_header(names, str(self._table.path))
        for row in self._table.rows():
            yield row if isinstance(row, Rejection) else Record(row.line, names, row.cells)


def guess_delimiter(first_line: str) -> str:
    """The delimiter under which the header has the most columns that we know, and then the most columns."""

    def known(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([first_line], delimiter=delimiter), [])
        except csv.Error:
            cells = first_line.split(delimiter)
        names = layout(tuple(cells)).names
        return sum(name in (ID, IMAGE, MORE_IMAGES, TITLE) for name in names), len(cells)

    return max(DELIMITERS, key=known)


def _reader(lines: Lines, delimiter: str) -> Iterator[list[str]]:
    """A fresh reader for each record: after an error the old one's state is undefined."""
    return csv.reader(lines, delimiter=delimiter, strict=True)


def _is_row(line: str, delimiter: str, width: int) -> bool:
    """Whether a physical line is by itself a row of this width, and not the end of a quoted cell."""
    if line.count('"') % 2:
        return False
    try:
        return len(next(csv.reader([line], delimiter=delimiter, strict=True), [])) == width > 1
    except csv.Error:
        return False


def _reason(exc: Exception) -> str:
    """What is wrong with a record, in words that do not need the csv module's source."""
    text = str(exc)
    if "unexpected end of data" in text:
        return "a quote that is opened here is never closed"
    if isinstance(exc, RecordTooLongError):
        return f"a row of more than {MAX_RECORD} characters; a quote may be open"
    if "expected after" in text:
        return "text follows a closing quote; a quote inside a quoted cell must be doubled"
    if "field larger" in text:
        return f"a cell of more than {csv.field_size_limit()} characters; a quote may be open"
    return f"it is not CSV: {text}"


def _likely_id(header: Sequence[str], cells: Sequence[str]) -> str | None:
    """The id of a row that is broken, as far as it can be told: so that a sync does not take the item for deleted."""
    names = layout(tuple(header)).names
    position = names.index(ID) if ID in names else -1
    if not 0 <= position < len(cells):
        return None
    value = cells[position].strip().strip('"')
    return value if 0 < len(value) <= MAX_ID_LENGTH and is_printable_id(value) else None
