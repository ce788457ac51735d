"""Seeing that a converted network is what its card says, by running it on a picture that needs no file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nitari.errors import ModelError
from nitari.models.card import Card, synthetic_image
from nitari.runtimes.onnx import OnnxModel
from nitari.types import FloatArray

# How much one image's output may depend on what is beside it in the batch: rounding, in other kernels.
_BATCH_TOLERANCE = 1e-3


def check_network(card: Card, path: Path) -> None:
    """Run the converted network at ``path`` and compare its output with the card.

    Raises:
        ModelError: it does not run, or its output has another shape, is not finite, is negative where the card says
            that it cannot be, differs from the card's known values, or depends on the batch.
    """
    spec = card.network_input
    model = OnnxModel(path)
    image = spec.tensor(synthetic_image(spec.size))
    output = model.run(image[None])
    expected = (1, *card.output_shape)
    if output.shape != expected:
        raise _wrong(card, f"gives an output of shape {list(output.shape)}, expected {list(expected)}")
    if not np.isfinite(output).all():
        raise _wrong(card, "gives values that are not finite")
    if card.network_output.nonnegative and output.min() < 0:
        raise _wrong(card, f"gives {output.min()}, the card says that no value is negative")
    _compare(card, output.ravel())
    pair = model.run(np.stack([image[:, ::-1], image]))
    if pair.shape[0] != len(pair) or not np.allclose(pair[1], output[0], atol=_BATCH_TOLERANCE, rtol=_BATCH_TOLERANCE):
        raise _wrong(card, "gives another output for the same image when a second one is beside it")


def _compare(card: Card, output: FloatArray) -> None:
    """Compare with the card's known values, if it has some."""
    if card.check is None:
        return
    if max(card.check.indices) >= output.size:
        raise _wrong(card, f"gives {output.size} values, the card's check looks at index {max(card.check.indices)}")
    found = output[list(card.check.indices)]
    worst = int(np.argmax(np.abs(found - card.check.values)))
    if abs(found[worst] - card.check.values[worst]) > card.check.tolerance:
        raise _wrong(
            card,
            f"gives {found[worst]:.5f} at index {card.check.indices[worst]} of its output, "
            f"expected {card.check.values[worst]:.5f} ± {card.check.tolerance}",
        )


def _wrong(card: Card, what: str) -> ModelError:
    return ModelError(
        f"model {card.name}: the converted network {what}",
        remedy="the weights, the card or this machine's ONNX Runtime are not what they should be; "
        "`nitari model show` tells where the weights came from",
    )
