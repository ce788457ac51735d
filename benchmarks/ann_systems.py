"""The systems that ``ann.py`` measures, and the processes that they run in."""

from __future__ import annotations

import hashlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import nitari
from ann_protocol import FORMAT
from environments import environment, python_of

HERE = Path(__file__).resolve().parent
# One thread each, whatever the library is made of.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"), "1"
)


class FailedError(Exception):
    """A system could not do what it was told to; the reason."""


@dataclass(frozen=True)
class Spec:
    """A system.

    Args:
        name: In tables.
        script: Its file.
        options: Further arguments of it.
        environment: Name of its virtual environment; ``None`` for the one that runs the benchmark.
        requirements: What ``pip install`` puts into that.
        note: What it is.
        ours: Whether it is Nitari.
        revision: Counts up when the script changes so that indexes built before are no longer good.
    """

    name: str
    script: str
    options: tuple[str, ...] = ()
    environment: str | None = None
    requirements: tuple[str, ...] = ()
    note: str = ""
    ours: bool = False
    revision: int = 1

    @property
    def key(self) -> dict[str, Any]:
        """What results of it hold for: with others, they are measured again."""
        return {
            "format": FORMAT,
            "revision": self.revision,
            "versions": [nitari_digest(), version("numpy")] if self.ours else list(self.requirements),
            "options": list(self.options),
        }


LANCEDB = "lancedb==0.40.0 numpy pyarrow"


def _peer(name: str, library: str, script: str, note: str, *requirements: str, options: tuple[str, ...] = ()) -> Spec:
    return Spec(name, f"peers/{script}", options, library, requirements, note)


PEERS = {
    spec.name: spec
    for spec in (
        _peer("faiss-hnsw", "faiss", "ann_faiss_hnsw.py", "HNSW16, efConstruction 200, fp32", "faiss-cpu==1.15.1",
              options=("200",)),
        _peer("faiss-hnsw-40", "faiss", "ann_faiss_hnsw.py", "HNSW16, efConstruction 40, Faiss's default, fp32",
              "faiss-cpu==1.15.1", options=("40",)),
        _peer("faiss-ivf", "faiss", "ann_faiss_ivf.py", "IVF, PQ 4-bit fast scan, fp16 refine", "faiss-cpu==1.15.1"),
        _peer("qdrant-edge", "qdrant-edge", "ann_qdrant_edge.py", "HNSW16, int8, rescored",
              "qdrant-edge-py==0.9.0 numpy"),
        _peer("hnswlib", "hnswlib", "ann_hnswlib.py", "M 16, ef_construction 200, fp32",
              "setuptools wheel pybind11 numpy", "hnswlib==0.8.0"),
        _peer("usearch", "usearch", "ann_usearch.py", "connectivity 16, fp16", "usearch==2.26.6 numpy"),
        _peer("ngt", "ngt", "ann_ngt.py", "ANNG, the PyPI wheel (SSE only)", "ngt==2.8.0.post1 numpy"),
        _peer("lancedb-pq", "lancedb", "ann_lancedb.py", "IVF_PQ", LANCEDB, options=("IVF_PQ",)),
        _peer("lancedb-hnsw", "lancedb", "ann_lancedb.py", "IVF_HNSW_SQ", LANCEDB,
              options=("IVF_HNSW_SQ",)),
    )
}  # fmt: skip
OURS = {
    spec.name: spec
    for spec in (
        Spec("nitari", "ann_nitari.py", ("segments",), note="sealed segments, planner", ours=True),
        Spec("nitari-ivf", "ann_nitari.py", ("ivf",), note="their engine alone, at any effort", ours=True),
        Spec("nitari-ngt", "ann_nitari.py", ("ngt",), note="sealed segments of NGT's graphs", ours=True),
        Spec("nitari-faiss", "ann_nitari.py", ("faiss",), note="the engine `faiss`", ours=True),
        Spec("nitari-exact", "ann_nitari.py", ("exact",), note="the engine `exact`", ours=True),
    )
}


@cache
def nitari_digest() -> str:
    """Version of Nitari and digest of its index's code as this run began: a change of it is measured anew."""
    folder = Path(nitari.__file__).parent / "index"
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.suffix in {".py", ".so", ".pyd", ".c", ".cpp"}:
            digest.update(path.read_bytes())
    return f"{nitari.__version__}+{digest.hexdigest()[:12]}"


class Process:
    """A system in a process of its own, pinned to one core; close it, or use it in a ``with`` statement.

    Args:
        spec: Which.
        work: The cache folder.
        data: The data set's folder.
        state: The folder of its index.
        core: Where to run.

    Raises:
        FailedError: where its environment cannot be made.
    """

    def __init__(self, spec: Spec, *, work: Path, data: Path, state: Path, core: int | None) -> None:
        self.spec = spec
        python = Path(sys.executable)
        if spec.environment is not None:
            folder = work / "venvs" / spec.environment
            if failed := environment(folder, spec.requirements):
                raise FailedError(failed)
            python = python_of(folder)
        path = os.pathsep.join([str(HERE), str(HERE / "peers"), os.environ.get("PYTHONPATH", "")])
        log = state.parent / f"{state.name}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        with pinned(core), log.open("a") as errors:
            self._process = subprocess.Popen(
                [str(python), str(HERE / spec.script), "--data", str(data), "--state", str(state), *spec.options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, **ONE_THREAD, "PYTHONPATH": path, "RUST_LOG": "error"},
                cwd=work,
            )
        self._log = log

    def ask(self, do: str, *, timeout: float = 600, **arguments: Any) -> Any:
        """Carry out a command (a method of ``ann_protocol._Runner``).

        Raises:
            FailedError: what went wrong: an error, the end of the process, no answer within ``timeout`` seconds.
        """
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
            process.stdin.flush()
            line = _line(process.stdout, timeout)
        except (BrokenPipeError, TimeoutError) as exc:
            self.kill()
            raise FailedError(f"{do}: {exc or 'the process ended'}; see {self._log.name}") from exc
        if not line:
            raise FailedError(f"{do}: the process ended with {process.wait()}; see {self._log.name}")
        answer = json.loads(line)
        if "failed" in answer:
            raise FailedError(f"{do}: {answer['failed']}")
        return answer["ok"]

    @property
    def alive(self) -> bool:
        """Whether it still takes commands."""
        return self._process.poll() is None

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Let it end by itself, for a while."""
        try:
            self._process.communicate(timeout=30)
        except (subprocess.TimeoutExpired, ValueError, OSError):
            self.kill()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _line(stream: Any, timeout: float) -> bytes:
    """The next line of a pipe; a process answers one line and waits, so that no more than one is ever there."""
    until = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        if not selector.select(max(0.0, until - time.monotonic())):
            raise TimeoutError(f"no answer after {timeout:.0f} s")
    line: bytes = stream.readline()
    return line


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """What is started inside runs on that core only, where the system can do that."""
    if core is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
