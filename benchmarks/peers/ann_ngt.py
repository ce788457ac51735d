"""NGT (ANNG) by its PyPI wheel, which is built for SSE only; a native build is 2.4 to 4.3 times as quick. No filter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ngtpy
import numpy as np
from numpy.typing import NDArray

import ann_protocol as ann


class Ngt(ann.System):
    """ANNG at the library's defaults: 10 edges at creation, 40 looked at by a search, normalized cosine."""

    filters = "none: fetched more, filtered after"

    def build(self, data: ann.DataSet, state: Path) -> None:
        """Insert all rows, link them, write a folder."""
        path = bytes(state / "index").decode()
        ngtpy.create(path, data.dim, distance_type="Normalized Cosine")
        index = ngtpy.Index(path, zero_based_numbering=True)
        for _, rows in data.blocks():
            index.batch_insert(rows, num_threads=1, build=False)
        index.build_index(num_threads=1)
        index.save()
        index.close()

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Read the folder."""
        self._index: Any = ngtpy.Index(bytes(state / "index").decode(), zero_based_numbering=True)
        self._data = data

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """By epsilon, how much farther than the best the walk may stray; with a filter also by how many are fetched."""
        epsilons = [round(-0.05 + 0.01 * step, 3) for step in range(46)]
        if filter_name is None:
            return [[{"epsilon": epsilon, "fetch": ann.K} for epsilon in epsilons]]
        fewest = ann.K / max(data.shares[filter_name], 1e-6)
        most = min(fewest * 8, data.count / 4, 20_000)
        if fewest >= most:
            return []
        return [[{"epsilon": 0.1, "fetch": fetch} for fetch in ann.steps(fewest, most, 1.3)]]

    def searcher(self, setting: ann.Setting, k: int, wanted: Sequence[str]) -> ann.Ask:
        """What was fetched and passes."""
        index, epsilon = self._index, setting["epsilon"]

        def search(vector: ann.Array, count: int) -> NDArray[Any]:
            found: NDArray[Any] = np.asarray([key for key, _ in index.search(vector, count, epsilon=epsilon)], np.int64)
            return found

        if not wanted:
            return lambda vector: search(vector, k)
        mask = self._data.column(wanted[0])
        for tag in wanted[1:]:
            mask = mask & self._data.column(tag)
        return ann.filtered_after(search, mask, k, setting["fetch"])

    def insert(self, keys: NDArray[Any], vectors: ann.Array) -> None:
        """Keys go on where rows end: NGT numbers rows itself. What is not linked into the graph is not found."""
        for vector in vectors:
            self._index.insert(vector)
        self._index.build_index(num_threads=1)

    def delete(self, keys: NDArray[Any]) -> None:
        """Takes rows out and mends the graph."""
        for key in keys.tolist():
            self._index.remove(key)


if __name__ == "__main__":
    ann.serve(Ngt())
