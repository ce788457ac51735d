"""NGT's neighbor graphs as typed calls: the one file that knows its Python module ``ngtpy``.

The module comes with the PyPI wheel ``ngt``, built for any x86-64 or arm64 Linux (SSE only: 2 to 4 times slower than
the machine can), or with a build of NGT's sources on the machine itself; nothing here differs between the two.

What there is: the ANNG (bidirectional, edited in place: Iwasaki, Pruned bi-directed k-nearest neighbor graph for
proximity search, SISAP 2016), and the ONNG that the optimizer derives from it (in- and outdegrees adjusted, edges with
shorter detours dropped: Iwasaki and Miyazaki, arXiv 1810.07355). An ONNG must not be edited: taking an object out of
one leaves edges that lead nowhere.

What there is not, and why:

- The quantized graphs (QG, QBG). ``ngtpy`` opens and searches them (``QuantizedIndex``, ``QuantizedBlobIndex``), but
  has no call to build one: that takes the command ``qbg`` of a native build, which no wheel brings, and the wheel's
  ``QuantizedIndex`` (2.8.0) ends with ``std::bad_alloc`` on what a native build (2.5.0) made. They are worth having:
  in one run of that build over 20,000 x 128, the QG answered in 90 microseconds at recall .997, the ONNG for the same
  distance (L2) in 188 at .995.
- NGT's own search within a radius. It starts from whatever the tree offers and follows nothing beyond
  ``radius * (1 + epsilon)``, so that it is stuck where nothing near is found at once: with epsilon 0.5 it found 0.40
  of the rows within the distance of the nearest one, 0.93 of those within the hundredth's (20,000 rows). Callers ask
  for ever more neighbors until these are farther than the radius instead.
- Memory maps. NGT reads all of a saved graph into memory, vectors included.

Every call holds the GIL. That makes a graph safe to be searched by several threads, and useless to be searched by
more than one.
"""

from __future__ import annotations

import os
import shutil
import weakref
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.errors import MissingExtraError, StateError, UsageError
from nitari.types import FloatArray, KeyArray

try:
    import ngtpy as _ngtpy
except ImportError as exc:
    raise MissingExtraError("the index engine ngt", "ngt") from exc

ngtpy: Any = _ngtpy

VERSION: str = ngtpy.__version__
FILES = ("grp", "obj", "prf", "robj", "tre")
"""What NGT writes: edges, objects, properties, objects to refine with, tree."""
EDGES = 30
OUTGOING, INCOMING = 10, 60
# How much farther than the farthest candidate so far a node may be to be followed. The number of candidates is the
# better dial: both reach a recall with the same number of distances, but what a smaller number of them finds is then
# what a larger number begins with.
EPSILON = 0.05
_DISTANCE = "Normalized Cosine"
_PREFIX = "ngt-"
_ROWS_AT_ONCE = 4096
_ROOM = 2**20


class Graph:
    """Unit vectors by id in an ANNG in memory; an ONNG, where it was loaded from what ``optimize`` wrote.

    One writer at a time, and nobody searching meanwhile. Make it by ``create`` or ``load``.

    Args:
        index: The opened ``ngtpy.Index``.
        home: Folder with the link that NGT saves through; removed with the graph.
        dim: Width of a vector.
    """

    def __init__(self, index: Any, home: Path, dim: int) -> None:
        self._index = index
        self._home = home
        self._forget_home = weakref.finalize(self, shutil.rmtree, home, ignore_errors=True)
        self.dim = dim

    @classmethod
    def create(cls, dim: int, *, edges: int = EDGES, half: bool = False) -> Graph:
        """An empty ANNG.

        Args:
            dim: Width of a vector.
            edges: Neighbors that a new node is connected to.
            half: Whether vectors are kept as fp16: half the memory, and with the wheel 1.7 times the time.

        Raises:
            UsageError: where this build of NGT does not know fp16.
        """
        home = Path(mkdtemp(prefix="nitari-ngt-"))
        new = home / "new"
        kind = "Float16" if half else "Float"
        try:
            ngtpy.create(str(new), dim, edge_size_for_creation=edges, distance_type=_DISTANCE, object_type=kind)
        except RuntimeError as exc:
            shutil.rmtree(home, ignore_errors=True)
            raise UsageError(f"NGT {VERSION} cannot make a graph of {kind} vectors: {exc}") from exc
        return cls._open(new, home, dim, read_only=False)

    @classmethod
    def load(cls, folder: Path, dim: int, *, read_only: bool = False) -> Graph:
        """What ``save`` or ``optimize`` wrote, read into memory; the files are not needed afterwards.

        NGT believes what it reads: damaged files may end the process. Whoever calls has compared checksums.

        Raises:
            StateError: where NGT cannot read it (another version), or it holds vectors of another width.
        """
        home = Path(mkdtemp(prefix="nitari-ngt-"))
        saved = home / "saved"
        saved.mkdir()
        for name in FILES:
            (saved / name).symlink_to((folder / f"{_PREFIX}{name}").resolve())
        try:
            graph = cls._open(saved, home, dim, read_only=read_only)
            graph.search(np.ones(dim, np.float32), 1)  # says so where the width is another one
        except RuntimeError as exc:
            shutil.rmtree(home, ignore_errors=True)
            raise StateError(
                f"the graph in {folder} cannot be read by NGT {VERSION}: {exc}",
                remedy="nothing is lost: delete the folder and it is rebuilt from the catalog",
                code="index-damaged",
            ) from exc
        return graph

    @classmethod
    def _open(cls, where: Path, home: Path, dim: int, *, read_only: bool) -> Graph:
        """Open through a link: NGT can save to no other path than that it was opened by."""
        link = home / "at"
        link.symlink_to(where)
        return cls(ngtpy.Index(str(link), read_only=read_only, log_disabled=True), home, dim)

    def __len__(self) -> int:
        return int(self._index.get_num_of_objects())

    def insert(self, rows: NDArray[np.floating[Any]], *, threads: int = 1) -> KeyArray:
        """Add unit rows (``[n, dim]``) and connect them. Returns their ids: int64 ``[n]``.

        Ids of removed objects are given again. One by one this takes about a millisecond each, many at a time a
        quarter of that. With one thread or several, the same rows in the same order give the same graph.
        """
        if rows.ndim != 2 or rows.shape[1] != self.dim:
            raise UsageError(f"rows are {list(rows.shape)}, expected [n, {self.dim}]")
        if not len(rows):
            return np.empty(0, np.int64)
        ids = np.empty(len(rows), np.int64)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            block = rows[start : start + _ROWS_AT_ONCE].astype(np.float64)
            ids[start : start + len(block)] = [self._index.insert(row) for row in block]
        self._index.build_index(num_threads=threads)
        return ids

    def remove(self, ids: KeyArray) -> None:
        """Take objects out and connect their neighbors with each other (``ids`` are there; no repeats)."""
        for number in ids.tolist():
            self._index.remove(number)

    def search(self, vector: FloatArray, size: int, *, epsilon: float = EPSILON) -> KeyArray:
        """About the ``size`` nearest ids, closest first: int64 ``[n]``; fewer where there are no more.

        Args:
            vector: float32 ``[dim]``.
            size: At least 1; also how far the search goes.
            epsilon: See ``EPSILON``; larger finds more.
        """
        found = self._index.search(vector, size, epsilon, with_distance=False)
        return np.asarray(found, np.int64)

    def save(self, folder: Path) -> None:
        """Write ``ngt-*`` files into ``folder``, which holds none.

        Raises:
            OSError: where the disk is full, which NGT itself does not notice.
        """
        part = folder / f"{_PREFIX}part"
        part.mkdir()
        link = self._home / "at"
        link.unlink()
        link.symlink_to(part.resolve())
        self._index.save()
        _flatten(part, folder)

    def close(self) -> None:
        """Let go of memory."""
        self._index.close()
        self._forget_home()


def optimize(
    graph: Graph, folder: Path, *, threads: int = 1, outgoing: int = OUTGOING, incoming: int = INCOMING
) -> None:
    """Derive the ONNG of an ANNG and write it as ``ngt-*`` files into ``folder``, which holds none.

    Search is not tuned by the optimizer (its coefficients, prefetching and accuracy table): that is measured by the
    clock, so that no two runs would give the same files, and recall is calibrated by our own means anyway. The same
    graph mostly gives the same files; now and then edges are dropped in another order, with one thread, too.

    NGT writes three lines to standard error, whatever it is told.

    Args:
        graph: An ANNG; it stays as it is.
        folder: Where.
        threads: How many may be used.
        outgoing: Edges from each node to its nearest that are kept.
        incoming: Edges to each node from its nearest that are kept.

    Raises:
        MissingExtraError: NGT was built by hand, and what limits its threads was not installed.
        OSError: where the disk is full.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as exc:
        raise MissingExtraError("optimizing NGT's graphs", "ngt") from exc
    with TemporaryDirectory(prefix=f"{_PREFIX}anng-", dir=folder) as scratch:
        source, made = Path(scratch) / "anng", Path(scratch) / "onng"
        source.mkdir()
        graph.save(source)
        for name in FILES:
            (source / f"{_PREFIX}{name}").rename(source / name)
        optimizer = ngtpy.Optimizer(num_of_outgoings=outgoing, num_of_incomings=incoming, log_disabled=True)
        optimizer.set_processing_modes(
            shortcut_reduction=True,
            search_parameter_optimization=False,
            prefetch_parameter_optimization=False,
            accuracy_table_generation=False,
        )
        with threadpool_limits(limits=threads, user_api="openmp"):
            optimizer.execute(str(source), str(made))
        _flatten(made, folder)


def _flatten(part: Path, folder: Path) -> None:
    """Move NGT's files from ``part`` up into ``folder`` under names of their own, and see that they are whole.

    NGT does not look whether its writes succeed: a full disk leaves short files, some of which it also reads without
    a word. A disk that has room for another megabyte right afterwards had room for the last one.
    """
    probe = part / "room"
    with probe.open("wb") as file:
        file.write(bytes(_ROOM))
        file.flush()
        os.fsync(file.fileno())
    probe.unlink()
    for name in FILES:
        (part / name).rename(folder / f"{_PREFIX}{name}")
    part.rmdir()
