"""Sealed segments: immutable folders of keys and fp16 rows, with what an engine built over them, memory-mapped.

A folder holds ``rows.npy`` and ``keys.npy`` (by slot), ``sorted.npy`` and ``slots.npy`` (the same keys ascending, and
their slots; absent where slots are in the order of keys), the engine's files, ``readers.lock`` (``lease.py``), and the
seal ``segment.json``, which names each file with its size and checksums.

Opening checks the seal, all sizes and the first block of each file, where headers are: milliseconds, however many rows
there are. The other blocks are checked by the scrub (``check_segment``).
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.disk import sync_tree
from nitari.errors import StateError
from nitari.index.calibrate import Effort, Gaps, Measured
from nitari.index.seal import check_blocks, check_heads, describe_blocks, read_document, write_document
from nitari.index.segments.engine import HalfArray, Searcher, SegmentEngine, SlotArray
from nitari.index.segments.lease import READERS_NAME, Lease, hold_folder
from nitari.keymap import ABSENT
from nitari.types import KeyArray

FORMAT = 1
SEAL_NAME = "segment.json"
MAGIC = "nitari-segment"
_ROWS, _KEYS, _SORTED, _SLOTS = "rows.npy", "keys.npy", "sorted.npy", "slots.npy"
_SCRATCH = "scratch.npy"
# Rows that are copied at a time, bytes.
_COPY_BYTES = 8 * 2**20

log = logging.getLogger(__name__)

Part: TypeAlias = tuple[KeyArray, NDArray[Any]]
"""Keys int64 ``[n]`` and their unit rows, float32 or fp16 ``[n, dim]``."""
Calibrate: TypeAlias = Callable[[Searcher, HalfArray], Measured]
"""Measures how hard a searcher must look over these rows (by slot), by depth."""


class SealedSegment:
    """A sealed segment, opened for reading. Immutable; safe for any number of threads. Open with ``open``.

    While it is open its folder is not removed by the maintainer of this machine. ``close`` when nobody searches it
    any more; arrays that were taken from it stay valid as long as they are referred to.

    Attributes:
        name: The folder's name.
        count: Rows in it.
        dim: Width of a row.
        keys: int64 ``[n]`` by slot, a memory map.
        rows: fp16 ``[n, dim]`` by slot, a memory map.
        searcher: What finds candidates; ``None`` where rows are to be scanned.
        efforts: How hard ``searcher`` must look, by depth, measured when it was built; empty without one.
        gaps: How far off lists may be, see ``Measured``; empty where that was not measured.
        engine: The engine's name, as the segment was built; empty for none.
    """

    def __init__(
        self, folder: Path, body: Mapping[str, Any], engines: Mapping[str, SegmentEngine], lease: Lease
    ) -> None:
        self._lease = lease
        self.name = folder.name
        self.count = int(body["count"])
        self.dim = int(body["dim"])
        self.rows: HalfArray = _map(folder / _ROWS, np.float16, (self.count, self.dim))
        self.keys: KeyArray = _map(folder / _KEYS, np.int64, (self.count,))
        self._sorted: KeyArray = self.keys
        self._slots: NDArray[Any] | None = None
        if _SLOTS in body["files"]:
            self._sorted = _map(folder / _SORTED, np.int64, (self.count,))
            self._slots = _map(folder / _SLOTS, np.int32, (self.count,))
        self.engine = str(body["engine"])
        engine = engines.get(self.engine)
        if self.engine and engine is None:
            log.warning("a segment's engine is not there; it is scanned", extra={"segment": self.name})
        self.searcher: Searcher | None = engine.open(folder, self.rows, body["parameters"]) if engine else None
        self.efforts = tuple(Effort.from_json(values) for values in body["efforts"]) if engine else ()
        measured = body.get("gaps", ()) if engine else ()  # segments of before have none
        self.gaps: Gaps = tuple((int(depth), tuple(map(float, levels))) for depth, levels in measured)

    @classmethod
    def open(cls, folder: Path, *, dim: int, engines: Mapping[str, SegmentEngine]) -> SealedSegment:
        """Open what ``write_segment`` wrote; its seal, the sizes and the heads of its files are checked.

        Args:
            folder: Where.
            dim: The width that rows must have.
            engines: By name. A segment whose engine is not among them is scanned.

        Raises:
            StateError: where it is damaged, of another width or version, or gone (code ``index-gone``).
        """
        lease = hold_folder(folder)
        try:
            body = read_seal(folder)
            if body["dim"] != dim:
                raise _damaged(f"segment {folder} has rows of width {body['dim']}, expected {dim}", "index-foreign")
            return cls(folder, body, engines, lease)
        except BaseException:
            lease.release()
            raise

    def find(self, keys: KeyArray) -> SlotArray:
        """The slot of each of ``keys`` (int64 ``[n]``), ``-1`` where it is not in here: int64 ``[n]``."""
        at = np.minimum(np.searchsorted(self._sorted, keys), self.count - 1)
        found = self._sorted[at] == keys
        slots = at if self._slots is None else self._slots[at]
        return np.where(found, slots, ABSENT).astype(np.int64, copy=False)

    def close(self) -> None:
        """Let go of the folder: it may be removed from now on. Doing so twice is harmless."""
        if self.searcher is not None:
            self.searcher.close()
        self._lease.release()


def write_segment(
    folder: Path,
    parts: Iterable[Part],
    *,
    dim: int,
    engine: SegmentEngine | None = None,
    threads: int = 1,
    calibrate: Calibrate | None = None,
) -> int:
    """Write a segment into ``folder`` (which exists and is empty), seal and sync it. The caller publishes it.

    Rows may be more than fit into memory: they go to disk as they come.

    Args:
        folder: Where.
        parts: Keys and rows in batches; no key twice.
        dim: Width of a row.
        engine: What is to make it quick; ``None`` to scan it.
        threads: How many the engine may use.
        calibrate: Measures the efforts that the engine needs.

    Returns:
        How many rows were written; where that is 0 the folder is left without a seal and cannot be opened.

    Raises:
        OSError: the disk is full, or the like. The folder is then to be thrown away.
        ValueError: a key comes twice.
    """
    scratch = folder / (_ROWS if engine is None else _SCRATCH)
    keys = _write_rows(scratch, parts, dim)
    if not keys.size:
        scratch.unlink()
        return 0
    engine_name = ""
    parameters: dict[str, Any] = {}
    measured = Measured(())
    if engine is not None:
        built = engine.build(_map(scratch, np.float16, (keys.size, dim)), folder, threads=threads)
        engine_name, parameters = engine.name, dict(built.parameters)
        keys = _lay_down(folder, scratch, keys, dim, built.order)
    _write_keys(folder, keys)
    if engine is not None and calibrate is not None:
        measured = _calibrated(folder, engine, parameters, calibrate, (keys.size, dim))
    (folder / READERS_NAME).touch()
    files = {path.name: describe_blocks(path) for path in sorted(folder.iterdir()) if path.name != READERS_NAME}
    body = {"engine": engine_name, "dim": dim, "count": int(keys.size), "parameters": parameters, "files": files}
    body["efforts"] = [effort.as_json() for effort in measured.efforts]
    body["gaps"] = measured.gaps
    write_document(folder / SEAL_NAME, MAGIC, FORMAT, body)
    sync_tree(folder)
    return int(keys.size)


def read_seal(folder: Path) -> dict[str, Any]:
    """The seal of a segment's folder, after size and first block of each file that it names were compared.

    Raises:
        StateError: where the seal is damaged or missing, or a file is missing, of another size or damaged at its head.
    """
    body = read_document(folder / SEAL_NAME, MAGIC, FORMAT)
    check_heads(folder, body["files"])
    return body


def check_segment(folder: Path) -> Iterator[int]:
    """Compare every block of a segment with its checksum, as slowly as it is iterated over.

    Returns:
        How many bytes were read, after each block.

    Raises:
        StateError: at the first thing that is not as it was written.
    """
    for name, expected in read_seal(folder)["files"].items():
        yield from check_blocks(folder / name, expected)


def _write_rows(path: Path, parts: Iterable[Part], dim: int) -> KeyArray:
    """Write rows as fp16, in the order in which they come. Returns their keys."""
    keys: list[KeyArray] = []
    count = 0
    with path.open("wb") as file:
        file.write(_header(np.float16, (0, dim)))
        for part, rows in parts:
            file.write(np.ascontiguousarray(rows, np.float16).data)  # not tofile, whose errors do not say what happened
            keys.append(np.array(part, np.int64))
            count += part.size
        file.seek(0)
        # numpy leaves room for the first axis to grow, so that a header is as long whatever the number of rows.
        file.write(_header(np.float16, (count, dim)))
    return np.concatenate([np.empty(0, np.int64), *keys])


def _lay_down(folder: Path, scratch: Path, keys: KeyArray, dim: int, order: SlotArray | None) -> KeyArray:
    """Put rows into the order that the engine wants. Returns their keys in that order."""
    if order is None:
        scratch.rename(folder / _ROWS)
        return keys
    rows = _map(scratch, np.float16, (keys.size, dim))
    step = max(1, _COPY_BYTES // (2 * dim))
    with (folder / _ROWS).open("wb") as file:
        file.write(_header(np.float16, rows.shape))
        for start in range(0, keys.size, step):
            file.write(rows[order[start : start + step]].data)
    del rows
    scratch.unlink()
    return keys[order]


def _write_keys(folder: Path, keys: KeyArray) -> None:
    """Write keys by slot, and where slots are not in the order of keys, what finds them."""
    order = np.argsort(keys, kind="stable")
    ascending = keys[order]
    if (ascending[1:] == ascending[:-1]).any():
        raise ValueError("a key comes twice in a segment")
    _save(folder / _KEYS, keys)
    if not np.array_equal(ascending, keys):
        _save(folder / _SORTED, ascending)
        _save(folder / _SLOTS, order.astype(np.int32))


def _calibrated(
    folder: Path,
    engine: SegmentEngine,
    parameters: Mapping[str, Any],
    calibrate: Calibrate,
    shape: tuple[int, int],
) -> Measured:
    """What ``calibrate`` measures on the engine's files as a reader will open them."""
    rows = _map(folder / _ROWS, np.float16, shape)
    searcher = engine.open(folder, rows, parameters)
    try:
        return calibrate(searcher, rows)
    finally:
        searcher.close()


def _save(path: Path, array: NDArray[Any]) -> None:
    """Write an ``.npy`` file."""
    with path.open("wb") as file:
        file.write(_header(array.dtype.type, array.shape))
        file.write(np.ascontiguousarray(array).data)


def _header(dtype: type[np.generic], shape: tuple[int, ...]) -> bytes:
    """The beginning of an ``.npy`` file."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": np.dtype(dtype).str, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def _map(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    """Map an ``.npy`` file into memory, as a plain array (slices of ``memmap`` objects are slow).

    Raises:
        StateError: where it holds something else.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as exc:
        raise _damaged(f"{path} cannot be read: {exc}") from exc
    if array.dtype != dtype or array.shape != shape:
        raise _damaged(f"{path} holds {array.dtype} {array.shape}, expected {np.dtype(dtype)} {shape}")
    mapped: NDArray[Any] = array.view(np.ndarray)
    return mapped


def _damaged(message: str, code: str = "index-damaged") -> StateError:
    return StateError(message, remedy="nothing is lost: it is rebuilt from the catalog", code=code)
