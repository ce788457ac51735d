"""Photo to hits and feed to catalog, end to end: Nitari beside what people use today, on the same photos.

    python benchmarks/end_to_end.py [--photos N] [--peers a,b|none] [--work DIR] [--json FILE]

Each system runs in processes of its own (peers: in virtual environments of their own under DIR, made by the first run),
taking turns, so that a busy machine is busy for all. Claims rest on CPU time; wall-clock times are shown beside it.
A peer that cannot run here is reported with its reason. ``docs/benchmarks.md`` has results and what they say.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import harness
import photos
from environments import environment, python_of, reason
from nitari.settings import load_settings
from nitari.wiring import open_store

HERE = Path(__file__).resolve().parent
CARD = "mobilenet-v2"
CORES = 2
PHASE_S = 900
# Without its dependencies, because torchvision would bring the CUDA build of torch.
TORCH = ("torch==2.13.0", "--no-deps torchvision==0.28.0")


HEADER = (
    "| system | photo -> hits, CPU ms p50 (p95) | wall ms p50 | ingest, CPU ms a photo "
    "| photos/s: 2 cores' CPU; wall (best) | cold start, CPU s; wall s | peak MB: query; ingest | source is hit 1 |"
)


@dataclass(frozen=True)
class Peer:
    """A system that people use today.

    Args:
        script: Its file in ``peers``.
        requirements: Arguments of one ``pip install`` each.
        note: What is the same as in Nitari and what is not.
    """

    script: str
    requirements: tuple[str, ...]
    note: str


PEERS = {
    "fastembed-qdrant": Peer("fastembed_qdrant.py", ("fastembed qdrant-client",), "same weights, as ONNX"),
    "deepimagesearch": Peer(
        "deep_image_search.py",
        (*TORCH, "numpy pandas matplotlib pillow pyyaml huggingface_hub safetensors tqdm faiss-cpu",
         "--no-deps timm DeepImageSearch==2.5"),
        "same weights, as timm's mobilenetv2_100",
    ),
    "glue-onnxruntime-faiss": Peer(
        "glue_onnxruntime_faiss.py", ("onnxruntime pillow faiss-cpu numpy",), "glue, not a product; same ONNX"
    ),
    "clip-retrieval": Peer(
        "clip_retrieval.py", ("torch==2.13.0 clip-retrieval setuptools<81",), "another network: CLIP ViT-B/32"
    ),
}  # fmt: skip


@dataclass
class Contestant:
    """One system and what was measured of it."""

    name: str
    python: Path
    script: Path
    option: str = ""
    note: str = ""
    failed: str = ""
    ingest: list[dict[str, Any]] = field(default_factory=list)
    query: list[dict[str, Any]] = field(default_factory=list)


class Stage:
    """Where everything of a run lies: photos, states, environments.

    Args:
        work: The cache folder.
        count: Photos in the gallery.
        queries: Query photos.
    """

    def __init__(self, work: Path, *, count: int, queries: int) -> None:
        self.work = work
        self.photos, self.queries = photos.draw_catalog(work / f"photos-{count}-{queries}", count, queries)
        store = open_store(load_settings())
        card = store.card(CARD)
        (network,) = store.networks(card)
        self._model = network.path
        digest = next(source.sha256 for source in card.weights if source.sha256)
        self._weights = next(iter(load_settings().models.cache.glob(f"weights/{digest}*")), Path("absent"))

    def run(self, contestant: Contestant, phase: str) -> dict[str, Any]:
        """One phase of one system in a fresh process; what it printed last."""
        state = self.work / "state" / contestant.name
        if phase == "ingest":
            shutil.rmtree(state, ignore_errors=True)
        command = [
            str(contestant.python), str(contestant.script), phase, "--photos", str(self.photos),
            "--queries", str(self.queries), "--state", str(state), "--model", str(self._model),
            "--weights", str(self._weights), "--option", contestant.option,
            "--threads", str(CORES if phase == "ingest" else 1),
        ]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(HERE), harness.STARTED_AT: str(time.time())}
        if phase == "query":
            environment |= {"OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            command, env=environment, cwd=self.work, capture_output=True, text=True, timeout=PHASE_S, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{phase}: {reason(done.stderr or done.stdout)}")
        figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return figures


def main() -> int:
    """Measure, print a table, write JSON."""
    given = _arguments()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    stage = Stage(work, count=given.photos, queries=given.queries)
    ours = [one for one in _nitari() if given.only is None or one.name in given.only]
    contestants = [*ours, *(_peer(name, work) for name in given.peers)]
    # Each round every system once: what else the machine does falls on all of them.
    for phase, rounds in (("ingest", given.rounds), ("query", given.rounds)):
        for number in range(rounds):
            for contestant in contestants:
                _measure(stage, contestant, phase)
            print(f"{phase} round {number + 1} of {rounds} done", file=sys.stderr)
    report = {
        "machine": harness.machine("numpy", "onnxruntime", "pillow", "simplejpeg"),
        "photos": given.photos,
        "queries": given.queries,
        "systems": [_summary(contestant) for contestant in contestants],
    }
    report = json.loads(json.dumps(report).replace(json.dumps(str(work))[1:-1], "DIR"))
    print(_markdown(report))
    if given.json:
        given.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return 0


def _measure(stage: Stage, contestant: Contestant, phase: str) -> None:
    """One phase of one system; a failure is what is then known of it."""
    if contestant.failed:
        return
    try:
        getattr(contestant, phase).append(stage.run(contestant, phase))
    except (RuntimeError, subprocess.TimeoutExpired, ValueError, IndexError) as exc:
        contestant.failed = str(exc)


def _nitari() -> list[Contestant]:
    script, python = HERE / "nitari_system.py", Path(sys.executable)
    return [
        Contestant("nitari", python, script, "mobilenet-v2", "mobilenet-v2, whole photo, no descriptor"),
        Contestant("nitari+descriptor", python, script, "mobilenet-v2+descriptor", "the same, color descriptor kept"),
        Contestant("nitari default", python, script, "default", "product found, two views, descriptor"),
        Contestant("nitari fast", python, script, "fast", "product found, one view, descriptor"),
    ]


def _peer(name: str, work: Path) -> Contestant:
    """A peer in its environment, made now if it is not there; a failure to make it is noted, not raised."""
    peer = PEERS[name]
    folder = work / "venvs" / name
    contestant = Contestant(name, python_of(folder), HERE / "peers" / peer.script, note=peer.note)
    contestant.failed = environment(folder, peer.requirements)
    return contestant


def _summary(contestant: Contestant) -> dict[str, Any]:
    """Medians over rounds; queries of all rounds together."""
    summary: dict[str, Any] = {"name": contestant.name, "note": contestant.note, "failed": contestant.failed or None}
    if contestant.ingest:
        count = contestant.ingest[0]["photos"]
        cpu, wall = (_median(contestant.ingest, key) for key in ("cpu_s", "wall_s"))
        summary["ingest"] = {
            "photos": count,
            "cpu_ms_per_photo": cpu / count * 1e3,
            "photos_per_s_of_2_cores_by_cpu": CORES * count / cpu,
            "photos_per_s_wall": count / wall,
            "best_photos_per_s_wall": count / min(figures["wall_s"] for figures in contestant.ingest),
            "peak_mb": max(figures["peak_mb"] for figures in contestant.ingest),
        }
    if contestant.query:
        summary["query"] = {
            **_quantiles("cpu_ms", contestant.query),
            **_quantiles("wall_ms", contestant.query),
            **{key: _median(contestant.query, key) for key in ("cold_cpu_s", "cold_wall_s", "peak_mb", "found")},
        }
        if "item_cpu_ms" in contestant.query[0]:
            summary["item"] = {
                **_quantiles("item_cpu_ms", contestant.query),
                **_quantiles("item_wall_ms", contestant.query),
            }
            stages = contestant.query[0]["stages_cpu_ms"]
            summary["stages_cpu_ms"] = {
                name: statistics.median(figures["stages_cpu_ms"][name] for figures in contestant.query)
                for name in stages
            }
    return summary


def _median(figures: list[dict[str, Any]], key: str) -> float:
    return statistics.median(figure[key] for figure in figures)


def _quantiles(key: str, figures: list[dict[str, Any]]) -> dict[str, float]:
    values = sorted(value for figure in figures for value in figure[key])
    return {f"{key}_p50": statistics.median(values), f"{key}_p95": values[int(len(values) * 0.95)]}


def _markdown(report: dict[str, Any]) -> str:
    """The report as tables."""
    machine = ", ".join(f"{name} {value}" for name, value in report["machine"].items())
    lines = [
        f"{report['photos']} photos, {report['queries']} queries; {machine}",
        "",
        HEADER,
        "|---|---|---|---|---|---|---|---|",
    ]
    lines.extend(map(_row, report["systems"]))
    lines += ["", "| Nitari | by item id, CPU ms p50 (p95); wall p50 | CPU ms by stage, p50 |", "|---|---|---|"]
    for system in report["systems"]:
        if item := system.get("item"):
            stages = ", ".join(f"{name} {value:.2f}" for name, value in system["stages_cpu_ms"].items())
            by_item = f"{item['item_cpu_ms_p50']:.2f} ({item['item_cpu_ms_p95']:.2f}); {item['item_wall_ms_p50']:.2f}"
            lines.append(f"| {system['name']} | {by_item} | {stages} |")
    return "\n".join(lines)


def _row(system: dict[str, Any]) -> str:
    name = f"{system['name']} ({system['note']})"
    if system["failed"] or not system.get("query"):
        return f"| {name} | not measured: {system['failed']} | | | | | | |"
    query, ingest = system["query"], system["ingest"]
    return (
        f"| {name} | {query['cpu_ms_p50']:.1f} ({query['cpu_ms_p95']:.1f}) | {query['wall_ms_p50']:.1f} "
        f"| {ingest['cpu_ms_per_photo']:.1f} | {ingest['photos_per_s_of_2_cores_by_cpu']:.0f}; "
        f"{ingest['photos_per_s_wall']:.0f} ({ingest['best_photos_per_s_wall']:.0f}) "
        f"| {query['cold_cpu_s']:.1f}; {query['cold_wall_s']:.1f} | {query['peak_mb']:.0f}; {ingest['peak_mb']:.0f} "
        f"| {query['found']:.0%} |"
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--photos", type=int, default=600, help="photos in the gallery")
    parser.add_argument("--queries", type=int, default=100, help="query photos, at most --photos")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions")
    parser.add_argument("--peers", type=_peers, default=list(PEERS), help=f"none, or some of {','.join(PEERS)}")
    parser.add_argument(
        "--work", type=Path, default=Path(tempfile.gettempdir()) / "nitari-benchmarks", help="cache folder"
    )
    parser.add_argument("--only", type=lambda text: text.split(","), help="of Nitari, only these rows")
    parser.add_argument("--json", type=Path, help="also write all figures to this file")
    given = parser.parse_args()
    if not 1 <= given.queries <= given.photos:
        parser.error(f"--queries is {given.queries}; expected 1 to --photos ({given.photos})")
    return given


def _peers(text: str) -> list[str]:
    names = [] if text == "none" else text.split(",")
    if unknown := [name for name in names if name not in PEERS]:
        raise argparse.ArgumentTypeError(f"unknown peer {unknown[0]!r}; there are {', '.join(PEERS)}, or none")
    return names


if __name__ == "__main__":
    sys.exit(main())
