"""The kernels in numpy: what answers where the compiled ones are not there, and what those are tested against."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nitari.index.ranking import true_distances

if TYPE_CHECKING:
    from nitari.index.kernels import Bits, Lists, Lookup, Places, Rows, Slots
    from nitari.types import BoolArray, FloatArray

# Rows widened at a time: what is worked on stays in the processor's cache.
_NUMBERS_AT_ONCE = 2**18
_FLOAT32_UNIT = 2.0**-24
_BLOCK = 32


def handle_of(lists: Lists) -> object:
    """What ``search_lists`` takes: the arrays themselves are enough."""
    return lists.offsets


def dots(rows: Rows, vector: FloatArray, slots: Slots | None = None) -> FloatArray:
    """See ``nitari.index.kernels.dots``."""
    count = len(rows) if slots is None else slots.size
    out = np.empty(count, np.float32)
    step = max(1, _NUMBERS_AT_ONCE // rows.shape[1])
    for start in range(0, count, step):
        stop = min(start + step, count)
        part = rows[start:stop] if slots is None else rows[slots[start:stop]]
        np.vecdot(part.astype(np.float32, copy=False), vector, out=out[start:stop])
    return out


def distances(rows: Rows, vector: FloatArray, slots: Slots) -> FloatArray:
    """See ``nitari.index.kernels.distances``."""
    out = np.empty(slots.size, np.float32)
    step = max(1, _NUMBERS_AT_ONCE // rows.shape[1])
    for start in range(0, slots.size, step):
        part = slots[start : start + step]
        out[start : start + part.size] = true_distances(vector, rows[part].astype(np.float32, copy=False))
    return out


def nearest(
    rows: Rows, vector: FloatArray, k: int, slots: Slots | None = None, bits: Bits | None = None
) -> tuple[Slots, FloatArray]:
    """See ``nitari.index.kernels.nearest``."""
    if bits is not None:
        allowed = _unpacked(bits, len(rows))
        slots = np.flatnonzero(allowed) if slots is None else slots[allowed[slots]]
    scores = dots(rows, vector, slots)
    if k < scores.size:
        kth = np.partition(scores, scores.size - k)[scores.size - k]
        # Twice the bound of a float32 dot product's rounding, as in ranking.candidates.
        near = np.flatnonzero(scores >= kth - 2 * (rows.shape[1] + 16) * _FLOAT32_UNIT)
    else:
        near = np.arange(scores.size)
    return _refined(rows, vector, k, near if slots is None else slots[near])


def search_lists(
    lists: Lists,
    vector: FloatArray,
    k: int,
    probes: int,
    candidates: int,
    bits: Bits | None = None,
    lookup: Lookup | None = None,
    skipped: int = 0,
    seeds: Slots | None = None,
    gap: float | None = None,
) -> tuple[Slots, FloatArray, int, int, int, int, int]:
    """See ``nitari.index.kernels.search_lists``; the tables are of float32, so candidates may differ at the margin."""
    rotated = np.vecdot(lists.rotation, vector)
    biases = np.einsum("grc,r->gc", lists.coarse, rotated).ravel()[: lists.lists]
    all_chosen = np.argsort(-biases, kind="stable")[:probes]
    chosen = all_chosen if seeds is None else all_chosen[skipped:]
    ranges = [np.arange(*lists.offsets[one : one + 2]) for one in chosen.tolist()]
    slots = np.concatenate([np.empty(0, np.int64), *ranges])
    scores = np.repeat(biases[chosen], np.diff(lists.offsets)[chosen])
    looked = int(slots.size)
    allowed = _allowed(lists.count, bits, lookup)
    if allowed is not None:
        here = allowed[slots]
        slots, scores = slots[here], scores[here]
    seen = int(slots.size)
    parts, width, _ = lists.codebooks.shape
    tables = np.einsum("pw,pwc->pc", rotated.reshape(parts, width), lists.codebooks)
    scores = scores + np.take_along_axis(tables, _codes_of(lists, slots).T, axis=1).sum(axis=0)
    if candidates < slots.size:
        slots = slots[np.argpartition(-scores, candidates - 1)[:candidates]]
    compared = int(slots.size)
    if seeds is not None:
        slots = np.concatenate([slots, seeds])
    found, far = _refined(lists.rows, vector, k, slots, lists.at)
    ours = np.searchsorted(lists.offsets, found[:64], "right") - 1
    late = int(np.isin(ours, all_chosen[all_chosen.size // 2 :]).sum()) if all_chosen.size > 1 else 0
    worth = -1 if gap is None else lists.lists
    if gap is not None and far.size >= k:
        worth = int(np.count_nonzero(biases >= 1.0 - far[k - 1] - gap))
    return found, far, compared, looked, seen, late, worth


def pick(codes: Bits, slots: Slots) -> Bits:
    """See ``nitari.index.kernels.pick``."""
    blocks = -(-slots.size // _BLOCK)
    row = slots % _BLOCK
    both = codes[slots // _BLOCK, :, row % 16]
    own = np.zeros((blocks * _BLOCK, codes.shape[1]), np.uint8)
    own[: slots.size] = np.where((row < 16)[:, np.newaxis], both & 15, both >> 4)
    halves = own.reshape(blocks, 2, 16, codes.shape[1])
    return np.ascontiguousarray((halves[:, 0] | halves[:, 1] << 4).transpose(0, 2, 1))


def look_up(lookup: Lookup) -> tuple[Bits, int]:
    """See ``nitari.index.kernels.look_up``."""
    allowed = _looked_up(lookup)
    return np.packbits(allowed, bitorder="little"), int(np.count_nonzero(allowed))


def invert(places: Places, top: int) -> tuple[Places, Places]:
    """See ``nitari.index.kernels.invert``."""
    slots = np.argsort(places, kind="stable").astype(np.int32)[int(np.count_nonzero(places < 0)) :]
    counts = np.bincount(places[slots], minlength=top)
    heads = np.full((top + 1, 2), -1, np.int32)
    heads[:, 0] = np.concatenate([np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)])
    some = np.flatnonzero(counts)
    heads[some, 1] = slots[heads[some, 0]]
    return heads, slots


def mark(heads: Places, slots: Places, places: Places, bits: Bits) -> None:
    """See ``nitari.index.kernels.mark``."""
    there = slots_at(heads, slots, places)
    np.bitwise_or.at(bits, there >> 3, (1 << (there & 7)).astype(np.uint8))


def slots_at(heads: Places, slots: Places, places: Places) -> Places:
    """See ``nitari.index.kernels.slots_at``."""
    starts = heads[:, 0]
    lengths = (starts[places + 1] - starts[places]).astype(np.int64)
    at = np.repeat(starts[places] - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
    there: Places = slots[at]
    return there


def slots_of(bits: Bits, count: int, most: int) -> Slots:
    """See ``nitari.index.kernels.slots_of``."""
    return np.flatnonzero(_unpacked(bits, count))[:most]


def encode(residuals: FloatArray, codebooks: FloatArray) -> Bits:
    """See ``nitari.index.kernels.encode``."""
    parts, width, _ = codebooks.shape
    out = np.empty((len(residuals), parts), np.uint8)
    step = max(1, _NUMBERS_AT_ONCE // (parts * 16))
    for start in range(0, len(residuals), step):
        some = residuals[start : start + step].reshape(-1, parts, width, 1)
        out[start : start + step] = np.square(some - codebooks).sum(axis=2).argmin(axis=2)
    return out


def _codes_of(lists: Lists, slots: Slots) -> Slots:
    """The codes of rows: int64 ``[n, parts used]``."""
    row = slots % _BLOCK
    both = lists.codes[slots // _BLOCK, : lists.codebooks.shape[0], row % 16]
    return np.where((row < 16)[:, np.newaxis], both & 15, both >> 4).astype(np.int64)


def _refined(
    rows: Rows, vector: FloatArray, k: int, slots: Slots, at: Places | None = None
) -> tuple[Slots, FloatArray]:
    """The ``k`` truly nearest of ``slots``, whose rows stand ``at`` others perhaps; ties by smaller slot."""
    far = distances(rows, vector, slots if at is None else at[slots].astype(np.int64))
    order = np.lexsort((slots, far))[:k]
    return slots[order], far[order]


def _allowed(count: int, bits: Bits | None, lookup: Lookup | None) -> BoolArray | None:
    """Which rows may be answered; ``None`` for all."""
    both = [] if bits is None else [_unpacked(bits, count)]
    both += [] if lookup is None else [_looked_up(lookup)]
    return np.logical_and.reduce(both) if both else None


def _looked_up(lookup: Lookup) -> BoolArray:
    passing = np.unpackbits(lookup.passing, bitorder="little").view(np.bool_)
    allowed = passing[lookup.places] & (lookup.places >= 0)  # -1 reads the last bit
    return allowed if lookup.bits is None else allowed & _unpacked(lookup.bits, allowed.size)


def _unpacked(bits: Bits, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.unpackbits(bits, count=count, bitorder="little").view(np.bool_)
