"""Measures what searching costs on this machine, and keeps it for the planner in a file."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter_ns

import numpy as np

from nitari.disk import sync_file, sync_folder
from nitari.errors import StateError
from nitari.index import kernels
from nitari.index.seal import read_document, write_document
from nitari.index.segments.costs import Costs, default_costs
from nitari.index.segments.engine import HalfArray, SegmentEngine, SlotArray
from nitari.index.segments.flat import nearest_rows

log = logging.getLogger(__name__)

FILE_NAME = "tuning.json"
FORMAT = 1
_MAGIC = "nitari-tuning"

# Rows of these widths are measured, which tells what a row costs from what a number in it does: more than fits into
# the caches that are a core's own.
_NARROW, _WIDE = 64, 512
_ROWS = 65_536
_GATHERED = 8_192
_SMALL = 16
_INDEXED, _INDEXED_DIM = 16_384, 128
_ROUNDS = 15
_LEAST_NS = 1e-3


def measure_costs(engine: SegmentEngine | None = None) -> Costs:
    """Measure for some seconds; on a busy machine, the best of several rounds counts.

    Args:
        engine: Whose own estimate is compared with what it takes; ``None`` to trust it.
    """
    narrow, wide = (_rows(_ROWS, dim) for dim in (_NARROW, _WIDE))
    picked = np.sort(np.random.default_rng(1).choice(_ROWS, _GATHERED, replace=False)).astype(np.int64)
    call = _best(partial(_search, narrow[:_SMALL]))
    scan_ns, select_ns = _line(_best(partial(_search, narrow)) - call, _best(partial(_search, wide)) - call, _ROWS)
    gathered = [_best(partial(_search, rows, picked)) - call for rows in (narrow, wide)]
    gather_ns, picked_ns = _line(gathered[0], gathered[1], _GATHERED)
    copied = [_best(partial(np.take, rows, picked, 0)) for rows in (narrow, wide)]
    copy_ns, _ = _line(copied[0], copied[1], _GATHERED)
    usual = default_costs()
    codes_ns, factor = (usual.codes_ns, usual.codes_factor) if engine is None else _engine_costs(engine)
    return Costs(
        scan_ns=scan_ns,
        gather_ns=gather_ns,
        row_ns=max(_LEAST_NS, picked_ns - select_ns),
        select_ns=select_ns,
        call_ns=max(1.0, call),
        codes_ns=codes_ns,
        codes_factor=factor,
        copy_ns=copy_ns,
    )


def save_costs(folder: Path, costs: Costs) -> Path:
    """Write what was measured into ``folder`` (made if missing), whole or not at all. Returns where."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    beside = folder / f".writing-{os.getpid()}-{FILE_NAME}"
    try:
        write_document(beside, _MAGIC, FORMAT, {"machine": _machine(), "costs": costs.as_json()})
        sync_file(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    sync_folder(folder)
    return path


def load_costs(folder: Path) -> Costs:
    """What was measured on this machine with these kernels; the usual costs where nothing usable was kept."""
    path = folder / FILE_NAME
    if not path.exists():
        return default_costs()
    try:
        body = read_document(path, _MAGIC, FORMAT)
        if body.get("machine") != _machine():
            log.info("what was measured on another machine is not used", extra={"file": str(path)})
            return default_costs()
        return Costs.from_json(body["costs"])
    except (StateError, KeyError, TypeError, AttributeError) as exc:
        log.warning("the measured costs cannot be read; the usual ones are used", extra={"reason": str(exc)})
        return default_costs()


def _machine() -> dict[str, object]:
    """What the costs depend on."""
    return {"processor": platform.machine(), "cores": os.cpu_count(), "compiled": kernels.NATIVE}


def _rows(count: int, dim: int) -> HalfArray:
    """Unit rows without structure."""
    rows = np.random.default_rng(0).standard_normal((count, dim), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float16)


def _search(rows: HalfArray, slots: SlotArray | None = None) -> object:
    vector = np.zeros(rows.shape[1], np.float32)
    vector[0] = 1.0
    return nearest_rows(rows, vector, 10, slots=slots)


def _best(work: Callable[[], object]) -> float:
    """Nanoseconds of the quickest of several rounds, after one that fills caches."""
    work()
    took = []
    for _ in range(_ROUNDS):
        began = perf_counter_ns()
        work()
        took.append(perf_counter_ns() - began)
    return float(min(took))


def _line(narrow_ns: float, wide_ns: float, rows: int) -> tuple[float, float]:
    """Nanoseconds a number, and nanoseconds a row beside them, from what rows of two widths take."""
    number = max(_LEAST_NS, (wide_ns - narrow_ns) / rows / (_WIDE - _NARROW))
    return number, max(_LEAST_NS, narrow_ns / rows - number * _NARROW)


def _engine_costs(engine: SegmentEngine) -> tuple[float, float]:
    """What asking an engine takes in any case, and what the rest takes in terms of what the engine says."""
    rows = _rows(_INDEXED, _INDEXED_DIM)
    with TemporaryDirectory(prefix="nitari-tune-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        built = engine.build(rows, folder)
        rows = rows if built.order is None else np.ascontiguousarray(rows[built.order])
        searcher = engine.open(folder, rows, built.parameters)
        try:
            vector = rows[0].astype(np.float32)
            few, many = (1, 16), (searcher.lists, 512)
            took, said = [], []
            for probes, candidates in (few, many):
                took.append(_best(partial(searcher.nearest, vector, 10, probes=probes, candidates=candidates)))
                said.append(searcher.cost_ns(probes=probes, candidates=candidates))
        finally:
            searcher.close()
    factor = max(0.05, (took[1] - took[0]) / max(1.0, said[1] - said[0]))
    return max(1_000.0, took[0] - factor * said[0]), factor
