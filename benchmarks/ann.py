"""Nearest neighbors: Nitari's index beside the libraries that people use today, on the same vectors and filters.

    python benchmarks/ann.py [--data a,b] [--peers a,b|none] [--only a,b|none] [--phases a,b] [--again query|PHASE]
        [--work DIR] [--json FILE] [--markdown FILE] [--plots DIR] [--catalogs DIR] [--live] [--smoke]

Each system runs in a process of its own (peers: in environments of their own under DIR, made by the first run), pinned
to one core, in one thread, one query a call. Indexes and figures are kept under DIR: a further run does only what is
missing, and ``--again query`` times queries anew over the same indexes, for a quiet machine. Timed queries take turns
between the systems, so that a busy machine is busy for all. ``docs/benchmarks.md`` has results and what they say.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ann_data
import ann_measure
import ann_report
import harness
from ann_protocol import DataSet
from ann_systems import OURS, PEERS, Spec
from environments import environment, python_of
from nitari.index.segments.policy import Policy

HERE = Path(__file__).resolve().parent
MOST_FOR_PEERS = 1_000_000
EXACT_TO = 200_000
"""Exact search is measured up to so many rows: beyond, it is known to be hopeless."""
AGAIN = {"query": ("rounds", "open"), **{phase: (phase,) for phase in ann_measure.PHASES}, "build": ("build",)}
USUAL = [name for name in OURS if name != "nitari-ngt"]  # it needs an extra
PLOTS = ("matplotlib numpy",)


def main() -> int:
    """Measure what is missing, write tables and plots."""
    given = _arguments()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    sources = ann_data.Sources(given.fashion, given.catalogs)
    bench = ann_measure.Bench(work, given.core, given.rounds, 0.1 if given.smoke else 1.0)
    specs = [*(OURS[name] for name in given.only), *(PEERS[name] for name in given.peers)]
    sets = []
    for name in given.data:
        ann_measure.say(f"{name}: data")
        data = ann_data.prepare(name, work / "data", sources)
        ann_measure.say(f"{name}: {data.count} x {data.dim}, local intrinsic dimension {data.lid:.1f}")
        sets.append((data, _fitting(specs, data)))
        _measure(bench, *sets[-1], given.phases, given.again)
    live = _live(work, given)
    report = ann_report.collect(bench, sets, machine=harness.machine("numpy"), live=live)
    report = json.loads(json.dumps(report).replace(json.dumps(str(work))[1:-1], "DIR"))
    text = ann_report.markdown(report)
    print(text)
    if given.markdown:
        given.markdown.write_text(text + "\n", encoding="utf-8")
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if given.plots:
        _plots(report, work, given.plots)
    return 1 if bench.failures else 0


def _measure(
    bench: ann_measure.Bench, data: DataSet, specs: list[Spec], phases: list[str], again: tuple[str, ...]
) -> None:
    """All phases of one data set; those that are wanted again are forgotten first."""
    for spec in specs:
        for phase in again:
            bench.result(spec, data, phase).unlink(missing_ok=True)
    ready = ann_measure.build(bench, data, specs) if "build" in phases else specs
    ready = [spec for spec in ready if bench.kept(spec, data, "build") is not None]
    for phase, call in ann_measure.PHASES.items():
        if phase in phases:
            call(bench, data, ready)


def _fitting(specs: list[Spec], data: DataSet) -> list[Spec]:
    """Systems that a data set of this size is for."""
    return [
        spec
        for spec in specs
        if (spec.ours or data.count <= MOST_FOR_PEERS)
        and (spec.name != "nitari-exact" or data.count <= EXACT_TO)
        and (spec.name != "nitari-faiss" or data.count <= MOST_FOR_PEERS)
        and (spec.name != "nitari-ivf" or data.count >= Policy().rows_for_engine(data.dim))
    ]


def _live(work: Path, given: argparse.Namespace) -> dict[str, Any] | None:
    """The scenario of a server under edits: measured where asked for, else what was measured before."""
    path = work / "results" / "live.json"
    if given.live:
        command = [sys.executable, str(HERE / "ann_live.py"), "--work", str(work), "--json", str(path)]
        command += ["--rows", str(given.live_rows), "--seconds", str(given.live_seconds)]
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _plots(report: dict[str, Any], work: Path, folder: Path) -> None:
    """Draw in an environment of its own: matplotlib is no business of Nitari's."""
    where = work / "venvs" / "plots"
    if failed := environment(where, PLOTS):
        raise SystemExit(f"plots: {failed}")
    folder.mkdir(parents=True, exist_ok=True)
    source = work / "report.json"
    source.write_text(json.dumps(report), encoding="utf-8")
    subprocess.run([str(python_of(where)), str(HERE / "ann_plots.py"), str(source), str(folder)], check=True)


def _names(known: dict[str, Any]) -> Callable[[str], list[str]]:
    def read(text: str) -> list[str]:
        names = [] if text == "none" else text.split(",")
        if unknown := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(f"unknown name {unknown[0]!r}; there are {', '.join(known)}, or none")
        return names

    return read


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--data",
        type=_names(ann_data.RECIPES),
        default=["fashion-mnist", "synthetic-100k", "synthetic-1m"],
        help=f"some of {','.join(ann_data.RECIPES)}",
    )
    parser.add_argument("--peers", type=_names(PEERS), default=list(PEERS), help=f"none, or of {','.join(PEERS)}")
    parser.add_argument("--only", type=_names(OURS), default=USUAL, help=f"of Nitari: none, or {','.join(OURS)}")
    phases = ["build", *ann_measure.PHASES]
    parser.add_argument(
        "--phases", type=_names(dict.fromkeys(phases)), default=phases, help=f"some of {','.join(phases)}"
    )
    parser.add_argument("--again", choices=list(AGAIN), help="forget these figures and measure anew")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of timed queries")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "nitari-ann", help="cache folder")
    parser.add_argument("--fashion", type=Path, default=ann_data.DEBIAN_FOLDER, help="folder of Fashion-MNIST")
    parser.add_argument("--catalogs", type=Path, help="folder of catalogs' photos, for real-200k")
    parser.add_argument("--core", type=int, default=_last_core(), help="core that systems are pinned to")
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--markdown", type=Path, help="write the tables to this file")
    parser.add_argument("--plots", type=Path, help="draw plots into this folder")
    parser.add_argument("--live", action="store_true", help="also measure a server's index under edits")
    parser.add_argument("--live-rows", type=int, default=1_000_000, help="rows of that index at the start")
    parser.add_argument("--live-seconds", type=float, default=60, help="how long edits run")
    parser.add_argument("--smoke", action="store_true", help="all systems and phases on 3,000 rows, to try them")
    given = parser.parse_args()
    given.again = AGAIN[given.again] if given.again else ()
    if given.smoke:
        given.data, given.rounds = ["smoke"], 1
    return given


def _last_core() -> int | None:
    return max(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


if __name__ == "__main__":
    sys.exit(main())
