"""LanceDB: a table on disk with an IVF_HNSW_SQ or IVF_PQ index; filters are SQL over bitmap-indexed columns, inside."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
from lancedb.index import Bitmap, HnswSq, IvfPq
from numpy.typing import NDArray

import ann_protocol as ann


class LanceDb(ann.System):
    """A table of key, vector and a Boolean column a tag.

    Args:
        index_type: ``IVF_PQ`` or ``IVF_HNSW_SQ``.
    """

    filters = "inside"

    def __init__(self, index_type: str) -> None:
        self._index_type = index_type

    def build(self, data: ann.DataSet, state: Path) -> None:
        """Write the table, index the vectors and each tag."""
        self._data = data
        database = lancedb.connect(str(state))
        table = database.create_table("rows", (self._batch(*block) for block in data.blocks()), schema=self._schema())
        if self._index_type == "IVF_PQ":
            partitions, parts = max(1, round(np.sqrt(data.count))), data.dim // 4
            config: Any = IvfPq(distance_type="dot", num_partitions=partitions, num_sub_vectors=parts)
        else:
            partitions = max(1, data.count // 1_000_000)
            config = HnswSq(distance_type="dot", num_partitions=partitions, m=16, ef_construction=150)
        table.create_index("vector", config=config)
        for tag in data.tags:
            table.create_index(tag, config=Bitmap())
        table.wait_for_index([index.name for index in table.list_indices()], timeout=timedelta(minutes=60))

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Open the table."""
        self._data = data
        self._table: Any = lancedb.connect(str(state)).open_table("rows")

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """By probed partitions or ``ef``, at several numbers of refined candidates."""
        if self._index_type == "IVF_PQ":
            most = max(2, round(np.sqrt(data.count)) // 2)
            return [[{"nprobes": probes, "refine": refine} for probes in ann.steps(1, most, 1.3)] for refine in (5, 20)]
        return [[{"ef": ef, "refine": refine} for ef in ann.steps(2 * ann.K * refine, 1000, 1.3)] for refine in (1, 3)]

    def searcher(self, setting: ann.Setting, k: int, wanted: Sequence[str]) -> ann.Ask:
        """The filter is one SQL condition, applied before the search."""
        table = self._table
        condition = " AND ".join(f"{tag} = true" for tag in wanted)

        def ask(vector: ann.Array) -> NDArray[Any]:
            query = (
                table.search(vector)
                .distance_type("dot")
                .limit(k)
                .select(["key", "_distance"])
                .refine_factor(setting["refine"])
            )
            query = query.nprobes(setting["nprobes"]) if "nprobes" in setting else query.ef(setting["ef"])
            if condition:
                query = query.where(condition, prefilter=True)
            return query.to_arrow()["key"].to_numpy()  # type: ignore[no-any-return]  # untyped

        return ask

    def insert(self, keys: NDArray[Any], vectors: ann.Array) -> None:
        """Appended rows are searched exactly until the index is optimized."""
        self._table.add(pa.Table.from_batches([self._batch(keys, vectors)]))

    def delete(self, keys: NDArray[Any]) -> None:
        """By an SQL condition."""
        self._table.delete(f"key IN ({','.join(map(str, keys.tolist()))})")

    def _schema(self) -> Any:
        tags = [pa.field(tag, pa.bool_()) for tag in self._data.tags]
        return pa.schema([("key", pa.int64()), ("vector", pa.list_(pa.float32(), self._data.dim)), *tags])

    def _batch(self, keys: NDArray[Any], rows: ann.Array) -> Any:
        vectors = pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(rows).reshape(-1)), self._data.dim)
        has = np.zeros((keys.size, len(self._data.tags)), bool)
        if self._data.tags:
            known = keys < self._data.count
            has[known] = self._data.tag_matrix[keys[known]]
        columns = [pa.array(has[:, number]) for number in range(has.shape[1])]
        return pa.record_batch([pa.array(keys), vectors, *columns], schema=self._schema())


if __name__ == "__main__":
    option = sys.argv.pop() if len(sys.argv) > 1 and sys.argv[-1].startswith("IVF") else "IVF_PQ"
    ann.serve(LanceDb(option))
