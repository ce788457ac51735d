"""NGT's graphs: edits, files, the optimizer, and what is said where NGT itself says nothing."""

from __future__ import annotations

import gc
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from nitari.errors import StateError, UsageError
from nitari.index.ngt_graph import FILES, Graph, optimize
from nitari.types import FloatArray
from support.vectors import manifold_units

ROWS, DIM = 1500, 24


@pytest.fixture(scope="module")
def rows() -> FloatArray:
    """Vectors to connect."""
    return manifold_units(ROWS, DIM)


def found(graph: Graph, rows: FloatArray, queries: FloatArray) -> float:
    """Share of the ten nearest, by comparing all, that a walk finds; ids are row numbers."""
    shares = []
    for query in queries:
        nearest = np.argsort(-(rows @ query), kind="stable")[:10]
        shares.append(np.isin(nearest, graph.search(query, 40)).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize("half", [False, True])
def test_a_walk_finds_the_nearest(rows: FloatArray, half: bool) -> None:
    """Ids are given in order, and come back nearest first."""
    graph = Graph.create(DIM, half=half)
    np.testing.assert_array_equal(graph.insert(rows), np.arange(ROWS))
    assert len(graph) == ROWS
    queries = manifold_units(50, DIM, seed=8)
    assert found(graph, rows, queries) >= 0.97
    ids = graph.search(queries[0], 10)
    assert ids.dtype == np.int64
    assert (np.diff(rows[ids] @ queries[0]) <= 1e-3).all()
    graph.close()


def test_edits_keep_the_graph_whole(rows: FloatArray) -> None:
    """Half is taken out one by one and put back in: nothing removed is found, ids are used again, recall stays."""
    graph = Graph.create(DIM)
    graph.insert(rows)
    out = np.arange(0, ROWS, 2)
    graph.remove(out)
    assert len(graph) == ROWS - out.size
    assert not np.isin(graph.search(rows[0], ROWS), out).any()
    back = graph.insert(rows[out])
    assert set(back.tolist()) == set(out.tolist())
    where = np.arange(ROWS)
    where[back] = out
    by_id = rows[where]
    assert found(graph, by_id, manifold_units(50, DIM, seed=10)) >= 0.97


def test_an_emptied_graph_answers_with_nothing() -> None:
    """No rows are no trouble, before the first and after the last."""
    graph = Graph.create(DIM)
    assert graph.insert(np.empty((0, DIM), np.float32)).size == 0
    row = manifold_units(1, DIM)
    graph.remove(graph.insert(row))
    assert len(graph) == 0
    assert graph.search(row[0], 5).size == 0
    assert graph.insert(row).tolist() == [0]
    assert graph.search(row[0], 5).tolist() == [0]


def test_what_was_saved_is_loaded_and_can_be_edited(rows: FloatArray, tmp_path: Path) -> None:
    """Twice to different folders, loaded, edited, saved again; the first files stay as they were."""
    graph = Graph.create(DIM)
    graph.insert(rows[:500])
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    graph.save(folders[0])
    graph.insert(rows[500:600])
    graph.save(folders[1])
    before = {path.name: path.read_bytes() for path in folders[0].iterdir()}
    assert sorted(before) == sorted(f"ngt-{name}" for name in FILES)
    loaded = Graph.load(folders[0], DIM)
    assert len(loaded) == 500
    loaded.remove(np.arange(100))
    loaded.save(folders[2])
    assert [len(Graph.load(folder, DIM, read_only=True)) for folder in folders] == [500, 600, 400]
    assert before == {path.name: path.read_bytes() for path in folders[0].iterdir()}


def test_the_optimizer_leaves_a_graph_that_finds_as_much(rows: FloatArray, tmp_path: Path) -> None:
    """An ONNG is written beside nothing else, and the ANNG can still be edited."""
    graph = Graph.create(DIM)
    graph.insert(rows)
    optimize(graph, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(f"ngt-{name}" for name in FILES)
    onng = Graph.load(tmp_path, DIM, read_only=True)
    assert found(onng, rows, manifold_units(50, DIM, seed=11)) >= 0.97
    graph.remove(np.arange(10))
    assert len(graph) == ROWS - 10


def test_what_cannot_be_read_is_said(rows: FloatArray, tmp_path: Path) -> None:
    """Missing files, and vectors of another width."""
    with pytest.raises(StateError, match="cannot be read by NGT"):
        Graph.load(tmp_path, DIM)
    graph = Graph.create(DIM)
    graph.insert(rows[:50])
    graph.save(tmp_path)
    with pytest.raises(StateError, match="cannot be read by NGT"):
        Graph.load(tmp_path, DIM + 1)


def test_rows_of_another_width_are_refused() -> None:
    """NGT would read beyond them."""
    with pytest.raises(UsageError, match=r"\[3, 5\], expected \[n, 24\]"):
        Graph.create(DIM).insert(np.zeros((3, 5), np.float32))


def test_a_full_disk_is_noticed(rows: FloatArray, tmp_path: Path) -> None:
    """NGT leaves short files without a word; we do not."""
    code = (
        "import resource, signal, sys, numpy as np\n"
        "from pathlib import Path\n"
        "from nitari.index.ngt_graph import Graph\n"
        "graph = Graph.create(24)\n"
        "graph.insert(np.load(sys.argv[1]))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n    graph.save(Path(sys.argv[2]))\n"
        "except OSError as exc:\n    print('noticed', exc.errno)"
    )
    np.save(tmp_path / "rows.npy", rows)
    (tmp_path / "full").mkdir()
    command = [sys.executable, "-c", code, str(tmp_path / "rows.npy"), str(tmp_path / "full")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("noticed"), done.stderr


def test_nothing_is_left_behind(rows: FloatArray, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The folder that NGT needs for itself goes with the graph, closed or forgotten."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    graph = Graph.create(DIM)
    graph.insert(rows[:10])
    assert len(list(tmp_path.iterdir())) == 1
    graph.close()
    Graph.create(DIM)
    with pytest.raises(StateError):
        Graph.load(tmp_path / "nowhere", DIM)
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_without_ngt_the_extra_is_named() -> None:
    """Importing the adapter without the library says what to install."""
    code = (
        "import sys; sys.modules['ngtpy'] = None\n"
        "from nitari.errors import MissingExtraError\n"
        "for name in ('nitari.index.ngt', 'nitari.index.segments.ngt'):\n"
        "    try:\n        __import__(name)\n"
        "    except MissingExtraError as exc:\n        print(exc.remedy)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["pip install 'nitari[ngt]'"] * 2
