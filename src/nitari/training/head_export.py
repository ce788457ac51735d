"""Writes what was trained: a card, the heads beside it, and where it all comes from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nitari.embeddings.head import Head, head_bytes
from nitari.models.gate_spec import GateSpec
from nitari.training.head_fit import Heads
from nitari.training.head_judge import Weights


@dataclass(frozen=True, slots=True)
class Naming:
    """What a card says of itself.

    Args:
        name: The card's.
        description: For people.
        license: SPDX expression.
        origin: Where the weights come from.
        network: Name of the card of the network behind the shape head.
        descriptors: Name and width of the descriptors by part: color, texture, aspect.
        gate: Before the parts, where there are frozen features among them.
    """

    name: str
    description: str
    license: str
    origin: str
    network: str
    descriptors: Mapping[str, tuple[str, int]]
    gate: GateSpec | None = None


def export(folder: Path, file: str, naming: Naming, heads: Heads, weights: Weights, told: Mapping[str, Any]) -> Path:
    """Write heads, provenance and, last, the card. What is there already is replaced, each file at once.

    Args:
        folder: Made if it is not there.
        file: What to call the card, ``NAME.toml``.
        naming: What it says of itself.
        heads: What was learned.
        weights: How the parts count.
        told: Plain values: data, counts, seeds, versions, command, measures.

    Returns:
        The card's path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sums: dict[str, str] = {}
    for part, head in _parts(heads).items():
        data = head_bytes(head)
        name = f"{naming.name}.{part}.npz"
        write_whole(folder / name, data)
        sums[part] = hashlib.sha256(data).hexdigest()
    files = {f"{naming.name}.{part}.npz": digest for part, digest in sums.items()}
    provenance = json.dumps({**told, "files": files}, indent=1, ensure_ascii=False) + "\n"
    write_whole(folder / f"{naming.name}.provenance.json", provenance.encode())
    card = folder / file
    write_whole(card, _card(naming, heads, weights, sums).encode())
    return card


def _card(naming: Naming, heads: Heads, weights: Weights, sums: Mapping[str, str]) -> str:
    """The card as TOML."""
    dims = {part: head.dim for part, head in _parts(heads).items()}
    dims |= {part: naming.descriptors[part][1] for part in ("texture", "aspect")}
    counted = {part: weight for part, weight in asdict(weights).items() if weight and part in dims}
    revision = hashlib.sha256("".join(sums.values()).encode()).hexdigest()[:8]
    lines = [
        "format = 1",
        f"name = {quoted(naming.name)}",
        f"revision = {quoted(revision)}",
        'kind = "composite"',
        f"description = {quoted(naming.description)}",
        f"license = {quoted(naming.license)}",
        f"origin = {quoted(naming.origin)}",
        f"dim = {sum(dims[part] for part in counted)}",
    ]
    for part, weight in counted.items():
        if part in ("shape", "frozen"):
            lines += ["", "[[parts]]", f"name = {quoted(naming.network)}", f"weight = {weight:g}"]
        else:
            name, width = naming.descriptors[part]
            lines += ["", "[[parts]]", f"descriptor = {quoted(name)}", f"dim = {width}", f"weight = {weight:g}"]
        if part in sums:
            file = f"{naming.name}.{part}.npz"
            lines += ["[parts.head]", f"file = {quoted(file)}", f'sha256 = "{sums[part]}"', f"dim = {dims[part]}"]
    if naming.gate is not None:
        lines += ["", "[gate]"]
        lines += [f"{key} = {valued(value)}" for key, value in asdict(naming.gate).items()]
    return "\n".join(lines) + "\n"


def _parts(heads: Heads) -> dict[str, Head]:
    """Heads by the part that they make."""
    parts = {"shape": heads.shape, "color": heads.color}
    return parts if heads.frozen is None else parts | {"frozen": heads.frozen}


def valued(value: float | tuple[float, ...]) -> str:
    """A number or a list of them as TOML."""
    return f"[{', '.join(map(valued, value))}]" if isinstance(value, tuple) else f"{value:g}"


def quoted(text: str) -> str:
    """A TOML string: JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file at once."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
