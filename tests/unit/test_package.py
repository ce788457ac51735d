"""The package as a whole: its public names, its weight, and which part may import which."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

import nitari

ROOT = Path(nitari.__file__).parent
HEAVY = ("onnxruntime", "onnx", "faiss", "ngtpy", "sqlalchemy", "fastapi", "PIL", "httpx", "pydantic", "rich")
CPU_BUDGET_S = 0.2

LEAVES = {
    "nitari",
    "nitari.types",
    "nitari.errors",
    "nitari.keymap",
    "nitari.changes",
    "nitari.disk",
    "nitari.documents",
    "nitari.folds",
}
STAGES = ("catalog", "images", "regions", "embeddings", "index")
BASES = {f"nitari.{stage}.base" for stage in STAGES}

# What each part may import of nitari beside itself and LEAVES. A name stands for a module or a whole folder.
MAY_IMPORT: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "raster": set(),
    "keymap": set(),
    "changes": set(),
    "disk": set(),
    "documents": set(),
    "folds": set(),
    "settings": set(),
    "catalog": set(),
    "images": {"nitari.raster"},
    "index": set(),
    "models": {"nitari.runtimes"},
    "runtimes": set(),
    "regions": {"nitari.models", "nitari.runtimes", "nitari.raster"},
    "embeddings": {"nitari.models", "nitari.runtimes", "nitari.raster"},
    "extract": BASES,
    "search": BASES | {"nitari.extract"},
    "ingest": BASES | {"nitari.extract"},
    "evaluate": BASES | {"nitari.extract", "nitari.search", "nitari.ingest", "nitari.raster"},
    "samples": {"nitari.raster"},
    "training": BASES | {"nitari.extract", "nitari.embeddings", "nitari.models", "nitari.regions", "nitari.raster"},
    "calibrations": BASES | {"nitari.search", "nitari.recipes", "nitari.settings"},
    "query_transforms": {"nitari.embeddings", "nitari.models"},
    "snapshots": BASES,
    "telemetry": set(),
    "server": BASES | {"nitari.search", "nitari.ingest", "nitari.extract", "nitari.raster", "nitari.telemetry"},
    "client": {"nitari.server.schemas", "nitari.server.schemas_search"},
}
# wiring names every adapter, recipes those of extraction, indexes those of the index; the command line sits on top.
FREE = ("wiring", "recipes", "indexes", "cli", "__main__")

# One third-party library, one place (numpy excepted). Where a library has two, the reason stands beside it.
LIBRARY_HOMES: dict[str, set[str]] = {
    "PIL": {"raster.py", "samples/drawn/canvas.py"},  # the drawn sample strokes shapes, which photos never need
    "simplejpeg": {"images/decode.py"},
    "pi_heif": {"images/heic.py"},
    "httpcore": {"images/network.py"},
    "onnxruntime": {"runtimes/onnx.py"},
    "torch": {"training/finder_torch.py", "training/finetune_torch.py"},
    "faiss": {"index/faiss.py"},
    "ngtpy": {"index/ngt_graph.py"},
    "threadpoolctl": {"index/ngt_graph.py"},
    "ir_measures": {"evaluate/measures.py"},
    "python_multipart": {"server/body.py"},
    "uvicorn": {"server/listen.py"},
    "platformdirs": {"settings.py"},
    "prometheus_client": {"telemetry.py"},
    "fsspec": {"snapshots/storage.py"},
    "filelock": {"ingest/jobs.py"},
    "pydantic_settings": {"settings.py"},
}


@dataclass(frozen=True, slots=True)
class Module:
    """What is asked of a module of the package.

    Args:
        path: Relative to the package.
        imports: Every module that it imports, anywhere in it.
        attributes: Every name that follows a dot.
    """

    path: str
    imports: frozenset[str]
    attributes: frozenset[str]


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
        attributes = frozenset(node.attr for node in nodes if isinstance(node, ast.Attribute))
        found.append(Module(path.relative_to(ROOT).as_posix(), frozenset(imports(nodes)), attributes))
    return tuple(found)


def imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Every module that nodes of a tree import."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


def part_of(module: str) -> str:
    """``embeddings`` for ``embeddings/onnx.py``, ``types`` for ``types.py``."""
    return module.split("/")[0].removesuffix(".py")


def test_public_names_are_there() -> None:
    """Every name in ``__all__`` can be had, and no other public name is promised."""
    for name in nitari.__all__:
        assert getattr(nitari, name) is not None
    assert set(nitari._HOME) | {"__version__"} == set(nitari.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = nitari.nonsense


def test_import_is_light() -> None:
    """``import nitari`` loads no heavy library and costs little CPU, measured against a bare interpreter's start."""
    code = "import sys, time; import nitari; print(time.process_time()); print(*sys.modules, sep=' ')"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    cpu, loaded = output.splitlines()
    assert not set(HEAVY) & set(loaded.split())
    assert float(cpu) < CPU_BUDGET_S


def test_every_part_is_under_a_rule() -> None:
    """A new folder or module needs a line in MAY_IMPORT."""
    parts = {part_of(module.path) for module in modules()} - {"__init__"}
    assert parts == set(MAY_IMPORT) | set(FREE)


@pytest.mark.parametrize("part", sorted(MAY_IMPORT))
def test_import_rules(part: str) -> None:
    """Each part imports only what it may see."""
    allowed = MAY_IMPORT[part] | LEAVES - {"nitari"} | {f"nitari.{part}"}
    for module in modules():
        if part_of(module.path) != part:
            continue
        for name in module.imports:
            if name.split(".")[0] == "nitari" and name != "nitari":
                assert any(name == ok or name.startswith(f"{ok}.") for ok in allowed), f"{module.path} imports {name}"


@pytest.mark.parametrize("library", sorted(LIBRARY_HOMES))
def test_one_library_one_file(library: str) -> None:
    """A third-party library is known to one file, so that it can be exchanged."""
    homes = {module.path for module in modules() if library in {name.split(".")[0] for name in module.imports}}
    assert homes <= LIBRARY_HOMES[library], f"{library} is imported in {sorted(homes)}"


def test_only_settings_reads_the_environment() -> None:
    """``os.environ`` and ``os.getenv`` stand in settings.py alone."""
    for module in modules():
        if module.path != "settings.py":
            assert not module.attributes & {"environ", "getenv"}, f"{module.path} reads the environment"
