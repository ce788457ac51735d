"""``queries.csv`` of the protocol ``qrels``: photos that ask, with the box to search with and what to leave out."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from nitari.errors import DataError, UsageError
from nitari.types import Box

REQUIRED = ("query_id", "image_link")


@dataclass(frozen=True, slots=True)
class QueryRow:
    """A row of ``queries.csv``.

    Args:
        query_id: Unique in the file, without white space.
        image_link: Relative to the folder of the file, or an ``http(s)`` link.
        box: ``x1,y1,x2,y2`` in the file, normalized; ``None`` where the cell is empty.
        exclude: Ids of items that must not answer, space-separated in the file.
        category: For the table by category; empty for none.
    """

    query_id: str
    image_link: str
    box: Box | None = None
    exclude: tuple[str, ...] = ()
    category: str = ""


def read_queries(path: Path) -> tuple[QueryRow, ...]:
    """Read ``queries.csv``: columns ``query_id,image_link`` and, if there, ``box,exclude,category``.

    Raises:
        DataError: naming the line, for one that lacks a value, has a bad box or repeats a query id.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, strict=True)
            missing = [name for name in REQUIRED if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{path} has no column {missing[0]!r}",
                    remedy="its first line names the columns: query_id,image_link,box,exclude",
                    code="queries",
                )
            rows = [_row(path, reader.line_num, cells) for cells in reader]
    except OSError as exc:
        raise DataError(
            f"{path} cannot be read: {exc.strerror}",
            remedy="the protocol qrels needs a queries.csv with the columns query_id,image_link,box,exclude",
            code="queries",
        ) from exc
    except (csv.Error, UnicodeDecodeError) as exc:
        raise DataError(
            f"{path} is not a CSV file in UTF-8: {exc}", remedy="save it as CSV, UTF-8", code="queries"
        ) from exc
    seen: set[str] = set()
    for number, row in enumerate(rows, start=1):
        if row.query_id in seen:
            raise DataError(f"{path} row {number}: query id {row.query_id!r} is there twice", code="queries")
        seen.add(row.query_id)
    if not rows:
        raise DataError(f"{path} holds no query", remedy="give at least one row", code="queries")
    return tuple(rows)


def _row(path: Path, line: int, cells: dict[str, str | None]) -> QueryRow:
    def bad(found: str, expected: str) -> DataError:
        return DataError(
            f"{path.name} line {line}: {found}; expected {expected}", remedy=f"correct {path}", code="queries"
        )

    if None in cells:
        raise bad("there are more cells than columns", 'a box in quotes, "x1,y1,x2,y2"')
    text = {name: (value or "").strip() for name, value in cells.items()}
    for name in REQUIRED:
        if not text[name]:
            raise bad(f"{name} is empty", "a value")
    if not text["query_id"].isprintable() or len(text["query_id"].split()) > 1:
        raise bad(f"query_id is {text['query_id']!r}", "printable characters without white space")
    box = None
    if text.get("box"):
        try:
            corners = [float(part) for part in text["box"].split(",")]
            box = Box(*corners)
        except (ValueError, TypeError, UsageError) as exc:
            raise bad(f"box is {text['box']!r}", "x1,y1,x2,y2 with 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1") from exc
    exclude = tuple(dict.fromkeys(text.get("exclude", "").split()))
    return QueryRow(text["query_id"], text["image_link"], box, exclude, text.get("category", ""))
