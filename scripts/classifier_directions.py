"""Which directions of a network's features its classifier tells apart: python scripts/classifier_directions.py PTH OUT.

Training keeps them beside what heads learn, so that a model does not forget what its feeds do not show. They are the
principal components of the classifier's weights, each as long as the classes differ along it, the strongest first.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from nitari.embeddings.head import Head, head_bytes
from nitari.models.pth import read_state_dict

CLASSIFIER = "_fc.weight"
"""Of EfficientNet-Lite in PyTorch: ``[classes, features]``."""
KEPT = 448


def directions(weights: np.ndarray) -> Head:
    """The first ``KEPT`` principal components of ``[classes, features]``, one a column, as a head without a bias."""
    centered = weights.astype(np.float64) - weights.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centered.T @ centered / len(centered))
    lengths = np.sqrt(np.maximum(values[::-1][:KEPT], 0))
    matrix = vectors[:, ::-1][:, :KEPT] * (lengths / lengths[0])
    matrix *= np.sign(matrix[np.abs(matrix).argmax(axis=0), np.arange(KEPT)])  # a component has no sign of its own
    return Head(matrix.astype(np.float32), np.zeros(KEPT, dtype=np.float32))


if __name__ == "__main__":
    source, target = map(Path, sys.argv[1:3])
    target.write_bytes(head_bytes(directions(read_state_dict(source)[CLASSIFIER])))
    print(f"{target}: {target.stat().st_size} bytes")
