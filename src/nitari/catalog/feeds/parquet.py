"""Parquet, by pyarrow (extra ``parquet``), a batch of rows at a time."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from nitari.catalog.feeds.columns import check_header
from nitari.catalog.feeds.records import RawValue, Record
from nitari.catalog.feeds.text import is_gzip, open_binary, translated
from nitari.errors import FeedError, MissingExtraError
from nitari.types import Rejection

BATCH = 1024
MAX_ROW_GROUP = 4 * 2**30
"""Most bytes of one row group, unpacked: it is what reading holds in memory."""


class ParquetReader:
    """Reads a Parquet file whose columns have Merchant Center names."""

    unit = "row"

    def __init__(self, path: Path) -> None:
        _pyarrow()  # so that a missing extra is said when the feed is opened, not in the middle of an import
        self._path = path

    @property
    def size_hint(self) -> int | None:
        """How many rows there are; ``None`` for a gzipped file."""
        if is_gzip(self._path):
            return None
        with self._open() as file:
            return int(file.metadata.num_rows)

    def records(self) -> Iterator[Record | Rejection]:
        """The rows.

        Raises:
            FeedError: a damaged file, one without the needed columns, or with row groups too large to hold.
        """
        with self._open() as file:
            names = tuple(file.schema_arrow.names)
            check_header(names, str(self._path))
            number = 0
            for batch in file.iter_batches(batch_size=BATCH):
                columns = [_values(column) for column in batch.columns]
                for values in zip(*columns, strict=True):
                    number += 1
                    yield Record(number, names, values, typed=True)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """The file, unzipped to disk first where it is gzipped: Parquet is read from its end."""
        arrow, parquet = _pyarrow()
        with translated(self._path), _seekable(self._path) as raw:
            try:
                with parquet.ParquetFile(raw) as file:
                    groups = range(file.metadata.num_row_groups)
                    largest = max((file.metadata.row_group(i).total_byte_size for i in groups), default=0)
                    if largest > MAX_ROW_GROUP:
                        raise FeedError(
                            f"{self._path} has a row group of {largest} bytes; at most {MAX_ROW_GROUP} can be read",
                            remedy="write it with smaller row groups",
                            code="parquet",
                        )
                    yield file
            except (arrow.ArrowException, OSError) as exc:  # pyarrow raises both for a damaged file
                raise FeedError(
                    f"{self._path} is a damaged Parquet file: {str(exc).strip()}",
                    remedy="export it again",
                    code="parquet",
                ) from exc


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as exc:
        raise MissingExtraError("reading Parquet feeds", "parquet") from exc
    return pyarrow, pyarrow.parquet


@contextmanager
def _seekable(path: Path) -> Iterator[IO[bytes]]:
    if not is_gzip(path):
        with path.open("rb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as unpacked:
        with open_binary(path) as packed:
            shutil.copyfileobj(packed, unpacked, 2**20)
        unpacked.seek(0)
        yield unpacked


def _values(column: Any) -> list[RawValue]:
    """A column's cells as Python values; times are cut to microseconds, which is what Python's can hold."""
    arrow, _ = _pyarrow()
    if arrow.types.is_timestamp(column.type) and column.type.unit == "ns":
        column = column.cast(arrow.timestamp("us", column.type.tz), safe=False)
    values: list[RawValue] = column.to_pylist()
    return values
