"""JSON lines (one object a line), and a file that is one JSON array of objects, read without holding it whole."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from nitari.catalog.feeds.records import MAX_RECORD, RawValue, Record
from nitari.catalog.feeds.text import Lines, RecordTooLongError, count_lines, open_text, read_some, translated
from nitari.errors import FeedError
from nitari.types import Rejection

CHUNK = 65_536
_SHAPE = "give one JSON object a line, or one JSON array of objects: jq -c '.[]' feed.json > feed.jsonl"
_LIKELY_ID = re.compile(r'"(?:id|item_id|offer_id|offerId|product_id)"\s*:\s*(?:"([^"\\\x00-\x1f]{1,512})"|(\d{1,20}))')


class JsonLinesReader:
    """One object a line. A line that is not one is rejected, and the next is read."""

    unit = "line"

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self._path = path
        self._encoding = encoding

    @property
    def size_hint(self) -> int | None:
        """About how many objects there are."""
        with translated(self._path):
            return count_lines(self._path)

    def records(self) -> Iterator[Record | Rejection]:
        """The objects.

        Raises:
            FeedError: a file that is one object, not one a line.
        """
        first = True
        with translated(self._path), open_text(self._path, self._encoding) as file:
            lines = Lines(file)
            while True:
                number = lines.begin()
                try:
                    line = next(lines, None)
                except RecordTooLongError:
                    yield _rejected("json-line", number, f"more than {MAX_RECORD} characters", lines.taken[0][:4096])
                    continue
                if line is None:
                    return
                if not line.strip():
                    continue
                entry = _record(line, number)
                if first:
                    self._check_first(line, entry)
                    first = False
                yield entry

    def _check_first(self, line: str, entry: Record | Rejection) -> None:
        """See that the file is not one big object, neither spread over lines nor on one."""
        if isinstance(entry, Rejection):
            wrapped = entry.code == "json-line" and line.rstrip().endswith(("{", "[", ",")) and "}" not in line
        else:
            wrapped = len(entry.names) <= 8 and any(
                isinstance(value, list) and value and isinstance(value[0], dict) for value in entry.values
            )
            wrapped = wrapped and not any(name.lower().endswith("id") for name in entry.names)
        if wrapped:
            raise FeedError(
                f"{self._path} is one JSON object that holds the items, not one object a line",
                remedy=_SHAPE.replace("'.[]'", "'.products[]'"),
                code="json",
            )


class JsonArrayReader:
    """One array of objects, decoded element by element."""

    unit = "element"
    size_hint: int | None = None

    def __init__(self, path: Path, encoding: str | None = None) -> None:
        self._path = path
        self._encoding = encoding

    def records(self) -> Iterator[Record | Rejection]:
        """The objects.

        Raises:
            FeedError: JSON that is broken; what comes before the break is read.
        """
        with translated(self._path), open_text(self._path, self._encoding) as file:
            text = _Window(file)
            text.expect("[", self._path, 0)
            number = 0
            if text.peek() == "]":
                return
            while True:
                number += 1
                value = text.value(self._path, number)
                yield _from_value(value, number, "element")
                if text.peek() == "]":
                    return
                text.expect(",", self._path, number)


class _Window:
    """The part of a JSON text that is being decoded."""

    def __init__(self, file: io.TextIOWrapper) -> None:
        self._file = cast(BinaryIO, file.buffer)
        self._decode = codecs.getincrementaldecoder(file.encoding)(file.errors or "strict").decode
        self._decoder = json.JSONDecoder()
        self._text = ""
        self._position = 0
        self._line = 1
        self._ended = False

    def peek(self) -> str:
        """The next character that is not space; empty at the end."""
        while True:
            while self._position < len(self._text):
                if self._text[self._position] not in " \t\r\n\ufeff":
                    return self._text[self._position]
                self._position += 1
            if not self._more():
                return ""

    def expect(self, char: str, path: Path, number: int) -> None:
        """Step over ``char``."""
        if self.peek() != char:
            raise self._error(path, f"expected {char!r} after element {number}")
        self._position += 1

    def value(self, path: Path, number: int) -> RawValue:
        """Decode the next element, reading on until it is whole."""
        self.peek()
        while True:
            reason, cut_off = "is too large", False
            try:
                value, end = self._decoder.raw_decode(self._text, self._position)
                if end < len(self._text) or self._ended:
                    self._position = end
                    return value
            except json.JSONDecodeError as exc:
                reason = exc.msg
                cut_off = exc.pos >= len(self._text.rstrip()) or exc.msg.startswith("Unterminated")
            except (ValueError, RecursionError) as exc:
                reason = str(exc)
            if len(self._text) - self._position > MAX_RECORD or not self._more():
                ended = "; the file ends there" if self._ended and cut_off else ""
                raise self._error(path, f"element {number}: {reason}{ended}")

    def _more(self) -> bool:
        """Read on, dropping what is decoded; false at the end."""
        data = read_some(self._file, max(CHUNK, len(self._text) - self._position))
        chunk = self._decode(data, not data)
        self._line += self._text.count("\n", 0, self._position)
        self._text = self._text[self._position :] + chunk
        self._position = 0
        self._ended = not data
        return not self._ended

    def _error(self, path: Path, reason: str) -> FeedError:
        line = self._line + self._text.count("\n", 0, self._position)
        return FeedError(
            f"{path} is broken JSON at line {line}: {reason}; the elements before it were read",
            remedy="export it again; " + _SHAPE,
            code="json",
        )


def _record(line: str, number: int) -> Record | Rejection:
    """A line as a record."""
    try:
        value = json.loads(line.lstrip("\ufeff"))
    except json.JSONDecodeError as exc:
        return _rejected("json-line", number, f"broken JSON at column {exc.colno}: {exc.msg}", line[:4096])
    except (ValueError, RecursionError) as exc:  # a number of 5,000 digits, 10,000 nested lists
        return _rejected("json-line", number, f"JSON that cannot be read: {exc}", line[:4096])
    return _from_value(value, number, "line")


def _from_value(value: RawValue, number: int, unit: str) -> Record | Rejection:
    """A decoded value as a record: it must be an object."""
    if isinstance(value, dict):
        return Record(number, tuple(value), tuple(value.values()), typed=True)
    kind = {list: "a list", str: "a text", bool: "a boolean", type(None): "null"}.get(type(value), "a number")
    return Rejection(
        "json-type",
        f"{unit} {number} is {kind}; expected an object with id and image_link",
        _SHAPE,
        location=f"{unit} {number}",
    )


def _rejected(code: str, number: int, reason: str, start: str) -> Rejection:
    """A line that is not JSON, with the id it seems to have: so that a sync does not take the item for deleted."""
    match = _LIKELY_ID.search(start)
    item_id = (match[1] or match[2]) if match else None
    return Rejection(
        code,
        reason,
        "write one whole JSON object on the line",
        item_id=item_id if item_id and item_id.isprintable() else None,
        location=f"line {number}",
    )
