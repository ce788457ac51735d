"""hnswlib: the reference implementation of HNSW. Filters are a Python function, called for each row on the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hnswlib
import numpy as np
from numpy.typing import NDArray

import ann_protocol as ann


class Hnswlib(ann.System):
    """``M`` 16 and ``ef_construction`` 200, its documentation's values."""

    filters = "Python function a row"

    def build(self, data: ann.DataSet, state: Path) -> None:
        """Insert all rows, write one file."""
        index = hnswlib.Index(space="ip", dim=data.dim)
        index.init_index(max_elements=data.count, M=16, ef_construction=200, random_seed=1)
        for keys, rows in data.blocks():
            index.add_items(rows, keys, num_threads=1)
        index.save_index(str(state / "index.hnsw"))

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Read the file, with room for what will be inserted."""
        self._index: Any = hnswlib.Index(space="ip", dim=data.dim)
        self._index.load_index(str(state / "index.hnsw"), max_elements=data.count + len(data.extra))
        self._index.set_num_threads(1)
        self._data = data

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """By ``ef``."""
        return [[{"ef": ef} for ef in ann.steps(10, 2000 if filter_name else 1000)]]

    def searcher(self, setting: ann.Setting, k: int, wanted: Sequence[str]) -> ann.Ask:
        """The function looks into a set of the rows that pass."""
        self._index.set_ef(setting["ef"])
        index, passes = self._index, None
        if wanted:
            mask = self._data.column(wanted[0])
            for tag in wanted[1:]:
                mask = mask & self._data.column(tag)
            passes = bytes(mask).__getitem__

        def ask(vector: ann.Array) -> NDArray[Any]:
            try:
                found: NDArray[Any] = index.knn_query(vector, k, num_threads=1, filter=passes)[0][0]
            except RuntimeError:  # it gives k rows or none
                return np.empty(0, np.int64)
            return found

        return ask

    def insert(self, keys: NDArray[Any], vectors: ann.Array) -> None:
        """As at build."""
        self._index.add_items(vectors, keys, num_threads=1)

    def delete(self, keys: NDArray[Any]) -> None:
        """Rows are marked, never taken out."""
        for key in keys.tolist():
            self._index.mark_deleted(key)


if __name__ == "__main__":
    ann.serve(Hnswlib())
