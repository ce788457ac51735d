"""Glue: what people write in one file today: onnxruntime + Pillow + a flat Faiss index, with Nitari's ONNX file."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import onnxruntime
from PIL import Image

import harness

MEAN = np.float32([0.485, 0.456, 0.406])
STD = np.float32([0.229, 0.224, 0.225])


class Glue:
    """A thread a core, each decoding in full and calling the network for one photo."""

    def ingest(self, task: harness.Task) -> int:
        """One file of vectors, one of names."""
        paths = sorted(task.photos.glob("*.jpg"))
        network = _network(task)
        with ThreadPoolExecutor(task.threads) as pool:
            vectors = np.stack(list(pool.map(lambda path: _embed(network, path), paths)))
        index = faiss.IndexFlatIP(vectors.shape[1])
        index.add(vectors)
        task.state.mkdir(parents=True, exist_ok=True)
        faiss.write_index(index, str(task.state / "index.faiss"))
        (task.state / "names.json").write_text(json.dumps([path.name for path in paths]), encoding="utf-8")
        return len(paths)

    def open(self, task: harness.Task) -> harness.Ask:
        """Network, index and names loaded."""
        faiss.omp_set_num_threads(1)
        network = _network(task)
        index = faiss.read_index(str(task.state / "index.faiss"))
        names = json.loads((task.state / "names.json").read_text(encoding="utf-8"))

        def ask(path: Path) -> str:
            _, rows = index.search(_embed(network, path)[None], 20)
            return str(names[rows[0][0]])

        return ask

    def extras(self, task: harness.Task) -> dict[str, Any]:
        """Nothing."""
        return {}


def _network(task: harness.Task) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(task.model), options, providers=["CPUExecutionProvider"])


def _embed(network: Any, path: Path) -> Any:
    with Image.open(path) as image:
        small = image.convert("RGB").resize((224, 224), Image.Resampling.BICUBIC)
    pixels = (np.asarray(small, np.float32) / 255 - MEAN) / STD
    vector = network.run(None, {network.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]})[0][0]
    return vector / np.linalg.norm(vector)


if __name__ == "__main__":
    harness.main(Glue())
