"""What callers pass in, and how it is sent."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.client.arguments import RankingArgs, SearchArgs, batches, json_bytes, photo_bytes
from nitari.errors import UsageError
from nitari.server.schemas import (
    BatchBody,
    DeleteOperation,
    ItemBody,
    PutOperation,
)
from nitari.server.schemas_search import Ranking, SearchBody


def test_arguments_are_those_of_the_api() -> None:
    """The typed arguments and the wire models name the same things."""
    assert set(RankingArgs.__annotations__) == set(Ranking.model_fields)
    assert set(SearchArgs.__annotations__) == set(SearchBody.model_fields) | {"photo"}


def test_photos_of_every_kind(tmp_path: Path) -> None:
    """Bytes, a path as text, a path, an open file."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"jpeg")
    for photo in (b"jpeg", str(path), path, io.BytesIO(b"jpeg")):
        assert photo_bytes(photo) == b"jpeg"


def test_photos_that_cannot_be_read(tmp_path: Path) -> None:
    """A missing file, and one opened as text."""
    with pytest.raises(UsageError, match=r"nowhere\.jpg.*cannot be read"):
        photo_bytes(tmp_path / "nowhere.jpg")
    (tmp_path / "photo.jpg").write_text("x")
    with (tmp_path / "photo.jpg").open() as file, pytest.raises(UsageError, match="not bytes"):
        photo_bytes(file)  # type: ignore[arg-type]  # the mistake in question


def test_json_takes_what_python_has() -> None:
    """Arrays, tuples and ranges become lists; what is None is left out; text stays as it is."""
    sent = json_bytes(
        {"vector": np.array([0.5, 1], dtype=np.float32), "k": np.int64(3), "ids": ("鞄",), "r": range(2), "url": None}
    )
    assert json.loads(sent) == {"vector": [0.5, 1.0], "k": 3, "ids": ["鞄"], "r": [0, 1]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), b"x"])
def test_what_json_cannot_say(value: object) -> None:
    """The message names the arguments."""
    with pytest.raises(UsageError, match=r"vector.*JSON"):
        json_bytes({"vector": [value]})


@given(
    titles=st.lists(st.text(max_size=40), max_size=30),
    most_items=st.integers(1, 7),
    most_bytes=st.integers(100, 1000),
)
def test_batches_hold_everything_in_order(titles: list[str], most_items: int, most_bytes: int) -> None:
    """Nothing is lost, nothing is doubled, and no batch is larger than asked unless one edit alone is."""
    operations = [
        PutOperation(op="put", item_id=f"i{number}", item=ItemBody(title=title)) for number, title in enumerate(titles)
    ]
    bodies = list(batches(operations, most_items=most_items, most_bytes=most_bytes))
    parsed = [BatchBody.model_validate_json(body).operations for body in bodies]
    assert [operation for batch in parsed for operation in batch] == operations
    for body, batch in zip(bodies, parsed, strict=True):
        assert len(batch) <= most_items
        assert len(body) <= most_bytes or len(batch) == 1


def test_batches_read_no_further_than_they_must() -> None:
    """A generator of a million edits is never held in memory."""
    read = 0

    def endless() -> object:
        nonlocal read
        while True:
            read += 1
            yield DeleteOperation(op="delete", item_id=f"i{read}")

    next(batches(endless(), most_items=10, most_bytes=10_000))  # type: ignore[arg-type]  # a generator
    assert read == 11
