"""Tables of ``ann.py``: from figures by phase to one report, and from that to Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ann_data import FILTERS
from ann_measure import FILTER_TARGET, TARGETS, Bench
from ann_protocol import DataSet
from ann_systems import PEERS, Spec

TIMES = ("qps", "qps_cpu", "p50_us", "p99_us", "recall")


def collect(
    bench: Bench, sets: Sequence[tuple[DataSet, list[Spec]]], *, machine: dict[str, Any], live: dict[str, Any] | None
) -> dict[str, Any]:
    """All that was measured."""
    return {
        "machine": machine,
        "core": bench.core,
        "sets": [
            {
                "name": data.name,
                "rows": data.count,
                "dim": data.dim,
                "lid": data.lid,
                "shares": data.shares,
                "systems": [_system(bench, data, spec) for spec in specs],
            }
            for data, specs in sets
        ],
        "live": live,
        "failures": [list(failure) for failure in bench.failures],
    }


def _system(bench: Bench, data: DataSet, spec: Spec) -> dict[str, Any]:
    tuned = bench.kept(spec, data, "tune") or {}
    timed = [figures for figures in bench.kept(spec, data, "rounds") or [] if "qps" in figures]
    queries = {}
    for name in (None, *data.filters):
        for mode in ("new", "returning"):
            for target in TARGETS if name is None else (FILTER_TARGET,):
                settings = tuned.get(str(name), {}).get("chosen", {}).get(f"{target:.2f}", [])
                best = _best(timed, name, mode, settings)
                if best:
                    queries[f"{name or 'none'}/{mode}/{target:.2f}"] = best
    return {
        "name": spec.name,
        "note": spec.note,
        "ours": spec.ours,
        "build": bench.kept(spec, data, "build"),
        "open": _opened(bench.kept(spec, data, "open")),
        "edit": bench.kept(spec, data, "edit"),
        "readers": _readers(bench.kept(spec, data, "readers")),
        "queries": queries,
        "best_recall": {name: max((one["recall"] for one in of["evaluated"]), default=0) for name, of in tuned.items()},
        "curve": [{key: one[key] for key in ("setting", *TIMES)} for one in tuned.get("None", {}).get("evaluated", [])],
    }


def _best(
    timed: list[dict[str, Any]], name: str | None, mode: str, settings: list[dict[str, Any]]
) -> dict[str, Any] | None:
    """Of these settings the quickest, by the median over rounds."""
    found = []
    for setting in settings:
        rounds = [one for one in timed if one["filter"] == name and one["mode"] == mode and one["setting"] == setting]
        if rounds:
            found.append(
                {
                    "setting": setting,
                    "rounds": len(rounds),
                    "queries": sum(one["queries"] for one in rounds),
                    **{key: statistics.median(one[key] for one in rounds) for key in TIMES},
                }
            )
    return max(found, key=lambda one: one["qps"], default=None)


def _opened(figures: list[dict[str, Any]] | None) -> dict[str, float] | None:
    if not figures:
        return None
    return {
        "open_ms": statistics.median(one["open_ms"] for one in figures),
        "first_answer_ms": statistics.median(one["first_answer_ms"] for one in figures),
        **{
            f"{kind}_mb": statistics.median(one["steady"].get(kind, 0) for one in figures)
            for kind in ("rss", "anon", "file", "peak")
        },
        "imports_mb": statistics.median(one["before"].get("rss", 0) for one in figures),
    }


def _readers(figures: dict[str, Any] | None) -> dict[str, float] | None:
    if not figures:
        return None
    one = figures["one"][0].get("pss", math.nan)
    together = sum(memory.get("pss", math.nan) for memory in figures["all"])
    return {"count": len(figures["all"]), "one_mb": one, "all_mb": together, "ratio": together / one}


def exponent(rows: Iterable[float], costs: Iterable[float]) -> float:
    """``b`` of ``cost = a * rows ** b``, least squares of the logarithms."""
    return float(np.polyfit(np.log(list(rows)), np.log(list(costs)), 1)[0])


def markdown(report: dict[str, Any]) -> str:
    """The report as tables."""
    machine = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    lines = [f"{machine}; one thread on one core, one query a call, 10 neighbors", ""]
    for data in report["sets"]:
        lines += [
            f"## {data['name']}: {data['rows']:,} x {data['dim']}, local intrinsic dimension {data['lid']:.1f}",
            "",
        ]
        lines += [*_plain(data), ""]
        if data["shares"]:
            lines += [*_filtered(data), ""]
        lines += [*_edits(data), ""]
        lines += _shared(data)
    lines += _growth(report["sets"])
    lines += _claims(report)
    if report["failures"]:
        lines += ["", "Not measured:", ""]
        lines += [f"- {system}, {name}, {phase}: {why}" for system, name, phase, why in report["failures"]]
    return "\n".join(lines)


def _plain(data: dict[str, Any]) -> list[str]:
    lines = [
        "| system | QPS (p50; p99 us) at recall@10 " + " | ".join(f".{target * 100:.0f}" for target in TARGETS)
        + " | build: CPU s; wall s; peak MB | disk MB | open ms; first answer ms | MB in use (own; mapped) |",
        "|" + "---|" * (5 + len(TARGETS)),
    ]  # fmt: skip
    for system in data["systems"]:
        cells = []
        for target in TARGETS:
            best = system["queries"].get(f"none/returning/{target:.2f}")
            cells.append(
                f"{_number(best['qps'])} ({_number(best['p50_us'])}; {_number(best['p99_us'])})"
                if best
                else f"- (best {system['best_recall'].get('None', 0):.3f})"
            )
        build, opened = system["build"], system["open"]
        cells.append(f"{build['cpu_s']:.0f}; {build['wall_s']:.0f}; {build['peak_mb']:.0f}" if build else "")
        cells.append(f"{build['disk_mb']:.0f}" if build else "")
        cells.append(f"{opened['open_ms']:.1f}; {opened['first_answer_ms']:.1f}" if opened else "")
        cells.append(f"{opened['rss_mb']:.0f} ({opened['anon_mb']:.0f}; {opened['file_mb']:.0f})" if opened else "")
        lines.append(f"| {system['name']} ({system['note']}) | " + " | ".join(cells) + " |")
    return lines


def _filtered(data: dict[str, Any]) -> list[str]:
    names = [name for name in FILTERS if name in data["shares"]]
    lines = [
        (
            f"Queries a second at recall@10 {FILTER_TARGET} under a filter that returns; in parentheses under a new "
            "one at each query. `r`: at random, `c`: rows that lie together; 50, 10, 1, 0.1 %. Instead of a figure: "
            "the best recall that any setting reached."
        ),
        "",
        "| system | " + " | ".join(f"{name} ({data['shares'][name] * 100:.2g} %)" for name in names) + " |",
        "|" + "---|" * (1 + len(names)),
    ]
    for system in data["systems"]:
        cells = []
        for name in names:
            new, old = (system["queries"].get(f"{name}/{mode}/{FILTER_TARGET:.2f}") for mode in ("new", "returning"))
            if old and new:
                cells.append(f"{_number(old['qps'])} ({_number(new['qps'])})")
            else:
                recall = system["best_recall"].get(name)
                cells.append(f"- (recall {recall:.2f})" if recall else "-")
        lines.append(f"| {system['name']} | " + " | ".join(cells) + " |")
    return lines


def _edits(data: dict[str, Any]) -> list[str]:
    lines = [
        (
            "| system | inserts/s: one a call (p99 ms); 1,000 a call | deletes/s: one a call; 1,000 a call "
            "| written to found, ms p50; max | deleted ones found |"
        ),
        "|---|---|---|---|---|",
    ]
    for system in data["systems"]:
        edit = system["edit"]
        if not edit:
            continue
        one, batch, visible = edit["insert_one"], edit["insert_batch"], edit["visible_ms"]
        deletes = (
            f"{_number(edit['delete_one']['rows_per_s'])}; {_number(edit['delete_batch']['rows_per_s'])}"
            if "delete_one" in edit
            else "cannot"
        )
        lost = f"; {visible['not_found']} of 50 never" if visible["not_found"] else ""
        lines.append(
            f"| {system['name']} | {_number(one['rows_per_s'])} ({one['p99_ms']:.2g}); {_number(batch['rows_per_s'])} "
            f"| {deletes} | {visible['p50']:.2g}; {visible['max']:.2g}{lost} | {edit.get('deleted_returned', '')} |"
        )
    return lines


def _shared(data: dict[str, Any]) -> list[str]:
    return [
        f"{system['readers']['count']} processes reading one index of {system['name']}: proportional set size "
        f"{system['readers']['all_mb']:.0f} MB together, {system['readers']['one_mb']:.0f} MB for one alone: "
        f"{system['readers']['ratio']:.2f} times.\n"
        for system in data["systems"]
        if system["readers"]
    ]


def _growth(sets: list[dict[str, Any]]) -> list[str]:
    points = growth(sets)
    lines = []
    for name, (rows, costs) in points.items():
        at = ", ".join(f"{count:,.0f}: {cost:,.0f}" for count, cost in zip(rows, costs, strict=True))
        lines.append(f"- {name}: {at}; exponent {exponent(rows, costs):.2f}")
    return (
        ["## Cost against rows", "", "p50 at recall .95, microseconds, synthetic sets:", "", *lines, ""]
        if lines
        else []
    )


def growth(sets: list[dict[str, Any]]) -> dict[str, tuple[list[float], list[float]]]:
    """By system: rows of the synthetic sets, and p50 at recall .95 in microseconds; where there are two or more."""
    points: dict[str, tuple[list[float], list[float]]] = {}
    for data in sorted(sets, key=lambda data: data["rows"]):
        for system in data["systems"]:
            best = system["queries"].get("none/returning/0.95")
            if best and data["name"].startswith("synthetic"):
                rows, costs = points.setdefault(system["name"], ([], []))
                rows.append(data["rows"])
                costs.append(best["p50_us"])
    return {name: point for name, point in points.items() if len(point[0]) > 1}


def _claims(report: dict[str, Any]) -> list[str]:
    """Ratios in this run, of Nitari to the peers."""
    lines = ["## Ratios", "", "| what | Nitari | compared with | ratio (by CPU time) |", "|---|---|---|---|"]
    for data in report["sets"]:
        by_name = {system["name"]: system for system in data["systems"]}
        if "nitari" not in by_name:
            continue
        ours = by_name["nitari"]
        peers = [system for system in data["systems"] if system["name"] in PEERS]
        for key, best in ours["queries"].items():
            name, mode, target = key.split("/")
            # Peers at their best: whatever they take a returning filter for.
            rivals = [
                (rival["qps"], rival["qps_cpu"], peer["name"])
                for peer in peers
                if (rival := peer["queries"].get(f"{name}/returning/{target}"))
            ]
            if not rivals:
                continue
            qps, qps_cpu, rival_name = max(rivals)
            asked = "no filter" if name == "none" else f"filter {name}, {mode}"
            lines.append(
                f"| {data['name']}, QPS, {asked}, recall {target} (ours {best['recall']:.3f}) | {_number(best['qps'])} "
                f"| {rival_name} {_number(qps)} | {best['qps'] / qps:.2f} ({best['qps_cpu'] / qps_cpu:.2f}) |"
            )
        lines += _resources(data["name"], ours, peers)
    live = report["live"]
    return lines + (["", *_live(live)] if live else [])


def _resources(name: str, ours: dict[str, Any], peers: list[dict[str, Any]]) -> list[str]:
    lines = []
    for peer in peers:
        if not peer["name"].startswith("faiss-hnsw"):
            continue
        if ours["build"] and peer["build"]:
            mine, other = ours["build"]["cpu_s"], peer["build"]["cpu_s"]
            lines.append(f"| {name}, build, CPU s | {mine:.0f} | {peer['name']} {other:.0f} | 1/{other / mine:.1f} |")
        if ours["open"] and peer["open"]:
            mine, other = (system["open"]["rss_mb"] - system["open"]["imports_mb"] for system in (ours, peer))
            own = ours["open"]["anon_mb"]
            lines.append(
                f"| {name}, MB in use beyond imports (of ours {own:.0f} are its own, the rest mapped) | {mine:.0f} "
                f"| {peer['name']} {other:.0f} | 1/{other / max(mine, 1):.1f} |"
            )
    return lines


def _live(live: dict[str, Any]) -> list[str]:
    head = (
        f"{live['rows']:,} rows at the start; {live['upserts_per_s']} upserts/s and {live['deletes_per_s']} deletes/s "
        f"for {live['seconds']:.0f} s; {live['seals']} seals and {live['merges']} merges inside."
    )
    lines = [
        "## Under edits",
        "",
        head,
        "",
        "| | p50 ms | p99 ms | p99.9 ms | max ms | p99; max since due, ms | recall@10 | queries |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in ("quiet", "edited"):
        one = live[name]
        lines.append(
            f"| {name} | {one['p50_ms']:.2f} | {one['p99_ms']:.2f} | {one['p999_ms']:.2f} | {one['max_ms']:.2f} "
            f"| {one['since_due_p99_ms']:.2f}; {one['since_due_max_ms']:.2f} "
            f"| {one['recall']:.4f} | {one['queries']} |"
        )
    fresh = live["visible_ms"]
    return [
        *lines,
        "",
        (
            f"Written to found: p50 {fresh['p50']:.0f} ms, p99 {fresh['p99']:.0f} ms, max {fresh['max']:.0f} ms, "
            f"{fresh['not_found']} not found; writes reached {live['written_per_s']:.0f}/s."
        ),
    ]


def _number(value: float) -> str:
    """Three digits that count."""
    if value >= 1000:
        return f"{round(value, -math.floor(math.log10(value)) + 2):,.0f}"
    return f"{value:.3g}"
