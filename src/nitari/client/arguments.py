"""What callers pass in, and how it becomes the bodies of requests."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeAlias, TypedDict
from urllib.parse import quote

from nitari.errors import UsageError
from nitari.server.schemas import DeleteOperation, PutOperation

PhotoSource: TypeAlias = bytes | str | os.PathLike[str] | BinaryIO
"""A photo: an image file's bytes, its path, or the open file."""
Operation: TypeAlias = PutOperation | DeleteOperation
"""One of many edits."""


class RankingArgs(TypedDict, total=False):
    """Which hits, how many, and what to count beside them; as ``schemas_search.Ranking`` explains them."""

    filter: Mapping[str, Any] | None
    k: int
    offset: int
    min_score: float | None
    group_by: Literal["item", "group"]
    facets: Sequence[str]
    facet_limit: int
    explain: bool
    emphasis: float
    category: Literal["boost", "restrict", "off"]
    collapse: bool
    why: bool


class HeatmapArgs(TypedDict, total=False):
    """How a query that a heat map explains was searched with."""

    region: Literal["auto", "whole", "largest"] | Sequence[float]
    emphasis: float
    worn: Literal["auto", "off"] | float


class SearchArgs(RankingArgs, total=False):
    """A search; one of ``photo``, ``url``, ``item_id``, ``vector`` or ``photo_id`` says what to search with."""

    photo: PhotoSource | None
    url: str | None
    item_id: str | None
    vector: Sequence[float] | None
    photo_id: str | None
    region: Literal["auto", "whole", "largest"] | Sequence[float]
    liked: Sequence[str]
    disliked: Sequence[str]
    worn: Literal["auto", "off"] | float


def photo_bytes(photo: PhotoSource) -> bytes:
    """The bytes of a photo.

    Raises:
        UsageError: a file that cannot be read, or a file that was opened as text.
    """
    if isinstance(photo, bytes):
        return photo
    if isinstance(photo, str | os.PathLike):
        try:
            return Path(photo).read_bytes()
        except OSError as exc:
            raise UsageError(
                f"photo {os.fspath(photo)!r} cannot be read: {exc.strerror or exc}",
                remedy="give the path of a readable image file, its bytes, or url= for a link",
            ) from exc
    data = photo.read()
    if not isinstance(data, bytes):
        raise UsageError(f"the photo's file gave {type(data).__name__}, not bytes", remedy='open it with mode "rb"')
    return data


def photo_part(photo: PhotoSource) -> tuple[str, tuple[str | None, Any, str]]:
    """A photo as the field of a form."""
    return "photo", ("photo", photo_bytes(photo), "application/octet-stream")


def segment(value: str) -> str:
    """A path segment that stands for ``value`` even where it holds slashes, or is nothing but dots."""
    return quote(value, safe="").replace(".", "%2E") if value.strip(".") == "" else quote(value, safe="")


def json_bytes(value: Mapping[str, Any]) -> bytes:
    """JSON without the entries that are ``None``; numpy arrays and other sequences become lists.

    Raises:
        UsageError: a value that JSON has no form for, such as NaN or an object.
    """
    given = {name: entry for name, entry in value.items() if entry is not None}
    try:
        return json.dumps(given, ensure_ascii=False, allow_nan=False, default=_plain).encode()
    except (TypeError, ValueError) as exc:
        raise UsageError(f"{', '.join(given)}: cannot be sent as JSON: {exc}") from exc


def batches(operations: Iterable[Operation], *, most_items: int, most_bytes: int) -> Iterator[bytes]:
    """Bodies of ``items:batch``, in order.

    Args:
        operations: Read no further than the next body needs.
        most_items: Operations in one body.
        most_bytes: Bytes of one body; an operation that is larger goes alone, for the server to judge.
    """
    waiting: list[bytes] = []
    size = len(_HEAD) + len(_TAIL)
    for operation in operations:
        line = operation.model_dump_json().encode()
        if waiting and (len(waiting) == most_items or size + len(line) + 1 > most_bytes):
            yield _HEAD + b",".join(waiting) + _TAIL
            waiting, size = [], len(_HEAD) + len(_TAIL)
        waiting.append(line)
        size += len(line) + 1
    if waiting:
        yield _HEAD + b",".join(waiting) + _TAIL


_HEAD, _TAIL = b'{"operations":[', b"]}"


def _plain(value: object) -> object:
    """What ``json`` does not know by itself."""
    if hasattr(value, "tolist"):  # numpy arrays and numbers
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return list(value)
    raise TypeError(f"{value!r} is a {type(value).__name__}")
