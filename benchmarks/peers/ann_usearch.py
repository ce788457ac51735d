"""usearch: HNSW with its own distance kernels. Its Python binding has no filter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index

import ann_protocol as ann


class Usearch(ann.System):
    """Its default graph (16 links a row, ``expansion_add`` 128) over half-precision rows."""

    filters = "none: fetched more, filtered after"

    def build(self, data: ann.DataSet, state: Path) -> None:
        """Insert all rows, write one file."""
        index = Index(ndim=data.dim, metric="ip", dtype="f16")
        for keys, rows in data.blocks():
            index.add(keys, rows, threads=1)
        index.save(str(state / "index.usearch"))

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Read the file into memory: a mapped one takes no edits."""
        self._index: Any = Index(ndim=data.dim, metric="ip", dtype="f16")
        self._index.load(str(state / "index.usearch"))
        self._data = data

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """By ``expansion_search``; with a filter also by how many rows are fetched."""
        if filter_name is None:
            return [[{"ef": ef, "fetch": ann.K} for ef in ann.steps(10, 1000)]]
        fewest = ann.K / max(data.shares[filter_name], 1e-6)
        most = min(fewest * 8, data.count / 4, 20_000)
        return [[{"ef": fetch, "fetch": fetch} for fetch in ann.steps(fewest, most, 1.3)]] if fewest < most else []

    def searcher(self, setting: ann.Setting, k: int, wanted: Sequence[str]) -> ann.Ask:
        """What was fetched and passes."""
        index = self._index
        index.expansion_search = setting["ef"]

        def search(vector: ann.Array, count: int) -> NDArray[Any]:
            return index.search(vector, count, threads=1).keys.astype(np.int64)  # type: ignore[no-any-return]  # untyped

        if not wanted:
            return lambda vector: search(vector, k)
        mask = self._data.column(wanted[0])
        for tag in wanted[1:]:
            mask = mask & self._data.column(tag)
        return ann.filtered_after(search, mask, k, setting["fetch"])

    def insert(self, keys: NDArray[Any], vectors: ann.Array) -> None:
        """As at build."""
        self._index.add(keys, vectors, threads=1)

    def delete(self, keys: NDArray[Any]) -> None:
        """One call for all."""
        self._index.remove(keys, threads=1)


if __name__ == "__main__":
    ann.serve(Usearch())
