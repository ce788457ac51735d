"""Texts in one block of UTF-8, memory-mapped: a million of them open at once, and each is decoded when it is asked for.

Sorted texts are in the order of their bytes, which in UTF-8 is that of their code points, so ``str`` compares alike.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from nitari.search.arrays import ArrayFile, ArrayWriter
from nitari.types import ByteArray

# A feed may hold half of a surrogate pair, which UTF-8 proper has no bytes for.
_ERRORS = "surrogatepass"
# Above every text, as no UTF-8 has this byte.
_LAST = b"\xff"
# Texts that are searched through, or copied, at a time.
_AT_ONCE = 4096


def encoded(text: str) -> bytes:
    """A text as it is kept."""
    return text.encode("utf-8", _ERRORS)


class Texts:
    """Texts that never change, by number.

    Args:
        block: uint8 ``[bytes]``: all texts, one behind the other.
        offsets: int64 ``[texts + 1]``: where each begins, and where the last one ends.
    """

    def __init__(self, block: ByteArray, offsets: NDArray[np.int64]) -> None:
        self._block = block
        self._bytes = block.data
        self._offsets = offsets

    @classmethod
    def read(cls, file: ArrayFile, name: str, count: int) -> Texts:
        """What ``write_texts`` wrote under ``name``.

        Raises:
            StateError: where these are not ``count`` texts.
        """
        offsets = file.get(f"{name}.offsets", np.int64, count + 1)
        block = file.get(f"{name}.block", np.uint8)
        if offsets[0] != 0 or offsets[-1] != block.size:
            raise file.damaged(f"the texts {name!r} do not end where their block does")
        return cls(block, offsets)

    def __len__(self) -> int:
        return self._offsets.size - 1

    def __getitem__(self, number: int) -> str:
        return str(self.raw(number), "utf-8", _ERRORS)

    def raw(self, number: int) -> bytes:
        """A text's bytes."""
        return bytes(self._bytes[self._offsets.item(number) : self._offsets.item(number + 1)])

    def raws(self, numbers: NDArray[np.int64]) -> Iterator[bytes]:
        """The bytes of many."""
        begins, ends = self._offsets[numbers].tolist(), self._offsets[numbers + 1].tolist()
        return (bytes(self._bytes[begin:end]) for begin, end in zip(begins, ends, strict=True))

    def copied(self, numbers: NDArray[np.int64]) -> Iterator[tuple[ByteArray, NDArray[np.int64]]]:
        """The texts of ``numbers`` a few at a time: their bytes one behind the other, and the length of each."""
        for start in range(0, numbers.size, _AT_ONCE):
            part = numbers[start : start + _AT_ONCE]
            begins = self._offsets[part]
            lengths = self._offsets[part + 1] - begins
            yield self._block[spread(begins, lengths)], lengths

    def prefixed(self, prefix: str, low: int, high: int) -> tuple[int, int]:
        """Which of the texts ``low``..``high``, which are sorted, begin with ``prefix``: from, to."""
        begin = encoded(prefix)
        return self._bisect_left(begin, low, high), self._bisect_left(begin + _LAST, low, high)

    def compared(self, order: str, bound: str, low: int, high: int) -> tuple[int, int]:
        """Which of the texts ``low``..``high``, which are sorted, are ``gt gte lt lte`` a bound: from, to."""
        raw = encoded(bound)
        if order in ("gt", "lte"):
            at = bisect_right(range(high), raw, low, high, key=self.raw)
        else:
            at = self._bisect_left(raw, low, high)
        return (at, high) if order in ("gt", "gte") else (low, at)

    def _bisect_left(self, raw: bytes, low: int, high: int) -> int:
        """Where ``raw`` would stand among the texts ``low``..``high``, which are sorted."""
        return bisect_left(range(high), raw, low, high, key=self.raw)

    def containing(self, part: str, low: int, high: int) -> list[int]:
        """Which of the texts ``low``..``high`` have ``part`` (casefolded) somewhere in them, whatever the case.

        Reads all of their bytes: about 60 MB take 0.1 s, and each text found half a microsecond.
        """
        if not part:
            return list(range(low, high))
        found: list[int] = []
        for start in range(low, high, _AT_ONCE):
            end = min(high, start + _AT_ONCE)
            offsets = self._offsets[start : end + 1]
            raw = bytes(self._bytes[offsets.item(0) : offsets.item(end - start)])
            if raw.isascii():
                found += _in_ascii(raw.decode("ascii").casefold(), part, offsets, start)
            elif part in str(raw, "utf-8", _ERRORS).casefold():
                found += [number for number in range(start, end) if part in self[number].casefold()]
        return found


def _in_ascii(folded: str, part: str, offsets: NDArray[np.int64], first: int) -> Iterator[int]:
    """Which texts have ``part`` in them: ``folded`` is all of them as one, ``first`` the number of the first."""
    at = folded.find(part)
    begins = [] if at < 0 else (offsets - offsets[0]).tolist()
    while at >= 0:
        number = bisect_right(begins, at) - 1
        inside = at + len(part) <= begins[number + 1]  # and not across the end of one text into the next
        if inside:
            yield first + number
        at = folded.find(part, begins[number + 1] if inside else at + 1)


class TextIndex:
    """Finds texts by their hashes.

    Args:
        texts: The texts.
        hashes: uint64 ``[texts]``: of all texts, ascending.
        numbers: int32 ``[texts]``: which text each hash is of.
    """

    def __init__(self, texts: Texts, hashes: NDArray[np.uint64], numbers: NDArray[np.int32]) -> None:
        self._texts, self._hashes, self._numbers = texts, hashes, numbers

    def find(self, texts: Sequence[str], low: int, high: int) -> list[int]:
        """The number of each of ``texts`` among those from ``low`` to ``high``, -1 where it is not there."""
        raws = [encoded(text) for text in texts]
        hashes = hashes_of(raws)
        at = np.searchsorted(self._hashes, hashes)
        inside = at < self._hashes.size
        same = np.zeros(at.size, np.bool_)
        same[inside] = self._hashes[at[inside]] == hashes[inside]
        found = [-1] * len(raws)
        for asked in np.flatnonzero(same).tolist():
            found[asked] = self._among(raws[asked], hashes[asked], int(at[asked]), low, high)
        return found

    def by_number(self) -> NDArray[np.uint64]:
        """The hash of each text: uint64 ``[texts]``."""
        hashes = np.empty_like(self._hashes)
        hashes[self._numbers] = self._hashes
        return hashes

    def _among(self, raw: bytes, hashed: np.uint64, at: int, low: int, high: int) -> int:
        """The number of a text; ``at`` is where its hash stands first."""
        while at < self._hashes.size and self._hashes[at] == hashed:
            number = self._numbers.item(at)
            if low <= number < high and self._texts.raw(number) == raw:
                return number
            at += 1
        return -1


def hashes_of(raws: Iterable[bytes]) -> NDArray[np.uint64]:
    """64-bit hashes that nobody can find collisions of on purpose: uint64 ``[n]``."""
    digests = b"".join(blake2b(raw, digest_size=8).digest() for raw in raws)
    return np.frombuffer(digests, "<u8").astype(np.uint64, copy=False)


def write_index(writer: ArrayWriter, name: str, hashes: NDArray[np.uint64]) -> None:
    """Write what finds texts by their ``hashes`` (uint64 ``[texts]``, by number)."""
    order = np.argsort(hashes, kind="stable")
    writer.put(f"{name}.hashes", hashes[order])
    writer.put(f"{name}.numbers", order.astype(np.int32))


def read_index(file: ArrayFile, name: str, texts: Texts) -> TextIndex:
    """What ``write_index`` wrote under ``name``."""
    count = len(texts)
    return TextIndex(texts, file.get(f"{name}.hashes", np.uint64, count), file.get(f"{name}.numbers", np.int32, count))


def write_texts(writer: ArrayWriter, name: str, parts: Iterable[tuple[ByteArray, NDArray[np.int64]]]) -> None:
    """Write texts that come as bytes, one behind the other, and the length of each."""
    lengths: list[NDArray[np.int64]] = [np.zeros(1, np.int64)]

    def blocks() -> Iterator[ByteArray]:
        for block, own in parts:
            lengths.append(own)
            yield block

    writer.put_parts(f"{name}.block", np.uint8, blocks())
    writer.put(f"{name}.offsets", np.cumsum(np.concatenate(lengths)))


def in_blocks(raws: Iterable[bytes]) -> Iterator[tuple[ByteArray, NDArray[np.int64]]]:
    """Texts as ``write_texts`` wants them."""
    rest = iter(raws)
    while part := list(islice(rest, _AT_ONCE)):
        lengths = np.fromiter(map(len, part), np.int64, len(part))
        yield np.frombuffer(b"".join(part), np.uint8), lengths


def spread(begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of ranges, one range behind the other: ``begin, begin + 1, ...`` of each, as long as it is."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(begins - before, lengths) + np.arange(int(lengths.sum()))
