"""qdrant-edge: Qdrant's engine in the process. HNSW over int8 codes, rescored; filters by payload, evaluated inside."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as q
from numpy.typing import NDArray

import ann_protocol as ann

VECTOR = ""


class QdrantEdge(ann.System):
    """``m`` 16, ``ef_construct`` 100 (its defaults), int8 codes kept in memory, one keyword field with all tags."""

    filters = "inside"

    def build(self, data: ann.DataSet, state: Path) -> None:
        """Insert all points, index the tags, optimize into one segment."""
        shard = q.EdgeShard.create(str(state), _config(data.dim))
        shard.update(q.UpdateOperation.create_field_index("tags", q.PayloadSchemaType.Keyword))
        for keys, rows in data.blocks(2000):
            shard.update(q.UpdateOperation.upsert_points(_points(keys, rows, data.tags_of(keys))))
        shard.optimize()
        shard.flush()
        shard.close()

    def open(self, data: ann.DataSet, state: Path) -> None:
        """Load the folder."""
        self._shard: Any = q.EdgeShard.load(str(state))

    def ladders(self, data: ann.DataSet, filter_name: str | None) -> list[list[ann.Setting]]:
        """By ``hnsw_ef``, at two numbers of rescored candidates."""
        return [[{"ef": ef, "oversampling": oversampling} for ef in ann.steps(10, 1000)] for oversampling in (1.0, 2.0)]

    def searcher(self, setting: ann.Setting, k: int, wanted: Sequence[str]) -> ann.Ask:
        """The filter is a condition for each tag."""
        shard = self._shard
        parameters = q.SearchParams(
            hnsw_ef=setting["ef"],
            quantization=q.QuantizationSearchParams(rescore=True, oversampling=setting["oversampling"]),
        )
        conditions = [q.FieldCondition(key="tags", match=q.MatchValue(tag)) for tag in wanted]
        condition = q.Filter(must=conditions) if conditions else None

        def ask(vector: ann.Array) -> NDArray[Any]:
            request = q.SearchRequest(
                query=q.Query.Nearest(vector.tolist()), limit=k, filter=condition, params=parameters
            )
            return np.asarray([point.id for point in shard.search(request)], np.int64)

        return ask

    def insert(self, keys: NDArray[Any], vectors: ann.Array) -> None:
        """One operation for all."""
        points = _points(keys, vectors, [[] for _ in range(keys.size)])
        self._shard.update(q.UpdateOperation.upsert_points(points))

    def delete(self, keys: NDArray[Any]) -> None:
        """One operation for all."""
        self._shard.update(q.UpdateOperation.delete_points(keys.tolist()))

    def close(self) -> None:
        """Release the folder."""
        if hasattr(self, "_shard"):
            self._shard.close()


def _config(dim: int) -> Any:
    return q.EdgeConfig(
        vectors=q.EdgeVectorParams(size=dim, distance=q.Distance.Dot),
        hnsw_config=q.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10_000, max_indexing_threads=1),
        quantization_config=q.ScalarQuantizationConfig(type=q.ScalarType.Int8, quantile=0.99, always_ram=True),
        optimizers=q.EdgeOptimizersConfig(default_segment_number=1),
    )


def _points(keys: NDArray[Any], rows: ann.Array, tags: list[list[str]]) -> list[Any]:
    return [
        q.Point(key, row, {"tags": names} if names else {})
        for key, row, names in zip(keys.tolist(), rows.tolist(), tags, strict=True)
    ]


if __name__ == "__main__":
    ann.serve(QdrantEdge())
