"""Items that say which edit made them, in every field; and a model of a catalog that is edited while it is searched."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.shop import write_photo

PHOTOS = 24
_CHANGES_PHOTO = 4


@dataclass(frozen=True, slots=True)
class Fields:
    """What an edit puts into an item. Any two edits differ in title, ``edit`` and most often in ``check``."""

    title: str
    edit: int
    parity: str
    check: int
    photo: str

    def attributes(self) -> dict[str, Any]:
        """As the API takes them."""
        return {"edit": self.edit, "parity": self.parity, "check": self.check, "shot": self.photo}


def fields(number: int, photo: str) -> Fields:
    """The fields of an item that edit ``number`` made."""
    return Fields(f"Edit {number}", number, "odd" if number % 2 else "even", number * 7919 % 9973, photo)


def photo_name(number: int) -> str:
    """The photo of edit ``number``: most edits of an item in a row leave it as it is, some change it."""
    return f"{number // _CHANGES_PHOTO % PHOTOS:02}.jpg"


def write_photos(folder: Path) -> dict[str, bytes]:
    """All photos, by name."""
    for number in range(PHOTOS):
        write_photo(folder / f"{number:02}.jpg", 7000 + number)
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.jpg"))}


def number_of(title: str, attributes: Mapping[str, Any], photo: str) -> int:
    """The edit that made an item as it was shown; it must be one and the same in every field."""
    number = int(title.removeprefix("Edit "))
    assert fields(number, photo).attributes() == dict(attributes), f"a mixture of two edits: {title} {attributes}"
    return number


@dataclass(frozen=True, slots=True)
class Seen:
    """What an answer showed.

    Args:
        sent: When it was asked for, of ``time.monotonic``.
        received: When it was there.
        seq: The catalog change that it says to be up to date with.
        items: The number of each item that was shown; ``None`` where counts were asked for.
        parity: The only parity that was asked for, if one was.
        counts: Items of each parity; ``None`` where items were asked for only.
        total: Items that pass the filter.
    """

    sent: float
    received: float
    seq: int
    items: Mapping[str, int] | None
    parity: str | None
    counts: Mapping[str, int] | None
    total: int


@dataclass
class Ledger:
    """Every edit, as those who made them know: an independent copy of the catalog's history.

    Args:
        edits: For each item, what its edits made of it, in order: a number, ``None`` where it was deleted, and when
            the edit was acknowledged.
    """

    edits: dict[str, deque[tuple[int | None, float]]] = field(default_factory=lambda: defaultdict(deque))

    def add(self, item_id: str, number: int | None, acked: float) -> None:
        """An edit that was acknowledged."""
        self.edits[item_id].append((number, acked))

    def replay(self, changes: Iterable[tuple[int, str]]) -> History:
        """Give each change of the catalog's log to the edit that made it. Nothing may be left over on either side."""
        waiting = {item_id: deque(edits) for item_id, edits in self.edits.items()}
        steps = [(seq, item_id, *waiting[item_id].popleft()) for seq, item_id in changes]
        left = {item_id: list(edits) for item_id, edits in waiting.items() if edits}
        assert left == {}, "edits that were acknowledged are not in the catalog"
        return History(steps)


class History:
    """The catalog after each of its changes.

    Args:
        steps: Each change: its number, the item, what it made of it, when that was acknowledged.
    """

    def __init__(self, steps: list[tuple[int, str, int | None, float]]) -> None:
        self.steps = steps
        self._next = 0
        self._now: dict[str, int] = {}

    def check(self, answers: Iterable[Seen], anchor: str) -> None:
        """Every answer shows the catalog exactly as it was after the change that the answer names.

        Args:
            answers: The answers.
            anchor: The item that was searched by, which is never among the hits.
        """
        for seen in sorted(answers, key=lambda seen: seen.seq):
            now = self._at(seen.seq)
            expected = {
                item_id: number for item_id, number in now.items() if seen.parity in (None, fields(number, "").parity)
            }
            if seen.items is not None:
                assert dict(seen.items) == {one: number for one, number in expected.items() if one != anchor}, seen.seq
            if seen.counts is not None:
                counts = {"even": 0, "odd": 0}
                for number in now.values():
                    counts[fields(number, "").parity] += 1
                assert dict(seen.counts) == {parity: count for parity, count in counts.items() if count}, seen.seq
            assert seen.total == len(expected), seen.seq

    def seq_acked(self, writer: str, before: float) -> int:
        """The last change of a writer's items that was acknowledged before a time; 0 if none was."""
        return max((seq for seq, item, _, acked in self.steps if item.startswith(writer) and acked < before), default=0)

    def _at(self, seq: int) -> dict[str, int]:
        while self._next < len(self.steps) and self.steps[self._next][0] <= seq:
            _, item_id, number, _ = self.steps[self._next]
            if number is None:
                del self._now[item_id]
            else:
                self._now[item_id] = number
            self._next += 1
        return self._now
