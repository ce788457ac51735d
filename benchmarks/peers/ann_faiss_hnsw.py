"""Faiss, ``HNSW16,Flat``: the graph index that most people begin with. No deletes; filters are bitmaps."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

import ann_protocol as ann


class FaissHnsw(ann.System):
    """A graph of 16 links a row (32 at the bottom).

    Args:
        construction: ``efConstruction``: Faiss's default is 40; what others call theirs is 100 to 200.
    """

    filters = "bitmap given"
    deletes = False

    def __init__(self, construction: int = 200) -> None:
        self._construction = construction

    def build(self, data: ann.DataSet, state: Path) -> None:
        """Insert all rows, write one file."""
        faiss.omp_set_num_threads(1)
        index = faiss.IndexHNSWFlat(data.dim, 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self._construction
        for _, rows in data.blocks():
            index.add(rows)
        faiss.write_index(index, str(state / "index.faiss"))

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Read the file."""
        faiss.omp_set_num_threads(1)
        self._index: Any = faiss.read_index(str(state / "index.faiss"))
        self._data = data

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """By ``efSearch``."""
        return [[{"ef": ef} for ef in ann.steps(10, 2000 if filter_name else 1000)]]

    def searcher(self, setting: ann.Setting, k: int, wanted: Sequence[str]) -> ann.Ask:
        """The bitmap is made here, of columns in memory."""
        index = self._index
        parameters = faiss.SearchParametersHNSW(efSearch=setting["ef"])
        if wanted:
            parameters.sel = faiss.IDSelectorBitmap(self.bits(wanted))

        def ask(vector: ann.Array) -> NDArray[Any]:
            return index.search(vector[np.newaxis], k, params=parameters)[1][0]  # type: ignore[no-any-return]  # Faiss is untyped

        return ask

    def bits(self, wanted: Sequence[str]) -> NDArray[np.uint8]:
        """The filter, evaluated: bit by row."""
        if not hasattr(self, "_columns"):
            self._columns = {tag: self._data.column(tag) for tag in self._data.tags}
        mask = self._columns[wanted[0]]
        for tag in wanted[1:]:
            mask = mask & self._columns[tag]
        return np.packbits(mask, bitorder="little")

    def insert(self, keys: NDArray[np.int64], vectors: ann.Array) -> None:
        """Keys go on where rows end."""
        self._index.add(np.ascontiguousarray(vectors))


if __name__ == "__main__":
    ann.serve(FaissHnsw(int(sys.argv.pop())))
