"""The kernels in C (``native/``), called through cffi. Importing this fails where they were not compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nitari.index.kernels._compiled import ffi, lib

if TYPE_CHECKING:
    from nitari.index.kernels import Bits, Lists, Lookup, Places, Rows, Slots
    from nitari.types import FloatArray

LEVELS = {0: "plain C", 1: "AVX2", 2: "AVX-512", 3: "NEON"}


def level() -> str:
    """The processor's instructions that are in use."""
    return LEVELS[lib.nitari_level()]


def use_level(number: int) -> str:
    """Use fewer instructions than the processor has, for tests and measurements. Returns those now in use."""
    return LEVELS[lib.nitari_set_level(number)]


def dots(rows: Rows, vector: FloatArray, slots: Slots | None = None) -> FloatArray:
    """See ``nitari.index.kernels.dots``."""
    count = len(rows) if slots is None else slots.size
    out = np.empty(count, np.float32)
    call = lib.nitari_dots_f16 if rows.dtype == np.float16 else lib.nitari_dots_f32
    call(_rows(rows), rows.shape[1], _floats(vector), _slots(slots), count, _floats(out))
    return out


def distances(rows: Rows, vector: FloatArray, slots: Slots) -> FloatArray:
    """See ``nitari.index.kernels.distances``."""
    out = np.empty(slots.size, np.float32)
    call = lib.nitari_distances_f16 if rows.dtype == np.float16 else lib.nitari_distances_f32
    call(_rows(rows), rows.shape[1], _floats(vector), _slots(slots), slots.size, _floats(out))
    if slots.size and np.isnan(out[0]):
        raise MemoryError("no memory for a query")
    return out


def nearest(
    rows: Rows, vector: FloatArray, k: int, slots: Slots | None = None, bits: Bits | None = None
) -> tuple[Slots, FloatArray]:
    """See ``nitari.index.kernels.nearest``."""
    count = len(rows) if slots is None else slots.size
    k = min(k, count)
    found, far = np.empty(k, np.int64), np.empty(k, np.float32)
    if not k:
        return found, far
    call = lib.nitari_scan_f16 if rows.dtype == np.float16 else lib.nitari_scan_f32
    number = call(
        _rows(rows),
        rows.shape[1],
        _floats(vector),
        _slots(slots),
        count,
        _bits(bits, len(rows)),
        k,
        ffi.from_buffer("int64_t[]", found),  # as made here: nothing to check
        ffi.from_buffer("float[]", far),
    )
    _check(number)
    return found[:number], far[:number]


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
    """See ``nitari.index.kernels.search_lists``."""
    found, far = np.empty(k, np.int64), np.empty(k, np.float32)
    counts = ffi.new("int64_t[5]")
    if lookup is not None and lookup.places.size != lists.count:
        raise ValueError(f"a lookup of {lookup.places.size} rows, expected {lists.count}")
    number = lib.nitari_ivf_search(
        lists.handle,
        _floats(vector),
        k,
        probes,
        candidates,
        _bits(bits if lookup is None else lookup.bits, lists.count),
        ffi.NULL if lookup is None else _places(lookup.places),
        ffi.NULL if lookup is None else _bytes(lookup.passing),
        skipped if seeds is not None else 0,
        _slots(seeds),
        0 if seeds is None else seeds.size,
        -1.0 if gap is None else gap,
        _slots(found),
        _floats(far),
        counts,
    )
    _check(number)
    return found[:number], far[:number], counts[0], counts[1], counts[2], counts[3], counts[4]


def pick(codes: Bits, slots: Slots) -> Bits:
    """See ``nitari.index.kernels.pick``."""
    out = np.zeros(((slots.size + 31) // 32, *codes.shape[1:]), np.uint8)
    if slots.size and not 0 <= slots.min() <= slots.max() < 32 * len(codes):
        raise ValueError(f"rows {slots.min()} to {slots.max()} of {32 * len(codes)}")
    lib.nitari_pick(_bytes(codes), codes.shape[1], _slots(slots), slots.size, _bytes(out))
    return out


def look_up(lookup: Lookup) -> tuple[Bits, int]:
    """See ``nitari.index.kernels.look_up``."""
    count = lookup.places.size
    bits = np.empty((count + 7) // 8, np.uint8)
    passing, alive = _bytes(lookup.passing), _bits(lookup.bits, count)
    return bits, lib.nitari_look_up(_places(lookup.places), count, passing, alive, _bytes(bits))


def invert(places: Places, top: int) -> tuple[Places, Places]:
    """See ``nitari.index.kernels.invert``."""
    heads, slots = np.empty((top + 1, 2), np.int32), np.empty(places.size, np.int32)
    lib.nitari_invert(_places(places), places.size, top, _places(heads), _places(slots))
    return heads, slots[: heads[-1, 0]]


def mark(heads: Places, slots: Places, places: Places, bits: Bits) -> None:
    """See ``nitari.index.kernels.mark``."""
    lib.nitari_mark(_places(heads), _places(slots), _places(places), places.size, _bytes(bits))


def slots_at(heads: Places, slots: Places, places: Places) -> Places:
    """See ``nitari.index.kernels.slots_at``."""
    room = places.size + 64
    while True:
        found = np.empty(room, np.int32)
        count = lib.nitari_slots_at(_places(heads), _places(slots), _places(places), places.size, room, _places(found))
        if count <= room:
            return found[:count]
        room = count


def slots_of(bits: Bits, count: int, most: int) -> Slots:
    """See ``nitari.index.kernels.slots_of``."""
    slots = np.empty(most, np.int64)
    return slots[: lib.nitari_slots_of(_bits(bits, count), count, _slots(slots))]


def encode(residuals: FloatArray, codebooks: FloatArray) -> Bits:
    """See ``nitari.index.kernels.encode``."""
    parts, width, _ = codebooks.shape
    out = np.empty((len(residuals), parts), np.uint8)
    lib.nitari_encode(
        _floats(residuals),
        len(residuals),
        residuals.shape[1],
        width,
        _floats(codebooks),
        _bytes(out),
    )
    return out


def handle_of(lists: Lists) -> Any:
    """The C view of inverted lists, which hold it and outlive it."""
    return ffi.new(
        "nitari_ivf *",
        {
            "count": lists.count,
            "dim": lists.rows.shape[1],
            "reduced": lists.rotation.shape[0],
            "lists": lists.lists,
            "parts": lists.codes.shape[1],
            "width": lists.codebooks.shape[1],
            "rotation": _floats(lists.rotation),
            "centroids": _rows(lists.coarse),
            "offsets": _slots(lists.offsets),
            "codebooks": _floats(lists.codebooks),
            "codes": _bytes(lists.codes),
            "rows": _rows(lists.rows),
            "at": ffi.NULL if lists.at is None else _places(lists.at),
        },
    )


def _check(number: int) -> None:
    if number < 0:
        raise MemoryError("no memory for a query")


def _pointer(kind: str, array: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> Any:
    """Where an array's numbers lie; C reads them as they are, so a wrong type or stride must not pass."""
    if array.dtype != dtype or not array.flags.c_contiguous:
        raise ValueError(f"an array is {array.dtype} with strides {array.strides}, expected contiguous {dtype}")
    return ffi.from_buffer(kind, array)


_FLOAT32, _FLOAT16, _INT64, _INT32 = (np.dtype(kind) for kind in (np.float32, np.float16, np.int64, np.int32))
_UINT8 = np.dtype(np.uint8)


def _floats(array: FloatArray) -> Any:
    return _pointer("float[]", array, _FLOAT32)


def _slots(array: Slots | None) -> Any:
    return ffi.NULL if array is None else _pointer("int64_t[]", array, _INT64)


def _places(array: Places) -> Any:
    return _pointer("int32_t[]", array, _INT32)


def _bytes(array: Bits) -> Any:
    return _pointer("uint8_t[]", array, _UINT8)


def _bits(array: Bits | None, count: int) -> Any:
    if array is None:
        return ffi.NULL
    if array.size < (count + 7) // 8:
        raise ValueError(f"a bitmap has {array.size} bytes, expected {(count + 7) // 8} for {count} rows")
    return _bytes(array)


def _rows(rows: Rows) -> Any:
    if rows.dtype == np.float16:
        return _pointer("uint16_t[]", rows, _FLOAT16)
    return _pointer("float[]", rows, _FLOAT32)
