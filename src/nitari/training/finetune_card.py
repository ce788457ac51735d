"""Writes a fine-tuned network down: the graph with its new weights, a card that proves them, and where it is from."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nitari.models.card import Card, InputSpec
from nitari.training.head_export import quoted, write_whole
from nitari.types import FloatArray

_CHECKED = 12
# Of the values of a card's check: other kernels, and sums of many numbers, differ by less.
_TOLERANCE = 1e-2


@dataclass(frozen=True, slots=True)
class Parent:
    """The network that training began with.

    Args:
        card: What it expects and gives.
        path: It itself, as the model store converted it.
        weights_sha256: Of the weights that it was converted from.
    """

    card: Card
    path: Path
    weights_sha256: str


@dataclass(frozen=True, slots=True)
class NetworkNaming:
    """What a fine-tuned network's card says of itself.

    Args:
        name: The card's; its files begin with it.
        license: SPDX expression.
        with_directions: Whether the parent's file of directions goes with it: what its classifier told apart is told
            apart by the fine-tuned features still, as far as they were held to what they were.
    """

    name: str
    license: str
    with_directions: bool


def write_network(
    folder: Path, data: bytes, output: FloatArray, parent: Parent, naming: NetworkNaming, told: Mapping[str, Any]
) -> Path:
    """Write network, provenance and, last, the card. What is there already is replaced, each file at once.

    Args:
        folder: Made if it is not there.
        data: The ONNX file.
        output: float32 ``[dim]``: what PyTorch gives for ``synthetic_image`` with the weights as they are stored.
        parent: What training began with.
        naming: What the card says of itself.
        told: Plain values for the provenance.

    Returns:
        The card's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = hashlib.sha256(data).hexdigest()
    write_whole(folder / f"{naming.name}.onnx", data)
    origin = {"card": parent.card.name, "revision": parent.card.revision, "weights_sha256": parent.weights_sha256}
    provenance = {**told, "from": origin, "files": {f"{naming.name}.onnx": sha256}}
    text = json.dumps(provenance, indent=1, ensure_ascii=False) + "\n"
    write_whole(folder / f"{naming.name}.provenance.json", text.encode())
    card = folder / f"{naming.name}.toml"
    write_whole(card, _card(folder, sha256, output, parent.card, naming).encode())
    return card


def _card(folder: Path, sha256: str, output: FloatArray, parent: Card, naming: NetworkNaming) -> str:
    """The card as TOML."""
    origin = (
        f"Fine-tuned by `nitari train embedding` from the network of the card {parent.name} ({parent.license}): "
        f"{parent.origin.strip()}"
    )
    lines = [
        "format = 1",
        f"name = {quoted(naming.name)}",
        f"revision = {quoted(sha256[:8])}",
        'kind = "embedder"',
        f"description = {quoted(f'The network of {parent.name}, fine-tuned.')}",
        f"license = {quoted(naming.license)}",
        f"origin = {quoted(origin)}",
        f"dim = {parent.dim}",
        "",
        "[input]",
        *_input(parent.network_input),
        "",
        "# Pooled already, as its parent was.",
        "[output]",
        f"nonnegative = {str(parent.network_output.nonnegative).lower()}",
        "",
        "[[weights]]",
        f"path = {quoted(f'{naming.name}.onnx')}",
        f'sha256 = "{sha256}"',
        'format = "onnx"',
        *(_directions(folder, parent, naming) if naming.with_directions else ()),
        "",
        "# By PyTorch, with these weights; every runtime has to agree.",
        "[check]",
        *_check(output),
    ]
    return "\n".join(lines) + "\n"


def _input(spec: InputSpec) -> list[str]:
    """The lines of ``[input]``."""
    told = {name: value for name, value in asdict(spec).items() if value or name not in ("trim", "small")}
    # JSON's texts, lists and numbers are TOML's too, and exact.
    return [f"{key} = {json.dumps(value)}" for key, value in told.items()]


def _directions(folder: Path, parent: Card, naming: NetworkNaming) -> list[str]:
    """The lines of ``[directions]``, whose file is copied; none where the parent has none."""
    if parent.directions is None or parent.path is None:
        return []
    name = f"{naming.name}.directions.npz"
    draft = folder / f".{name}.draft"
    shutil.copyfile(parent.path.parent / parent.directions.file, draft)
    draft.replace(folder / name)
    told = parent.directions
    return ["", "[directions]", f"file = {quoted(name)}", f'sha256 = "{told.sha256}"', f"dim = {told.dim}"]


def _check(output: FloatArray) -> list[str]:
    """The lines of ``[check]``: some of the largest values, spread evenly over how large they are."""
    order = np.argsort(-np.abs(output), kind="stable")
    large = order[: max(_CHECKED, len(order) // 4)]
    indices = sorted(int(place) for place in large[:: max(1, len(large) // _CHECKED)][:_CHECKED])
    values = ", ".join(f"{float(output[place]):.5f}" for place in indices)
    tolerance = _TOLERANCE * max(1.0, float(np.abs(output).max()) / 10)
    return [f"indices = {indices}", f"values = [{values}]", f"tolerance = {tolerance:.3g}"]
