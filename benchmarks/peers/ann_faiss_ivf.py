"""Faiss, inverted lists of 4-bit codes scanned with shuffles (``IVF..,PQ..x4fs``), refined by fp16 rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from ann_faiss_hnsw import FaissHnsw
from numpy.typing import NDArray

import ann_protocol as ann


class FaissIvf(FaissHnsw):
    """``IVF4096`` at a million rows (four times the root of their number), a code of 4 bits for two dimensions."""

    deletes = True

    def build(self, data: ann.DataSet, state: Path) -> None:
        """Train on a sample, insert all rows, write one file."""
        faiss.omp_set_num_threads(1)
        lists = min(2 ** round(np.log2(4 * np.sqrt(data.count))), data.count // 40)
        name = f"IVF{lists},PQ{data.dim // 2}x4fs,Refine(SQfp16)"
        index = faiss.index_factory(data.dim, name, faiss.METRIC_INNER_PRODUCT)
        faiss.extract_index_ivf(index.base_index).cp.niter = 10
        sample = np.sort(np.random.default_rng(0).permutation(data.count)[: 40 * lists])
        index.train(np.ascontiguousarray(data.rows[sample], np.float32))
        for _, rows in data.blocks():
            index.add(rows)
        faiss.write_index(index, str(state / "index.faiss"))

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Read the file."""
        super().open(data, state)
        self._lists = faiss.extract_index_ivf(self._index.base_index).nlist

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """By ``nprobe``, at several numbers of refined candidates."""
        most = self._lists if filter_name else self._lists // 2
        return [
            [{"nprobe": probes, "factor": factor} for probes in ann.steps(1, most, 1.2)] for factor in (6, 16, 40, 100)
        ]

    def searcher(self, setting: ann.Setting, k: int, wanted: Sequence[str]) -> ann.Ask:
        """The bitmap is made here, of columns in memory."""
        index = self._index
        inner = faiss.SearchParametersIVF(nprobe=setting["nprobe"])
        if wanted:
            inner.sel = faiss.IDSelectorBitmap(self.bits(wanted))
        parameters = faiss.IndexRefineSearchParameters(k_factor=setting["factor"], base_index_params=inner)

        def ask(vector: ann.Array) -> NDArray[Any]:
            return index.search(vector[np.newaxis], k, params=parameters)[1][0]  # type: ignore[no-any-return]  # Faiss is untyped

        return ask

    def delete(self, keys: NDArray[np.int64]) -> None:
        """Faiss's refining wrapper has no deletes: the codes go, the rows stay."""
        self._index.base_index.remove_ids(keys)


if __name__ == "__main__":
    ann.serve(FaissIvf())
