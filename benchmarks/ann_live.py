"""Queries while the catalog changes: a million products, 500 upserts and 50 deletes a second, seals and merges inside.

    python benchmarks/ann_live.py --work DIR --json FILE [--rows N] [--seconds S] [--seal-rows N]

Three processes, as in production: one searches (and follows the catalog, as a server does), one writes, one maintains
the index (``nitari index maintain``). The catalog is filled with vectors as they are, without photos and networks; it
is kept under DIR; each run works on a copy, and builds its index first. ``ann.py --live`` runs this.

It begins as a shop that has been running for some minutes: beside the segment of the million there are three small ones
(a fourth makes them one), and half of what makes that fourth is in no segment yet. Otherwise, with segments of as many
rows as Nitari makes by default, a minute would hardly see a seal, and no merge.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any, NoReturn

import numpy as np

import ann_data
from ann_edits import (
    COLLECTION,
    SEAL_ROWS,
    STEPS,
    UPSERTS,
    Plan,
    fill,
    filled,
    newcomers,
    settings_of,
    write,
)
from ann_protocol import Array, K
from nitari.index.segments.manifest import MANIFEST_NAME
from nitari.indexes import index_status, maintain_once, maintainer_command, open_index
from nitari.search.gallery import Gallery
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.server.listen import calm_interpreter
from nitari.settings import Settings
from nitari.wiring import open_catalog

QUERIES_PER_S = 150
QUIET_S = 20.0
LAG_S = 0.3
"""How far behind the catalog an answer may be when recall is judged: about a server's interval between looks."""
PROBES_PER_S = 2
LOST_S = 10.0


@dataclass(frozen=True)
class Asked:
    """A query.

    Args:
        due: When it should have been asked, by ``time.monotonic``.
        at: When it was.
        took: Seconds from then on.
        which: Number of the query.
        found: Ids that were answered.
    """

    due: float
    at: float
    took: float
    which: int
    found: tuple[str, ...]


@dataclass
class Log:
    """What was asked and answered.

    Args:
        asked: Queries, in order.
        visible: Seconds from acknowledged to found; infinite for never.
        acknowledged: When, by commit.
        published: When editions were seen to be published, and their segments; the first is the one at the start.
    """

    asked: list[Asked] = field(default_factory=list)
    visible: list[float] = field(default_factory=list)
    acknowledged: dict[int, float] = field(default_factory=dict)
    published: list[tuple[float, frozenset[str]]] = field(default_factory=list)


class Reader:
    """The searching process.

    Args:
        settings: Of the home.
        queries: float32 ``[q, 128]``.
    """

    def __init__(self, settings: Settings, queries: Array) -> None:
        self._settings, self._queries = settings, queries
        catalog = open_catalog(settings)
        index, editions = open_index(settings, catalog, COLLECTION)
        began = time.perf_counter()
        gallery = Gallery.open(catalog=catalog, index=index, collection=COLLECTION.name, editions=editions)
        self.open_s = time.perf_counter() - began
        self.searcher = Searcher(gallery=gallery, extractor=_no_photos, source=_NoSource())
        self._stop = Event()

    def answer(self, vector: Array) -> tuple[str, ...]:
        """Ids of the nearest products."""
        return tuple(hit.item_id for hit in self.searcher.search(Query(vector=vector, k=K)).hits)

    @contextmanager
    def following(self) -> Iterator[None]:
        """As a server does: look at the change log at its interval."""
        self._stop.clear()
        calm_interpreter()

        def follow() -> None:
            while not self._stop.wait(self._settings.server.refresh_s):
                self.searcher.refresh()

        thread = Thread(target=follow)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def ask(self, log: Log, seconds: float) -> None:
        """Queries at a fixed rate, one after the other: whoever comes behind a slow one waits for it."""
        begin = time.monotonic()
        for number in range(int(seconds * QUERIES_PER_S)):
            due = begin + number / QUERIES_PER_S
            time.sleep(max(0.0, due - time.monotonic()))
            which = number % len(self._queries)
            at = time.monotonic()
            if at > begin + seconds:
                break  # the machine is too busy for this rate
            found = self.answer(self._queries[which])
            log.asked.append(Asked(due, at, time.monotonic() - at, which, found))

    def probe(self, plan: Plan, log: Log, lines: Iterator[str]) -> None:
        """Note each commit, and wait for some of them to be found."""
        for line in lines:
            step, at = int(line.split()[0]), float(line.split()[1])
            log.acknowledged[step] = at
            if step % (STEPS // PROBES_PER_S):
                continue
            number = plan.numbers(step)[-1]
            while plan.put_id(number) not in self.answer(plan.vectors[number]):
                if time.monotonic() - at > LOST_S:
                    log.visible.append(float("inf"))
                    break
                time.sleep(0.01)
            else:
                log.visible.append(time.monotonic() - at)

    def watch(self, log: Log, done: Event) -> None:
        """Note when the maintainer publishes, and what."""
        manifest = self._settings.home / "index" / COLLECTION.name / MANIFEST_NAME
        before = None
        while not done.wait(0.1):
            stamp = manifest.stat().st_mtime_ns if manifest.exists() else None
            if stamp is not None and stamp != before:
                before = stamp
                body = json.loads(manifest.read_text(encoding="utf-8"))["body"]
                log.published.append((time.monotonic(), frozenset(one["name"] for one in body["segments"])))


def measure(work: Path, rows: int, seconds: float, seal_rows: int) -> dict[str, Any]:
    """Quiet, then under edits."""
    home = work / "live" / "home"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(filled(work, rows), home)
    settings, plan, earlier = settings_of(home, seal_rows), Plan(rows, seconds), newcomers(seal_rows)
    with open_catalog(settings) as catalog:
        began = time.perf_counter(), time.process_time()
        maintain_once(settings, catalog, settle=True)
        sealed_s, sealed_cpu_s = time.perf_counter() - began[0], time.process_time() - began[1]
        for start in range(0, len(earlier), seal_rows):
            some = earlier[start : start + seal_rows]
            fill(catalog, some, [f"e{start + at}" for at in range(len(some))])
            maintain_once(settings, catalog)
    queries = ann_data.manifold()(10**6, ann_data.QUERIES)
    reader = Reader(settings, queries)
    quiet, edited = Log(), Log()
    with open_catalog(settings) as catalog, reader.searcher, _child(maintainer_command(settings)):
        with reader.following():
            reader.ask(Log(), 2.0)
            reader.ask(quiet, QUIET_S)
            command = [sys.executable, str(Path(__file__).resolve()), "--write", str(home)]
            command += ["--rows", str(rows), "--seconds", str(seconds)]
            with _child(command) as writer:
                assert writer.stdout is not None
                assert writer.stdin is not None
                writer.stdout.readline()
                done = Event()
                threads = [
                    Thread(target=reader.probe, args=(plan, edited, iter(writer.stdout.readline, ""))),
                    Thread(target=reader.watch, args=(edited, done)),
                ]
                for thread in threads:
                    thread.start()
                writer.stdin.write("go\n")
                writer.stdin.flush()
                reader.ask(edited, seconds)
                threads[0].join()
                done.set()
                threads[1].join()
        status = index_status(settings, catalog)[0]
    truth = _Truth(plan, rows, earlier, queries, edited)
    start = edited.asked[0].at
    visible = np.asarray(edited.visible)
    found = visible[np.isfinite(visible)]
    return {
        "rows": rows,
        "seconds": seconds,
        "upserts_per_s": UPSERTS,
        "deletes_per_s": plan.deletes * STEPS,
        "queries_per_s": QUERIES_PER_S,
        "seal_rows": seal_rows,
        "sealed_s": sealed_s,
        "sealed_cpu_s": sealed_cpu_s,
        "open_s": reader.open_s,
        "written_per_s": plan.puts * len(edited.acknowledged) / (max(edited.acknowledged.values()) - start),
        "quiet": {**_times(quiet), "recall": truth.recall(quiet)},
        "edited": {**_times(edited), "recall": truth.recall(edited)},
        "deleted_returned": truth.deleted_returned(edited),
        "visible_ms": {
            "p50": float(np.quantile(found, 0.5) * 1e3),
            "p99": float(np.quantile(found, 0.99) * 1e3),
            "max": float(found.max() * 1e3),
            "not_found": int(visible.size - found.size),
        },
        "published_at_s": [at - start for at, _ in edited.published[1:]],
        "segments_after": [[one.name, one.rows, one.engine] for one in status.segments],
        **_seals([names for _, names in edited.published]),
    }


def _seals(editions: list[frozenset[str]]) -> dict[str, int]:
    """How many editions there were, how many segments were sealed, and how many editions put others into one."""
    steps = list(pairwise(editions))
    return {
        "editions": len(steps),
        "seals": sum(len(after - before) for before, after in steps if before <= after),
        "merges": sum(len(before - after) > 0 for before, after in steps),
    }


def _times(log: Log) -> dict[str, Any]:
    took = np.asarray([one.took for one in log.asked]) * 1e3
    since_due = np.asarray([one.at + one.took - one.due for one in log.asked]) * 1e3
    names = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999, "max_ms": 1.0}
    return {
        **{name: float(np.quantile(took, share)) for name, share in names.items()},
        **{f"since_due_{name}": float(np.quantile(since_due, share)) for name, share in names.items()},
        "queries": len(took),
        "at_s": [round(one.at - log.asked[0].at, 3) for one in log.asked],
        "took_ms": [round(float(one), 3) for one in took],
    }


class _Truth:
    """Which products were the nearest at a time, by exact search over all that there ever was.

    Args:
        plan: What was written.
        rows: Products that the index was built of.
        earlier: Those that came before it began.
        queries: That were asked.
        log: When what was acknowledged.
    """

    def __init__(self, plan: Plan, rows: int, earlier: Array, queries: Array, log: Log) -> None:
        draw = ann_data.manifold()
        blocks = [
            draw(at, min(ann_data.BLOCK, rows - start)) for at, start in enumerate(range(0, rows, ann_data.BLOCK))
        ]
        written = len(log.acknowledged) * plan.puts
        everything = np.concatenate([*blocks, earlier, plan.vectors[:written]])
        self._nearest = ann_data.exact(everything, queries, ann_data.TRUTH_DEPTH, {"all": None})["all"][0]
        self._names = [f"p{row}" for row in range(rows)] + [f"e{number}" for number in range(len(earlier))]
        self._names += [plan.put_id(number) for number in range(written)]
        self._from = np.full(len(everything), -np.inf)
        self._until = np.full(len(everything), np.inf)
        self.gone: dict[str, float] = {}
        for step, at in log.acknowledged.items():
            for number in plan.numbers(step):
                self._from[rows + len(earlier) + number] = at
                if (name := plan.put_id(number))[0] == "p":
                    self._until[int(name[1:])] = at
            for name in plan.deleted(step):
                self._until[int(name[1:])] = self.gone[name] = at

    def recall(self, log: Log) -> float:
        """Recall@10 of a sample of the answers."""
        shares = []
        for one in log.asked[:: max(1, len(log.asked) // 2000)]:
            at, near = one.at - LAG_S, self._nearest[one.which]
            alive = near[(self._from[near] <= at) & (self._until[near] > at)][:K]
            shares.append(np.mean([self._names[row] in one.found for row in alive]))
        return float(np.mean(shares))

    def deleted_returned(self, log: Log) -> int:
        """Answers with a product that was deleted more than a second before they were asked for."""
        return sum(any(self.gone.get(name, np.inf) < one.at - 1.0 for name in one.found) for one in log.asked)


@contextmanager
def _child(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A process that ends when its input is closed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _no_photos() -> NoReturn:
    raise AssertionError("queries bring vectors")


class _NoSource:
    """No photos, no source of them."""

    def fetch(self, link: str, *, known: Any = None) -> NoReturn:
        """Never called."""
        raise AssertionError(link)

    def close(self) -> None:
        """Nothing to close."""


def main() -> None:
    """Measure, or be the writing process."""
    if "OMP_NUM_THREADS" not in os.environ:  # one thread a query, as ``ann.py`` has it; libraries look when loaded
        command = [sys.executable, *sys.argv]
        sys.exit(subprocess.run(command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seal-rows", type=int, default=SEAL_ROWS, help="so many new rows become a segment")
    parser.add_argument("--write", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        write(given.write, given.rows, given.seconds)
        return
    figures = measure(given.work, given.rows, given.seconds, given.seal_rows)
    given.json.write_text(json.dumps(figures), encoding="utf-8")
    for name in ("quiet", "edited"):
        print(name, {key: value for key, value in figures[name].items() if not isinstance(value, list)})
    print({key: value for key, value in figures.items() if not isinstance(value, (list, dict))}, figures["visible_ms"])


if __name__ == "__main__":
    main()
