"""What every format yields before columns get their meaning: raw rows, with where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from nitari.types import Rejection

RawValue: TypeAlias = Any
"""A cell as the format gives it: text, number, boolean, date, list, object, ``None``, or something unusable."""

MAX_RECORD = 2**20
"""Most characters of one row, JSON object or XML element; a larger one is rejected without being held in memory."""
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Record:
    """One raw row.

    Args:
        number: Where it stands, counted from 1 in the reader's unit.
        names: Column names as the feed writes them; repeated names are collected into a list.
        values: One for each name.
        typed: Whether the format tells ``7`` from ``"7"`` (JSON, Parquet, SQL) or all is text (CSV, XML).
    """

    number: int
    names: tuple[str, ...]
    values: Sequence[RawValue]
    typed: bool = False


class RecordReader(Protocol):
    """Reads one feed of one format."""

    @property
    def unit(self) -> str:
        """What ``Record.number`` counts: ``line``, ``row`` or ``element``."""
        ...

    @property
    def size_hint(self) -> int | None:
        """About how many records there are; ``None`` if that is not known cheaply."""
        ...

    def records(self) -> Iterator[Record | Rejection]:
        """Raw rows in order; a row that cannot be read comes as a rejection.

        Raises:
            FeedError: a feed that cannot be read at all, or not any further.
        """
        ...


def shown(value: object) -> str:
    """A value as messages quote it: its ``repr``, shortened, so that a bad cell cannot flood a terminal."""
    text = repr(value[: SHOWN + 1] if isinstance(value, str) else value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def safe(text: str) -> str:
    """The text with undecodable bytes spelled out, so that it can be stored and printed."""
    return text.encode("utf-8", "backslashreplace").decode()
