"""The HTTP API under load: what HTTP adds to a search, requests a second, crowds, and memory over time.

    python benchmarks/http_api.py --data DIR [--minutes N] [--only overhead,rate,crowd,memory] [--json FILE]

DIR holds the sample catalog ``luma/``; it is imported into a home folder under --work first (minutes, once), with the
default settings. Server and load are processes of their own, on cores of their own where the system allows that; one
request at a time is on its way on each connection. ``docs/benchmarks.md`` has results and what they say.
(The name is not ``http.py``: Python would take that for its own ``http`` package in every script of this folder.)
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import harness
import load
import served
from nitari.search.query import Query
from nitari.search.searcher import Searcher
from nitari.settings import load_settings
from nitari.wiring import open_searcher

PARTS = ("overhead", "rate", "crowd", "memory")
PHOTO_BYTES = range(12_000, 100_001)
OVERHEAD_MS = 2.0
RATE = 1500
MANY = 4
"""Connections that ask by item id at a time: enough to keep one core busy."""
CROWDS = (50, 150)
CROWD_S = 30.0
RATE_S = 10.0
# Memory is judged by the last third of the time: what fills up (caches, an allocator's arenas) has done so by then,
# while a leak goes on. Growth of so small a share is still called flat.
FLAT_SHARE = 0.01
WARM_UP_SHARE = 2 / 3
REMEMBERED_PHOTOS, REMEMBERED_ITEMS = 256, 8192
"""What the server keeps at most: memory grows until it is full, which is no leak, so it is filled first."""
SAMPLE_S = 1.0
OWN_ITEMS = 48
PREFIX = "http-benchmark-"


@dataclass(frozen=True)
class Stage:
    """What is asked with.

    Args:
        requests: Makes requests to the server.
        server: The server.
        ids: Items.
        photos: JPEGs of 12-100 KB.
        random: Chooses.
    """

    requests: load.Requests
    server: served.Served
    ids: Sequence[str]
    photos: Sequence[bytes]
    random: random.Random

    def new_photos(self) -> Iterator[bytes]:
        """Photos without end, no two of the same bytes, so that no answer can come from memory."""
        mark = self.random.getrandbits(64)
        for number in itertools.count():
            yield _marked(self.photos[number % len(self.photos)], f"{mark} {number}")


def main() -> int:
    """Measure, print tables, write JSON."""
    given = _arguments()
    home = given.work.resolve() / "luma-home"
    home.parent.mkdir(parents=True, exist_ok=True)
    served.fill(home, given.data / "luma")
    photos = [path.read_bytes() for path in sorted((given.data / "luma" / "images").glob("*.jpg"))]
    photos = [photo for photo in photos if len(photo) in PHOTO_BYTES]
    report: dict[str, Any] = {"machine": harness.machine("numpy", "onnxruntime", "fastapi", "uvicorn")}
    with open_searcher(load_settings(home=home)) as searcher:
        stats = searcher.stats()
        report["catalog"] = {"collection": stats.collection, "items": stats.items, "keys": stats.keys}
        ids = _all_ids(searcher)
        for part in given.only:  # each part has a fresh server
            with served.serve(home) as server:
                stage = Stage(load.Requests(server.root), server, ids, photos, random.Random(3))
                report[part] = _measured(part, stage, searcher, given)
            print(f"{part} done", file=sys.stderr)
    report["machine"]["load_at_end"] = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    print(_markdown(report))
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _measured(part: str, stage: Stage, searcher: Searcher, given: argparse.Namespace) -> Any:
    """One part's figures."""
    if part == "overhead":
        return asyncio.run(_overhead(stage, searcher, given.queries))
    if part == "rate":
        return [asyncio.run(_rate(stage, k, anew)) for k in (10, 20) for anew in (True, False)]
    if part == "crowd":
        return [asyncio.run(_crowd(stage, crowd, given.seconds)) for crowd in CROWDS]
    return asyncio.run(_memory(stage, given.minutes * 60))


async def _overhead(stage: Stage, searcher: Searcher, count: int) -> list[dict[str, Any]]:
    """The same queries through HTTP and in this process, in turn: what else the machine does falls on both."""
    chosen = [stage.random.choice(stage.ids) for _ in range(count)]
    fresh = list(itertools.islice(stage.new_photos(), max(10, count // 4)))
    kinds: dict[str, list[tuple[load.Call, Query]]] = {
        "item": [(stage.requests.item(one, k=20), Query(item_id=one, k=20)) for one in chosen],
        "new photo": [(stage.requests.photo(one, k=20), Query(photo=one, k=20)) for one in fresh],
    }
    # The vectors of a photo that was asked before are remembered: what is left of the search shows HTTP all the better.
    kinds["photo asked before"] = kinds["new photo"] * 2
    found = []
    for kind, pairs in kinds.items():
        replies, alone_ms, cpu_ms = [], [], []
        await load.one_by_one(stage.requests, [pairs[0][0]])
        searcher.search(pairs[0][1])
        connection = load.Connection(stage.requests)
        before = stage.server.cpu_s()
        for number, (call, query) in enumerate(pairs):
            if number % 2:
                alone_ms.append(_alone(searcher, query))
            replies.append(await connection.send(call))
            if not number % 2:
                alone_ms.append(_alone(searcher, query))
        cpu_ms.append((stage.server.cpu_s() - before) * 1e3 / len(pairs))
        connection.close()
        assert all(reply.status == 200 for reply in replies), [reply.status for reply in replies]
        inside_ms = [reply.json()["timing_ms"]["total"] for reply in replies]
        http_ms = [reply.ms for reply in replies]
        found.append(
            {
                "kind": kind,
                "queries": len(pairs),
                "answer_bytes": statistics.median(len(reply.body) for reply in replies),
                "http_ms": _quantiles(http_ms),
                "searcher_ms": _quantiles(alone_ms),
                "overhead_p50_ms": statistics.median(http_ms) - statistics.median(alone_ms),
                # Of one and the same request, so that nothing but HTTP is in it.
                "overhead_inside_ms": _quantiles([a - b for a, b in zip(http_ms, inside_ms, strict=True)]),
                "server_cpu_ms": cpu_ms[0],
            }
        )
    return found


def _alone(searcher: Searcher, query: Query) -> float:
    started = time.perf_counter()
    searcher.search(query)
    return (time.perf_counter() - started) * 1e3


async def _rate(stage: Stage, k: int, anew: bool) -> dict[str, Any]:
    """By item id, as many as one core of the server can answer.

    Args:
        stage: What is asked with.
        k: Hits.
        anew: Whether an item is edited before the items repeat, so that no answer can come from memory: the edits cost
            the same core, but are not counted as requests. Else every item was asked for before.
    """
    cores = list(range(os.cpu_count() or 1))
    stage.server.pin(cores[:1])
    if len(cores) > 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(cores[1:]))
    calls = _asked_anew(stage, k) if anew else (stage.requests.item(one, k=k) for one in itertools.cycle(stage.ids))
    await load.keep_busy(stage.requests, calls, connections=MANY, seconds=2)
    before, cpu, own = time.perf_counter(), stage.server.cpu_s(), time.process_time()
    tally = await load.keep_busy(stage.requests, calls, connections=MANY, seconds=RATE_S)
    took, used, own = time.perf_counter() - before, stage.server.cpu_s() - cpu, time.process_time() - own
    stage.server.pin(cores)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(cores))
    answered = tally.by_status("item").get("200", 0)
    await load.one_by_one(stage.requests, [stage.requests.delete(f"{PREFIX}0")])
    return {
        "k": k,
        "questions": "the first time" if anew else "asked before",
        "connections": MANY,
        "statuses": tally.by_status(),
        "per_s": answered / took,
        "per_cpu_s": answered / used,
        "server_cpu_ms": used * 1e3 / answered,
        "server_core_share": used / took,
        "client_core_share": own / took,
        "ms": _quantiles(tally.ms["item"]),
    }


def _asked_anew(stage: Stage, k: int) -> Iterator[load.Call]:
    """Searches by item, no item twice without an edit of another item in between."""
    item_id, photo = f"{PREFIX}0", stage.photos[0]
    yield stage.requests.put(item_id, {}, photo)
    link = f"upload:{hashlib.sha256(photo).hexdigest()}"
    for number in itertools.count():
        for one in stage.ids:
            yield stage.requests.item(one, k=k)
        item = {"title": f"Item {number}", "image_links": [link]}
        yield stage.requests.json("edit", f"/items/{item_id}", item, method="PUT")


async def _crowd(stage: Stage, crowd: int, seconds: float) -> dict[str, Any]:
    """Many shoppers at once, each with a photo of their own: every one is told something."""
    calls = (stage.requests.photo(photo, k=20) for photo in stage.new_photos())
    before, cpu = time.perf_counter(), stage.server.cpu_s()
    tally = await load.keep_busy(stage.requests, calls, connections=crowd, seconds=seconds)
    took = time.perf_counter() - before
    answered = tally.by_status().get("200", 0)
    told = sum(count for status, count in tally.by_status().items() if status in ("200", "503"))
    return {
        "connections": crowd,
        "seconds": took,
        "sent": tally.sent,
        "statuses": tally.by_status(),
        "busy_without_retry_after": tally.busy_without_retry_after,
        "dropped": tally.sent - told,
        "photos_per_s": answered / took,
        "server_cpu_ms": (stage.server.cpu_s() - cpu) * 1e3 / max(1, answered),
        "ms": _quantiles(tally.ms.get("photo", [0.0])),
    }


async def _memory(stage: Stage, seconds: float) -> dict[str, Any]:
    """Everything at once for minutes, memory looked at every second."""
    samples: list[tuple[float, float]] = []
    make = stage.requests
    fresh = stage.server.rss_mb()
    for calls, count in ((_photo_calls(stage), REMEMBERED_PHOTOS), (_item_calls(stage), 2 * REMEMBERED_ITEMS)):
        await load.keep_busy(make, itertools.islice(calls, count), connections=MANY, seconds=600)
    started = time.monotonic()

    async def watch() -> None:
        while True:
            samples.append((time.monotonic() - started, stage.server.rss_mb()))
            await asyncio.sleep(SAMPLE_S)

    watcher = asyncio.create_task(watch())
    streams = (
        (_photo_calls(stage), 1, 0.1),
        (_item_calls(stage), 1, 0.01),
        (_browsing_calls(stage), 1, 0.02),
        (_edit_calls(stage), 1, 0.1),
    )
    tallies = await asyncio.gather(
        *(
            load.keep_busy(make, calls, connections=connections, seconds=seconds, pause_s=pause)
            for calls, connections, pause in streams
        )
    )
    watcher.cancel()
    await load.one_by_one(make, [make.delete(f"{PREFIX}{number}") for number in range(OWN_ITEMS)])
    steady = [sample for sample in samples if sample[0] >= seconds * WARM_UP_SHARE]
    slope = statistics.linear_regression(*zip(*steady, strict=True)).slope
    growth = slope * (steady[-1][0] - steady[0][0])
    middle = statistics.median(value for _, value in steady)
    total = load.Tally()
    for tally in tallies:
        total.statuses += tally.statuses
        total.busy_without_retry_after += tally.busy_without_retry_after
    return {
        "minutes": seconds / 60,
        "requests": {kind: total.by_status(kind) for kind in sorted({kind for kind, _ in total.statuses})},
        "rss_mb": {
            "fresh": fresh,
            "start": samples[0][1],
            "p50": middle,
            "end": samples[-1][1],
            "most": max(v for _, v in samples),
        },
        "slope_mb_per_hour": slope * 3600,
        "growth_mb": growth,
        "flat": abs(growth) <= FLAT_SHARE * middle,
        "samples_mb": [round(value, 1) for _, value in samples[:: max(1, len(samples) // 120)]],
    }


def _photo_calls(stage: Stage) -> Iterator[load.Call]:
    for number, photo in enumerate(stage.new_photos()):
        options: dict[str, Any] = {"facets": ["gender", "color"]} if number % 3 == 0 else {}
        if number % 4 == 0:
            options["region"] = [0.2, 0.1, 0.8, 0.9]
        yield stage.requests.photo(photo, k=20, **options)


def _item_calls(stage: Stage) -> Iterator[load.Call]:
    for number in itertools.count():
        one = stage.random.choice(stage.ids)
        # Filters without end: prices that differ, so that nothing kept by filter can grow with them unnoticed.
        wanted = {"price": {"lt": 20 + number / 97 % 80}, "gender": stage.random.choice(["female", "male"])}
        yield stage.requests.item(one, k=20, **({"filter": wanted} if number % 2 else {}))


def _browsing_calls(stage: Stage) -> Iterator[load.Call]:
    for number in itertools.count():
        one = stage.random.choice(stage.ids)
        yield (
            stage.requests.get("thumbnail", f"/v1/collections/default/photos/{one}?size={200 + number % 50}"),
            stage.requests.json("facets", "/facets", {"names": ["gender", "color", "price"]}),
            stage.requests.json(
                "recommend", "/recommend", {"liked": [one], "disliked": [stage.random.choice(stage.ids)]}
            ),
            stage.requests.get("get", f"/v1/collections/default/items/{one}"),
            stage.requests.get("metrics", "/metrics"),
        )[number % 5]


def _edit_calls(stage: Stage) -> Iterator[load.Call]:
    for number, photo in enumerate(stage.new_photos()):
        item_id = f"{PREFIX}{number % OWN_ITEMS}"
        body = {"title": f"Item {number}", "attributes": {"price": float(number % 90), "gender": "female"}}
        if number % 7 == 6:
            yield stage.requests.delete(item_id)
        elif number % 7 == 5:
            operations = [{"op": "delete", "item_id": item_id}]
            yield stage.requests.json("batch", "/items:batch", {"operations": operations})
        else:
            yield stage.requests.put(item_id, body, photo)


def _all_ids(searcher: Searcher) -> list[str]:
    """Every item, found by a search from any direction."""
    stats = searcher.stats()
    toward = [1.0] + [0.0] * (stats.dim - 1)
    hits = searcher.search(Query(vector=toward, k=1000)).hits  # type: ignore[arg-type]  # a list will do
    return sorted(hit.item_id for hit in hits if not hit.item_id.startswith(PREFIX))


def _marked(photo: bytes, text: str) -> bytes:
    """The same JPEG with a comment in it (ITU-T T.81, B.2.4.5)."""
    comment = text.encode()
    return photo[:2] + b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment + photo[2:]


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "p50": statistics.median(ordered),
        "p95": ordered[int(len(ordered) * 0.95)],
        "p99": ordered[int(len(ordered) * 0.99)],
        "most": ordered[-1],
    }


def _markdown(report: dict[str, Any]) -> str:
    """The report as tables."""
    machine = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    lines = ["; ".join(f"{name} {value}" for name, value in report["catalog"].items()) + f"; {machine}"]
    if rows := report.get("overhead"):
        lines += [
            "",
            (
                f"| over the searcher (due: <= {OVERHEAD_MS:g} ms) | HTTP ms p50 (p95) | searcher ms p50 (p95) "
                "| overhead ms p50 | within the request p50 (p95) | server CPU ms a request | answer KB |"
            ),
            "|---|---|---|---|---|---|---|",
        ]
        for row in rows:
            http, alone, inside = row["http_ms"], row["searcher_ms"], row["overhead_inside_ms"]
            lines.append(
                f"| {row['kind']} ({row['queries']}) | {_two(http)} | {_two(alone)} | {row['overhead_p50_ms']:.2f} "
                f"| {_two(inside)} | {row['server_cpu_ms']:.2f} | {row['answer_bytes'] / 1e3:.1f} |"
            )
    if rows := report.get("rate"):
        lines += [
            "",
            (
                f"| by item id (due: >= {RATE} a second on one core) | requests/s | a CPU second "
                "| CPU ms | ms p50 (p99) | core used: server; client |"
            ),
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| k={row['k']}, {row['questions']} | {row['per_s']:.0f} | {row['per_cpu_s']:.0f} "
            f"| {row['server_cpu_ms']:.2f} | {row['ms']['p50']:.2f} ({row['ms']['p99']:.2f}) "
            f"| {row['server_core_share']:.0%}; {row['client_core_share']:.0%} |"
            for row in rows
        ]
    if rows := report.get("crowd"):
        lines += [
            "",
            "| photos at a time | sent | statuses | dropped | ms p50 | p99 | photos/s | CPU ms a photo |",
            "|---|---|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {row['connections']} | {row['sent']} | {_statuses(row['statuses'])} | {row['dropped']} "
            f"| {row['ms']['p50']:.0f} | {row['ms']['p99']:.0f} | {row['photos_per_s']:.1f} "
            f"| {row['server_cpu_ms']:.0f} |"
            for row in rows
        ]
    if memory := report.get("memory"):
        rss = memory["rss_mb"]
        lines += [
            "",
            (
                f"Memory over {memory['minutes']:g} minutes of mixed load: {rss['fresh']:.0f} MB fresh, "
                f"{rss['start']:.0f} once all that is remembered is full, "
                f"{rss['p50']:.0f} p50, {rss['end']:.0f} at the end, {rss['most']:.0f} at most; in the last third "
                f"{memory['slope_mb_per_hour']:+.0f} MB an hour ({memory['growth_mb']:+.1f} MB): "
                f"{'flat' if memory['flat'] else 'NOT flat'}."
            ),
            "; ".join(f"{kind} {_statuses(counts)}" for kind, counts in memory["requests"].items()),
        ]
    return "\n".join(lines)


def _two(quantiles: dict[str, float]) -> str:
    return f"{quantiles['p50']:.2f} ({quantiles['p95']:.2f})"


def _statuses(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} x {status}" for status, count in counts.items())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, required=True, help="folder with the sample catalog luma/")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long memory is watched")
    parser.add_argument("--seconds", type=float, default=CROWD_S, help="how long each crowd asks")
    parser.add_argument("--queries", type=int, default=400, help="queries by item of the overhead")
    parser.add_argument("--only", type=lambda text: text.split(","), default=PARTS, help=f"some of {','.join(PARTS)}")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "nitari-benchmarks", help="cache folder"
    )
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    given = parser.parse_args()
    if not (given.data / "luma" / "feed.csv").is_file():
        parser.error(f"{given.data} holds no luma/feed.csv; see `nitari sample --help`")
    if unknown := [part for part in given.only if part not in PARTS]:
        parser.error(f"unknown part {unknown[0]!r}; there are {', '.join(PARTS)}")
    return given


if __name__ == "__main__":
    sys.exit(main())
