"""FastEmbed + Qdrant's local mode, as Qdrant documents it: with the very ONNX file that Nitari runs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from fastembed import ImageEmbedding
from qdrant_client import QdrantClient, models

import harness

NAME = "photos"
# FastEmbed runs any local ONNX file in the place of a model that it knows.
STANDS_FOR = "Qdrant/resnet50-onnx"
PREPROCESSOR = {
    "image_processor_type": "CLIPImageProcessor",
    "do_resize": True,
    "size": {"height": 224, "width": 224},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}


class FastEmbedQdrant:
    """``ImageEmbedding`` in, ``QdrantClient(path=...)`` out."""

    def ingest(self, task: harness.Task) -> int:
        """Batches of 16, one network call on all threads: FastEmbed's own way."""
        paths = sorted(task.photos.glob("*.jpg"))
        embedder = _embedder(task, threads=task.threads)
        client = QdrantClient(path=str(task.state / "qdrant"))
        vectors = list(embedder.embed([str(path) for path in paths], batch_size=16))
        config = models.VectorParams(size=len(vectors[0]), distance=models.Distance.COSINE)
        client.create_collection(NAME, vectors_config=config)
        client.upload_collection(NAME, vectors=vectors, payload=[{"name": path.name} for path in paths])
        client.close()
        return len(paths)

    def open(self, task: harness.Task) -> harness.Ask:
        """Network and collection loaded."""
        embedder = _embedder(task, threads=1)
        client = QdrantClient(path=str(task.state / "qdrant"))

        def ask(path: Path) -> str:
            (vector,) = embedder.embed([str(path)])
            points = client.query_points(NAME, query=vector.tolist(), limit=20).points
            return str((points[0].payload or {})["name"])

        return ask

    def extras(self, task: harness.Task) -> dict[str, Any]:
        """Nothing."""
        return {}


def _embedder(task: harness.Task, *, threads: int) -> ImageEmbedding:
    folder = task.state / "model"
    if not folder.exists():
        folder.mkdir(parents=True)
        shutil.copy(task.model, folder / "model.onnx")
        (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR), encoding="utf-8")
    return ImageEmbedding(STANDS_FOR, specific_model_path=str(folder), threads=threads, cuda=False)


if __name__ == "__main__":
    harness.main(FastEmbedQdrant())
