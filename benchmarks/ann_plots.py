"""Draws what ``ann.py`` measured. Run in an environment of its own, which has matplotlib.

    python benchmarks/ann_plots.py JSON FOLDER
    python benchmarks/ann_plots.py benchmarks/ann_rows.json docs/images rows

One picture a data set for speed against recall, one for filters, one for cost against rows, one for queries under
edits; with ``rows`` only that of cost against rows. Nitari is drawn heavier than the others. ``ann_rows.json`` has the
figures of docs/nearest-neighbors.md for it, which were measured one after the other.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import FuncFormatter, NullFormatter

_PLAIN = FuncFormatter(lambda value, _: f"{value:,.10g}")
COLORS = {
    "nitari": "#c2185b",
    "nitari-ivf": "#f06292",
    "nitari-faiss": "#ad8a00",
    "nitari-exact": "#8d6e63",
    "faiss-hnsw": "#1565c0",
    "faiss-hnsw-40": "#64b5f6",
    "faiss-ivf": "#00897b",
    "qdrant-edge": "#e65100",
    "hnswlib": "#6a1b9a",
    "usearch": "#558b2f",
    "ngt": "#37474f",
    "lancedb-pq": "#9e9e9e",
    "lancedb-hnsw": "#bdbdbd",
}
LEAST = 0.8
"""Recall below which nothing is drawn."""
SELECTIVITIES = ("50", "10", "1", "01")


def main() -> None:
    """Draw all that there is."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    folder = Path(sys.argv[2])
    plt.rcParams.update({"font.size": 11, "axes.grid": True, "grid.alpha": 0.3, "figure.dpi": 110})
    machine = report["machine"]
    note = f"{machine['cpu']}, {machine['cores']} cores, one thread; Python {machine['python']}"
    if sys.argv[3:] == ["rows"]:
        _growth(report["sets"], folder / "ann-rows.png", note)
        return
    for data in report["sets"]:
        _recall(data, folder / f"ann-{data['name']}.png", note)
        if data["shares"]:
            _filters(data, folder / f"ann-{data['name']}-filters.png", note)
    _growth(report["sets"], folder / "ann-rows.png", note)
    if report.get("live"):
        _live(report["live"], folder / "ann-live.png", note)


def _recall(data: dict[str, Any], path: Path, note: str) -> None:
    """Queries a second against recall: the best settings of each system."""
    figure, axes = plt.subplots(figsize=(9, 6))
    for system in data["systems"]:
        points = _front([(one["recall"], one["qps_cpu"]) for one in system["curve"] if one["recall"] >= LEAST])
        timed = [best for key, best in system["queries"].items() if key.startswith("none/returning/")]
        if not points and not timed:
            continue
        style = _style(system)
        if points:
            axes.plot(*zip(*points, strict=True), **style)
        if timed:
            style["label"] = "" if points else style["label"]
            axes.plot([one["recall"] for one in timed], [one["qps"] for one in timed], **{**style, "ls": "", "ms": 8})
    axes.set_xscale("function", functions=(_stretch, lambda at: 1 - 10 ** (-at) + 1e-4))
    axes.set_yscale("log")
    axes.set_xlim(LEAST, 1.0)
    axes.set_xticks([0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0])
    axes.set_xticklabels([".8", ".9", ".95", ".98", ".99", ".995", ".999", "1"])
    axes.set_xlabel("recall@10")
    axes.set_ylabel("queries a second (lines: of CPU time; large markers: timed, medians)")
    axes.set_title(f"{data['name']}: {data['rows']:,} x {data['dim']}, intrinsic dimension {data['lid']:.0f}")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", fontsize=9)
    _save(figure, path, note)


def _stretch(recall: Any) -> Any:
    """More room for the last percents."""
    return -np.log10(np.maximum(1 + 1e-4 - np.asarray(recall, float), 1e-9))


def _front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Those points that no other one beats in both; by recall."""
    front: list[tuple[float, float]] = []
    for recall, speed in sorted(points, reverse=True):
        if not front or speed > front[-1][1]:
            front.append((recall, speed))
    return front[::-1]


def _filters(data: dict[str, Any], path: Path, note: str) -> None:
    """Queries a second at recall .99 by what the filter lets through: random, correlated, conjunctions."""
    names = {
        "tags at random": [f"r{name}" for name in SELECTIVITIES],
        "rows that lie together": [f"c{name}" for name in SELECTIVITIES],
        "conjunctions": [name for name in data["shares"] if "+" in name],
    }
    figure, all_axes = plt.subplots(1, 3, figsize=(15, 6), sharey=True)
    for axes, (title, filters) in zip(all_axes, names.items(), strict=True):
        for system in data["systems"]:
            modes = (("returning", "-"), ("new", ":")) if system["name"] == "nitari" else (("returning", "-"),)
            for mode, line in modes:
                found = [(at, system["queries"].get(f"{name}/{mode}/0.99")) for at, name in enumerate(filters)]
                points = [(at, best["qps"]) for at, best in found if best]
                if not points:
                    continue
                style = _style(system)
                label = f"{style['label']}, {mode} filter" if len(modes) > 1 else style["label"]
                axes.plot(*zip(*points, strict=True), **{**style, "ls": line, "label": label, "ms": 7})
        axes.set_yscale("log")
        axes.set_xticks(range(len(filters)))
        axes.set_xticklabels([_named(name, data["shares"][name]) for name in filters])
        axes.set_xlim(-0.3, len(filters) - 0.7)
        axes.set_title(title)
    all_axes[0].set_ylabel("queries a second at recall@10 .99")
    handles = {
        label: handle for axes in all_axes for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncol=6, fontsize=9, bbox_to_anchor=(0.5, 0.03))
    figure.suptitle(f"Filters: {data['name']}, {data['rows']:,} x {data['dim']}")
    figure.subplots_adjust(bottom=0.22, left=0.06, right=0.98, wspace=0.05)
    _save(figure, path, note, tight=False)


def _named(name: str, share: float) -> str:
    percent = f"{share * 100:.2g} %"
    return f"{name}\n{percent}" if "+" in name else percent


def _growth(sets: list[dict[str, Any]], path: Path, note: str) -> None:
    """Milliseconds against rows, with the exponent."""
    figure, axes = plt.subplots(figsize=(8, 5.5))
    drawn = False
    systems: dict[str, tuple[dict[str, Any], list[tuple[int, float]]]] = {}
    for data in sorted(sets, key=lambda data: data["rows"]):
        for system in data["systems"]:
            best = system["queries"].get("none/returning/0.95")
            if best and data["name"].startswith("synthetic"):
                systems.setdefault(system["name"], (system, []))[1].append((data["rows"], best["p50_us"] / 1e3))
    for system, points in systems.values():
        if len(points) < 2:
            continue
        rows, costs = np.asarray(points).T
        slopes = np.diff(np.log(costs)) / np.diff(np.log(rows))
        label = f"{system['name']}: rows to the " + ", then ".join(f"{slope:.2f}" for slope in slopes)
        axes.plot(rows, costs, **{**_style(system), "label": label, "ms": 7})
        drawn = True
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("rows (synthetic, 128 numbers each)")
    axes.set_ylabel("median milliseconds a query at recall@10 .95")
    axes.set_title("Cost against rows")
    if drawn:
        axes.legend(fontsize=9)
        _save(figure, path, note)
    plt.close(figure)


def _live(live: dict[str, Any], path: Path, note: str) -> None:
    """Each query's milliseconds over time, quiet and under edits."""
    figure, all_axes = plt.subplots(1, 2, figsize=(13, 5), sharey=True, width_ratios=(1, 3))
    for axes, name in zip(all_axes, ("quiet", "edited"), strict=True):
        one = live[name]
        axes.plot(one["at_s"], one["took_ms"], ".", ms=2, color=COLORS["nitari"], alpha=0.5)
        for key, label, line in (("p50_ms", "p50", "-"), ("p99_ms", "p99", "--"), ("p999_ms", "p99.9", ":")):
            axes.axhline(one[key], color="black", lw=1, ls=line, label=f"{label}: {one[key]:.2f} ms")
        axes.set_yscale("log")
        axes.set_xlabel("seconds")
        axes.legend(loc="upper right", fontsize=9)
    for at in live.get("published_at_s", []):
        all_axes[1].axvline(at, color="#1565c0", lw=0.8, alpha=0.6)
    all_axes[0].set_title("quiet")
    edits = f"{live['upserts_per_s']:.0f} upserts/s, {live['deletes_per_s']:.0f} deletes/s"
    all_axes[1].set_title(f"{edits}; vertical: an edition is published")
    all_axes[0].set_ylabel("milliseconds a query")
    figure.suptitle(f"Queries while the catalog changes: {live['rows']:,} rows")
    _save(figure, path, note)


def _style(system: dict[str, Any]) -> dict[str, Any]:
    ours = system["name"] == "nitari"
    return {
        "color": COLORS.get(system["name"], "black"),
        "lw": 2.6 if ours else 1.4,
        "marker": "o" if system["ours"] else "s",
        "ms": 4,
        "clip_on": False,
        "zorder": 5 if ours else 2,
        "label": system["name"],
    }


def _decades(axes: Any) -> float:
    """How much a logarithmic axis spans."""
    low, high = axes.get_ylim()
    return float(np.log10(high / low))


def _save(figure: Any, path: Path, note: str, *, tight: bool = True) -> None:
    figure.text(0.99, -0.02 if tight else 0.005, note, ha="right", va="bottom", fontsize=7, color="#555555")
    for axes in figure.axes:
        axes.yaxis.set_major_formatter(_PLAIN)
        axes.yaxis.set_minor_formatter(_PLAIN if _decades(axes) < 1.5 else NullFormatter())
    figure.savefig(path, bbox_inches="tight" if tight else None)
    plt.close(figure)


if __name__ == "__main__":
    main()
