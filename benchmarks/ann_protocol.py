"""What ``ann.py`` and the systems under test have in common. Needs numpy only: peers' environments have it.

A system's script ends with ``serve(System())``. It is started in a process of its own, pinned to one core, and answers
one JSON object a line to commands, one a line, on its standard input.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import harness

FORMAT = 1
K = 10
WARM_UP = 10
# How often a filter that returns was asked before, and how long whatever that set off may take.
RETURNED, SETTLE_S = 100, 0.3
FEWEST = 20
"""Queries that are measured however long they take."""
LOST_S = 5.0
"""How long to look for an inserted row before it counts as not found."""
Array = NDArray[np.float32]
Setting = dict[str, Any]
Ask = Callable[[Array], NDArray[Any]]
"""From one query vector (float32 ``[dim]``) to the keys that were found."""


def unit(vectors: NDArray[Any]) -> Array:
    """Rows scaled to unit length, float32."""
    scaled: Array = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return scaled


class DataSet:
    """A data set's folder, read by memory map.

    Args:
        folder: What ``ann_data.prepare`` made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        if meta["format"] != FORMAT:
            raise SystemExit(f"{folder} was made by another version of this benchmark; delete it")
        self.name: str = meta["name"]
        self.count: int = meta["rows"]
        self.dim: int = meta["dim"]
        self.lid: float = meta["lid"]
        self.tags: list[str] = meta["tags"]
        self.filters: dict[str, list[str]] = meta["filters"]
        self.shares: dict[str, float] = meta["shares"]

    @property
    def rows(self) -> NDArray[Any]:
        """Unit rows by key, float32 or float16 ``[count, dim]``, memory-mapped; a row's key is its number."""
        rows: NDArray[Any] = np.load(self.folder / "rows.npy", mmap_mode="r")
        return rows

    @property
    def queries(self) -> Array:
        """float32 ``[q, dim]``."""
        queries: Array = np.load(self.folder / "queries.npy")
        return queries

    @property
    def extra(self) -> Array:
        """Rows to insert, float32 ``[e, dim]``; their keys go on where those of ``rows`` end."""
        extra: Array = np.load(self.folder / "extra.npy")
        return extra

    def blocks(self, size: int = 50_000) -> Iterator[tuple[NDArray[np.int64], Array]]:
        """Keys and float32 rows, a bounded number at a time."""
        rows = self.rows
        for start in range(0, self.count, size):
            block = np.ascontiguousarray(rows[start : start + size], np.float32)
            yield np.arange(start, start + len(block), dtype=np.int64), block

    def column(self, tag: str) -> NDArray[np.bool_]:
        """Which rows have a tag: bool ``[count]``."""
        column: NDArray[np.bool_] = np.ascontiguousarray(self.tag_matrix[:, self.tags.index(tag)])
        return column

    @property
    def tag_matrix(self) -> NDArray[np.bool_]:
        """Bool ``[count, tags]``, memory-mapped."""
        matrix: NDArray[np.bool_] = np.load(self.folder / "tags.npy", mmap_mode="r")
        return matrix

    def tags_of(self, keys: NDArray[np.int64]) -> list[list[str]]:
        """Names of each key's tags; inserted rows have none."""
        if not self.tags:
            return [[] for _ in range(keys.size)]
        known = np.zeros((keys.size, len(self.tags)), bool)
        known[keys < self.count] = self.tag_matrix[keys[keys < self.count]]
        return [[tag for tag, has in zip(self.tags, row, strict=True) if has] for row in known.tolist()]

    def truth(self, filter_name: str | None) -> NDArray[np.int32]:
        """Keys of the true nearest rows, best first, -1 where there are fewer: ``[q, at least K]``."""
        truth: NDArray[np.int32] = np.load(self.folder / "truth" / f"{filter_name or 'none'}.npy")
        return truth


class System:
    """A system under test. Keys are row numbers. Everything runs on one core, in one thread where it can be told so."""

    filters: str = "none"
    """How it filters, in a few words: ``inside`` (it evaluates the filter), ``bitmap given`` (the caller has to),
    ``none`` (what is found is filtered after)."""
    deletes: bool = True
    """Whether rows can be deleted."""
    edits: bool = True
    """Whether rows can be inserted."""

    def build(self, data: DataSet, state: Path) -> None:
        """Index all of ``data``, durably, in the empty folder ``state``."""
        raise NotImplementedError

    def open(self, data: DataSet, state: Path) -> None:
        """Get ready to answer."""
        raise NotImplementedError

    def ladders(self, data: DataSet, filter_name: str | None) -> list[list[Setting]]:
        """Settings to try: each ladder goes from quick to thorough."""
        raise NotImplementedError

    def searcher(self, setting: Setting, k: int, wanted: Sequence[str]) -> Ask:
        """A search for ``k`` rows that have all ``wanted`` tags: all that a filter costs once belongs in here."""
        raise NotImplementedError

    def insert(self, keys: NDArray[np.int64], vectors: Array) -> None:
        """Insert rows without tags."""
        raise NotImplementedError

    def delete(self, keys: NDArray[np.int64]) -> None:
        """Delete rows."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of everything."""


def steps(first: float, last: float, ratio: float = 1.15) -> list[int]:
    """Integers from ``first`` to ``last`` in geometric steps."""
    numbers, at = [], float(first)
    while at < last:
        numbers.append(round(at))
        at = max(at * ratio, at + 1)
    return [*numbers, round(last)]


def filtered_after(search: Callable[[Array, int], NDArray[Any]], passes: NDArray[np.bool_], k: int, fetch: int) -> Ask:
    """What a user does whose library has no filter: fetch more, keep what passes."""

    def ask(vector: Array) -> NDArray[Any]:
        found = search(vector, fetch)
        return found[passes[found]][:k]

    return ask


class _Runner:
    """Carries out commands."""

    def __init__(self, system: System, data: DataSet, state: Path) -> None:
        self._system, self._data, self._state = system, data, state
        self._truth: dict[str | None, NDArray[np.int32]] = {}
        self._queries = data.queries

    def about(self) -> dict[str, Any]:
        """How the system filters, and what edits it takes."""
        return {"filters": self._system.filters, "deletes": self._system.deletes, "edits": self._system.edits}

    def build(self) -> dict[str, Any]:
        """Index everything."""
        self._state.mkdir(parents=True)
        wall, cpu = time.perf_counter(), _cpu_s()
        self._system.build(self._data, self._state)
        return {
            "wall_s": time.perf_counter() - wall,
            "cpu_s": _cpu_s() - cpu,
            "peak_mb": harness.peak_mb(),
            "disk_mb": disk_mb(self._state),
        }

    def open(self) -> dict[str, Any]:
        """Open, and answer once."""
        before = memory()
        wall, cpu = time.perf_counter(), _cpu_s()
        self._system.open(self._data, self._state)
        opened = time.perf_counter() - wall
        setting = self._system.ladders(self._data, None)[0][0]
        self._system.searcher(setting, K, ())(self._queries[0])
        return {
            "open_ms": opened * 1e3,
            "first_answer_ms": (time.perf_counter() - wall) * 1e3,
            "cpu_ms": (_cpu_s() - cpu) * 1e3,
            "before": before,
            "memory": memory(),
        }

    def ladders(self, filter_name: str | None) -> list[list[Setting]]:
        """Settings to try."""
        return self._system.ladders(self._data, filter_name)

    def search(
        self, setting: Setting, filter_name: str | None, mode: str, first: int, count: int, seconds: float
    ) -> dict[str, Any]:
        """Up to ``count`` queries from number ``first`` on, one a call, for at most ``seconds``.

        ``mode``: ``returning`` asks one filter again and again, after it was asked so often that whoever prepares for
        it has done so, and has had time to; ``new`` starts over with the filter at each query.
        """
        if filter_name not in self._truth:
            self._truth[filter_name] = self._data.truth(filter_name)[:, :K]
        truth = self._truth[filter_name]
        wanted = self._data.filters[filter_name] if filter_name else []
        numbers = [(first + step) % len(truth) for step in range(min(count, len(truth)))]
        ask = self._system.searcher(setting, K, wanted)
        for number in numbers[: WARM_UP if mode == "new" else RETURNED]:
            ask(self._queries[number])
        if wanted and mode == "returning":
            time.sleep(SETTLE_S)
        taken, found = np.empty(len(numbers)), []
        wall, cpu = time.perf_counter(), _cpu_s()
        for position, number in enumerate(numbers):
            begin = time.perf_counter()
            if mode == "new":
                ask = self._system.searcher(setting, K, wanted)
            found.append(ask(self._queries[number]))
            end = time.perf_counter()
            taken[position] = end - begin
            if end - wall > seconds and position + 1 >= FEWEST:
                break
        wall, cpu = time.perf_counter() - wall, _cpu_s() - cpu
        taken = taken[: len(found)]
        hits = [_recall(keys, truth[number]) for keys, number in zip(found, numbers, strict=False)]
        return {
            "queries": len(found),
            "recall": float(np.mean(hits)),
            "qps": len(found) / float(taken.sum()),
            "qps_cpu": len(found) / max(cpu, 1e-9),
            "p50_us": float(np.quantile(taken, 0.5) * 1e6),
            "p99_us": float(np.quantile(taken, 0.99) * 1e6),
            "max_us": float(taken.max() * 1e6),
            "wall_s": wall,
        }

    def edit(self, setting: Setting, singles: int, batch: int) -> dict[str, Any]:
        """Insert and delete, one by one and in batches; how long until a row is found; whether deleted ones return."""
        extra, system = self._data.extra, self._system
        keys = np.arange(self._data.count, self._data.count + len(extra))
        figures: dict[str, Any] = {}
        system.searcher(setting, K, ())(extra[0])
        singles, batch = min(singles, len(extra) // 8), min(batch, len(extra) // 8)

        def timed_each(call: Callable[[NDArray[np.int64], Array], None], begin: int, size: int, rounds: int) -> Any:
            taken = []
            cpu = _cpu_s()
            for start in range(begin, begin + size * rounds, size):
                at = time.perf_counter()
                call(keys[start : start + size], extra[start : start + size])
                taken.append(time.perf_counter() - at)
            spent = np.asarray(taken)
            return {
                "rows": size * rounds,
                "rows_per_s": size * rounds / spent.sum(),
                "rows_per_cpu_s": size * rounds / max(_cpu_s() - cpu, 1e-9),
                "p50_ms": float(np.quantile(spent, 0.5) * 1e3),
                "p99_ms": float(np.quantile(spent, 0.99) * 1e3),
                "max_ms": float(spent.max() * 1e3),
            }

        figures["insert_one"] = timed_each(system.insert, 0, 1, singles)
        figures["insert_batch"] = timed_each(system.insert, singles, batch, 4)
        used = singles + 4 * batch
        ask = system.searcher(setting, K, ())
        visible, lost = [], 0
        for number in range(used, used + min(50, len(extra) - used)):
            at = time.perf_counter()
            system.insert(keys[number : number + 1], extra[number : number + 1])
            while keys[number] not in ask(extra[number]):
                if time.perf_counter() - at > LOST_S:
                    lost += 1
                    break
            visible.append(time.perf_counter() - at)
        figures["visible_ms"] = {
            "p50": float(np.quantile(visible, 0.5) * 1e3),
            "max": float(max(visible) * 1e3),
            "not_found": lost,
        }
        if system.deletes:
            figures["delete_one"] = timed_each(lambda gone, _: system.delete(gone), 0, 1, singles)
            figures["delete_batch"] = timed_each(lambda gone, _: system.delete(gone), singles, batch, 4)
            asked = np.linspace(0, singles + 4 * batch - 1, 100).astype(int)
            gone = set(keys[: singles + 4 * batch].tolist())
            ask = system.searcher(setting, K, ())
            figures["deleted_returned"] = sum(bool(gone & set(ask(extra[number]).tolist())) for number in asked)
        figures["memory"] = memory()
        return figures

    def memory(self) -> dict[str, float]:
        """Of this process, now."""
        return memory()


def serve(system: System) -> None:
    """Answer commands until the input ends. Whatever the system prints goes to the error output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--state", type=Path, required=True)
    given = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    runner = _Runner(system, DataSet(given.data), given.state)
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"ok": getattr(runner, command.pop("do"))(**command)}
        except Exception as exc:  # noqa: BLE001  # whatever a system throws is what is then known of it
            traceback.print_exc()
            answer = {"failed": f"{type(exc).__name__}: {exc}"[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    system.close()


def memory() -> dict[str, float]:
    """Megabytes of this process: ``rss``, of which ``anon`` is its own; ``pss`` shares out what others map, too."""
    figures = {"peak": harness.peak_mb()}
    for path, names in (
        ("/proc/self/status", {"VmRSS": "rss", "RssAnon": "anon", "RssFile": "file"}),
        ("/proc/self/smaps_rollup", {"Pss": "pss", "Private_Dirty": "private"}),
    ):
        if not Path(path).exists():
            continue
        for line in Path(path).read_text().splitlines():
            name, _, value = line.partition(":")
            if name in names:
                figures[names[name]] = int(value.split()[0]) / 1024
    return figures


def disk_mb(folder: Path) -> float:
    """What a folder takes on disk, megabytes."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 2**20


def _cpu_s() -> float:
    """CPU of this process and of children that ended."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def _recall(found: NDArray[Any], truth: NDArray[np.int32]) -> float:
    """The share of the true ones that was found; 1 where there are none."""
    wanted = truth[truth >= 0]
    return float(np.isin(wanted, found).mean()) if wanted.size else 1.0
