"""Model cards: what a network expects, what it gives, where its weights come from and how to see that they are right.

A card is a TOML file. Code asks the card; nobody writes a width, a mean or a checksum twice. The built-in cards lie in
``nitari/models/cards``; a folder of your own is read first (``models.cards`` in the settings).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast, get_args

import numpy as np

from nitari.errors import ModelError
from nitari.models.calibration_spec import CalibrationSpec, read_calibration
from nitari.models.detector_spec import DetectorSpec, read_detector
from nitari.models.gate_spec import GateSpec, read_gate
from nitari.models.head_spec import HeadSpec, read_head
from nitari.models.table import Table, read_toml
from nitari.models.transform_spec import TransformSpec, read_transform
from nitari.types import Detail, FloatArray

Kind: TypeAlias = Literal["embedder", "saliency", "detector", "composite"]
Filter: TypeAlias = Literal["bilinear", "bicubic", "lanczos"]
Fit: TypeAlias = Literal["stretch", "letterbox", "crop"]
Pooling: TypeAlias = Literal["none", "mean", "first", "gem"]
SourceKind: TypeAlias = Literal["path", "wheel", "url", "hub"]
Format: TypeAlias = Literal["pth", "onnx"]
Architecture: TypeAlias = Literal["efficientnet-lite0", "mobilenet-v2"]

CARD_FORMAT = 1
CHANNELS = 3
BUILT_IN = Path(__file__).parent / "cards"
# What stays of a card's fingerprint: 64 bits, plenty for the handful of models that one machine sees.
FINGERPRINT_DIGITS = 16

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_WHEEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.!+_-]*")
_HUB = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9._/-]*")


@dataclass(frozen=True, slots=True)
class InputSpec:
    """How pixels become the network's input, a float32 tensor ``[n, 3, height, width]`` (NCHW, RGB).

    A pixel's 0-255 is scaled to 0-``range``, then ``(value - mean) / std`` by channel.

    Args:
        size: ``(height, width)`` in pixels.
        mean: By channel, in units of ``range``.
        std: By channel, in units of ``range``.
        range: What a pixel of 255 becomes before mean and std: usually 1.
        filter: The ONE resize filter, antialiased; the gallery and queries use the same (it moves vectors).
        fit: How a box becomes ``size``: ``stretch``, ``letterbox`` (padded with white), or ``crop`` (its center).
        trim: Of a letterbox, the white is left out by whole multiples of so many pixels (the network's stride), but
            for a rim: a network that pools what it finds gives nearly the same for less work. 0 to keep it.
        small: Side of the square that the network sees where little detail is asked for; 0 for ``size`` then too. It
            needs a network for inputs of any size.
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    range: float = 1.0
    filter: Filter = "bicubic"
    fit: Fit = "stretch"
    trim: int = 0
    small: int = 0

    def at(self, detail: Detail) -> InputSpec:
        """The input at this detail."""
        return replace(self, size=(self.small, self.small)) if detail == "low" and self.small else self

    @property
    def height(self) -> int:
        """Pixels from top to bottom."""
        return self.size[0]

    @property
    def width(self) -> int:
        """Pixels from left to right."""
        return self.size[1]

    def tensor(self, pixels: np.ndarray[Any, Any]) -> FloatArray:
        """Scale and normalize: uint8 RGB ``[..., h, w, 3]`` -> float32 ``[..., 3, h, w]``, C-contiguous."""
        std = np.asarray(self.std, dtype=np.float32)
        factor = np.float32(self.range / 255.0) / std
        shift = np.asarray(self.mean, dtype=np.float32) / std
        *leading, height, width, channels = pixels.shape
        tensor = np.empty((*leading, channels, height, width), dtype=np.float32)
        for channel in range(channels):  # plane by plane, in place: an eighth of the time of one transposed expression
            plane = tensor[..., channel, :, :]
            np.multiply(pixels[..., channel], factor[channel], out=plane)
            np.subtract(plane, shift[channel], out=plane)
        return tensor


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """Which of the network's outputs is used, and what it is.

    Pooling happens inside the converted network, so that whoever runs it gets ``[n, dim]`` from an embedder and
    ``[n, 1, height, width]`` (0-1) from a saliency network; a detector's output is as its ``DetectorSpec`` says.

    Args:
        name: The output's name in the original network; empty for its first.
        pooling: For outputs ``[n, tokens, dim]``: their ``mean`` or ``first`` token. For ``[n, dim, h, w]``: their
            ``mean``, or ``gem``, the generalized mean with exponent 3 (Radenović et al., arXiv 1711.02512), which
            wants ``nonnegative`` features. Of a ``pth``, ``none`` is the pooling of its architecture: the mean.
        nonnegative: True where features come out of a ReLU (query transforms rely on it).
    """

    name: str = ""
    pooling: Pooling = "none"
    nonnegative: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One place that the weights can be had from.

    Args:
        kind: ``path``, ``wheel``, ``url`` or ``hub``.
        location: The path (relative ones from the card's folder), ``NAME==VERSION``, the URL, or ``org/name@revision``.
        format: ``pth`` (PyTorch state, rebuilt by ``architecture``) or ``onnx``.
        file: Member of the wheel or file of the hub's repository; empty for the other kinds.
        sha256: Of that file, hex; may be empty only for a ``path``.
        architecture: How to rebuild a ``pth``; empty for ``onnx``.
    """

    kind: SourceKind
    location: str
    format: Format
    file: str = ""
    sha256: str = ""
    architecture: Architecture | Literal[""] = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.location}" + (f", {self.file}" if self.file else "")


@dataclass(frozen=True, slots=True)
class Check:
    """Known output values for ``synthetic_image``: proof that weights, conversion and preprocessing are right.

    Args:
        indices: Positions in the flattened first output.
        values: What stands there.
        tolerance: Largest absolute difference allowed.
    """

    indices: tuple[int, ...]
    values: tuple[float, ...]
    tolerance: float = 1e-3


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a composite: its unit vector enters the concatenation with this weight.

    Args:
        name: Name of the part's card, an embedder (one that ends in ``.toml`` is a file beside the composite's card);
            or of a descriptor, which needs no network.
        weight: Multiplies the part's unit vector before the concatenation is scaled to unit length.
        descriptor_dim: Width of a descriptor's vector; 0 for a card, which knows its own.
        head: Learned, behind the part; its width is then the part's in the composite. ``None`` for the part as it is.
    """

    name: str
    weight: float = 1.0
    descriptor_dim: int = 0
    head: HeadSpec | None = None

    @property
    def shaping(self) -> dict[str, object]:
        """What of the part shapes a vector, for the card's fingerprint: where a head's file lies does not."""
        told: dict[str, object] = {
            "name": self.name,
            "weight": self.weight,
            "descriptor_dim": self.descriptor_dim,
        }
        return told | ({"head": f"{self.head.sha256} {self.head.dim}"} if self.head else {})

    @property
    def is_descriptor(self) -> bool:
        """Whether ``name`` is a descriptor's and not a card's."""
        return self.descriptor_dim > 0


@dataclass(frozen=True, slots=True)
class Card:
    """A model card.

    Args:
        name: Lower-case letters, digits, ``. _ -``; also the collection's name.
        revision: Changes whenever the vectors do.
        kind: ``embedder`` (image -> vector), ``saliency`` (image -> mask), ``detector`` (image -> regions and mask) or
            ``composite`` (several parts).
        description: For people.
        license: SPDX expression of the weights' license.
        origin: Where the weights come from originally, with the grounds for the license.
        dim: Width of a vector; 0 where there is none.
        input: ``None`` for composites.
        output: ``None`` for composites.
        weights: Where to look, in order; empty where only ``nitari model pull NAME --from FOLDER`` brings them.
        check: ``None`` where no values are known.
        parts: Of a composite, in the order of concatenation.
        detector: Of a detector, how to read its output.
        calibration: How cosines become scores; ``None`` where nobody measured it. Not of a saliency card or detector.
        transform: What takes the wearer out of query photos; ``None`` where nobody learned it. Not of those either.
        directions: Of an embedder that was trained to classify: the directions of its features that its classes differ
            in, as ``scripts/classifier_directions.py`` writes them; for training (``nitari.training.head_frozen``).
        gate: Of a composite: how queries weigh its parts that show something else than its heads were trained on.
        path: The file it was read from.
    """

    name: str
    revision: str
    kind: Kind
    description: str
    license: str
    origin: str
    dim: int
    input: InputSpec | None = None
    output: OutputSpec | None = None
    weights: tuple[Source, ...] = ()
    check: Check | None = None
    parts: tuple[Part, ...] = ()
    detector: DetectorSpec | None = None
    calibration: CalibrationSpec | None = None
    transform: TransformSpec | None = None
    gate: GateSpec | None = None
    directions: HeadSpec | None = None
    path: Path | None = None

    @property
    def network_input(self) -> InputSpec:
        """The input of a card that has a network.

        Raises:
            ModelError: for a composite, which has none of its own.
        """
        if self.input is None:
            raise ModelError(f"model card {self.name} is a composite and has no input of its own")
        return self.input

    @property
    def network_output(self) -> OutputSpec:
        """The output of a card that has a network; its defaults where the card says nothing."""
        return self.output or OutputSpec()

    @property
    def network_detector(self) -> DetectorSpec:
        """How to read a detector's output.

        Raises:
            ModelError: for a card of another kind.
        """
        if self.detector is None:
            raise ModelError(
                f"model card {self.name} is of kind {self.kind}, expected a detector", remedy="name a detector's card"
            )
        return self.detector

    @property
    def output_shape(self) -> tuple[int, ...]:
        """What the network gives for one image, without the batch."""
        size = self.network_input.size
        if self.detector is not None:
            return (self.detector.channels, *(side // self.detector.stride for side in size))
        return (1, *size) if self.kind == "saliency" else (self.dim,)

    @property
    def fingerprint(self) -> str:
        """16 hex digits over everything in the card that shapes a vector.

        Descriptions, licenses and the places where weights lie are left out; their checksums are in. A composite's
        covers only names and weights of its parts, and a card without pinned weights does not know them: what was
        pulled has the full fingerprint (``store.Network.fingerprint``).
        """
        shaping = {
            "name": self.name,
            "revision": self.revision,
            "kind": self.kind,
            "dim": self.dim,
            # But for what is seen at another detail, which is no matter of the card's (``Extractor.fingerprint``).
            "input": None if self.input is None else {k: v for k, v in asdict(self.input).items() if k != "small"},
            "output": asdict(self.output) if self.output else None,
            "weights": sorted({f"{s.sha256} {s.format} {s.architecture}" for s in self.weights if s.sha256}),
            "parts": [part.shaping for part in self.parts],
        }
        if self.gate is not None:
            shaping["level"] = True
        if self.detector is not None:
            shaping["detector"] = asdict(self.detector)
        text = json.dumps(shaping, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


def synthetic_image(size: tuple[int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A picture that needs no file: uint8 RGB ``[height, width, 3]``, the same on every machine (integers only).

    Slanted gradients that bend into moiré, different in each channel, so that many features of a network respond.
    """
    y, x = np.mgrid[0 : size[0], 0 : size[1]].astype(np.int64)
    channels = [(x * (2 + c) + y * (3 - c) + x * y // (61 + 16 * c)) % 256 for c in range(CHANNELS)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def read_card(path: Path) -> Card:
    """Read and check a card.

    Raises:
        ModelError: naming the file, the key, what was found and what was expected.
    """
    table = read_toml(path)
    fmt = table.integer("format", low=1)
    if fmt != CARD_FORMAT:
        raise ModelError(
            f"model card {path}: format is {fmt}, this version of Nitari reads {CARD_FORMAT}",
            remedy="upgrade Nitari, or use a card of its format",
        )
    name = table.text("name", pattern=_NAME, expected="lower-case letters, digits, '.', '_', '-', at most 64")
    kind = cast(Kind, table.choice("kind", get_args(Kind)))
    composite = kind == "composite"
    has_vectors = kind not in ("saliency", "detector")
    parts = tuple(_part(t) for t in table.tables("parts")) if composite else ()
    card = Card(
        name=name,
        revision=table.text("revision"),
        kind=kind,
        description=table.text("description"),
        license=table.text("license"),
        origin=table.text("origin"),
        dim=0 if kind in ("saliency", "detector") else table.integer("dim", low=1, high=65536),
        input=None if composite else _input(table.table("input")),
        output=None if composite else _output(table.table("output", optional=True)),
        weights=() if composite else tuple(_source(t) for t in table.tables("weights")),
        check=None if composite else _check(table.table("check", optional=True)),
        parts=parts,
        detector=read_detector(table.table("detector")) if kind == "detector" else None,
        calibration=read_calibration(table.table("calibration", optional=True)) if has_vectors else None,
        transform=read_transform(table.table("transform", optional=True)) if has_vectors else None,
        directions=read_head(table.table("directions", optional=True)) if kind == "embedder" else None,
        gate=read_gate(table.table("gate", optional=True), parts=len(parts)) if parts else None,
        path=path,
    )
    if composite and not card.parts:
        raise table.complaint("parts", "nothing", "at least one [[parts]] table with the name of a card")
    if card.detector is not None and any(side % card.detector.stride for side in card.network_input.size):
        raise table.complaint("input.size", str(list(card.network_input.size)), "multiples of detector.stride")
    table.finish()
    return card


def find_cards(own: Path | None) -> Mapping[str, Path]:
    """Card files by name: the built-in ones, overridden by those in ``own`` (file names are card names).

    Raises:
        ModelError: where ``own`` is not a folder.
    """
    found = {path.stem: path for path in sorted(BUILT_IN.glob("*.toml"))}
    if own is not None:
        if not own.is_dir():
            raise ModelError(
                f"the folder of model cards {own} does not exist", remedy="create it or unset models.cards"
            )
        found.update({path.stem: path for path in sorted(own.glob("*.toml"))})
    return found


def _input(table: Table) -> InputSpec:
    size = table.get("size", (int, list), "a number of pixels, or [height, width]")
    sides = [size, size] if isinstance(size, int) else size
    if len(sides) != 2 or not all(type(v) is int and 8 <= v <= 4096 for v in sides):
        raise table.error("size", size, "a number of pixels in 8-4096, or [height, width]")
    spec = InputSpec(
        size=(sides[0], sides[1]),
        mean=table.numbers("mean", count=CHANNELS),
        std=table.numbers("std", count=CHANNELS),
        range=table.number("range", default=1.0),
        filter=cast(Filter, table.choice("filter", get_args(Filter))),
        fit=cast(Fit, table.choice("fit", get_args(Fit))),
        trim=table.integer("trim", low=1, high=min(sides)) if "trim" in table else 0,
        small=table.integer("small", low=8, high=min(sides)) if "small" in table else 0,
    )
    if spec.trim and spec.fit != "letterbox":
        raise table.error("trim", spec.trim, "no such key: only a letterbox has white to leave out")
    if min(spec.std) <= 0:
        raise table.error("std", list(spec.std), "three numbers above 0")
    if spec.range <= 0:
        raise table.error("range", spec.range, "a number above 0")
    table.finish()
    return spec


def _output(table: Table) -> OutputSpec:
    spec = OutputSpec(
        name=table.text("name", default=""),
        pooling=cast(Pooling, table.choice("pooling", get_args(Pooling), default="none")),
        nonnegative=table.boolean("nonnegative", default=False),
    )
    if spec.pooling == "gem" and not spec.nonnegative:
        raise table.error("pooling", "gem", "another one, or nonnegative = true: gem is for features out of a ReLU")
    table.finish()
    return spec


def _source(table: Table) -> Source:
    kinds = [kind for kind in get_args(SourceKind) if kind in table]
    if len(kinds) != 1:
        expected = f"exactly one of {', '.join(get_args(SourceKind))}"
        raise table.complaint("", ", ".join(kinds) or "none of them", expected)
    kind = cast(SourceKind, kinds[0])
    patterns = {
        "path": (None, "a path"),
        "wheel": (_WHEEL, "NAME==VERSION"),
        "url": (re.compile(r"https://\S+"), "a URL that starts with https://"),
        "hub": (_HUB, "org/name@revision"),
    }
    pattern, expected = patterns[kind]
    fmt = cast(Format, table.choice("format", get_args(Format)))
    has_file = kind in ("wheel", "hub")
    sha256 = table.text("sha256", default="" if kind == "path" else None, pattern=_SHA256, expected="64 hex digits")
    source = Source(
        kind=kind,
        location=table.text(kind, pattern=pattern, expected=expected),
        format=fmt,
        file=table.text("file") if has_file else "",
        sha256=sha256,
        architecture=cast(Architecture, table.choice("architecture", get_args(Architecture))) if fmt == "pth" else "",
    )
    parts = source.file.split("/")
    if has_file and (source.file.startswith("/") or ".." in parts or "\\" in source.file or "" in parts):
        raise table.error("file", source.file, "a relative path with forward slashes and without '..'")
    table.finish()
    return source


def _check(table: Table) -> Check | None:
    if table.absent:
        return None
    check = Check(
        indices=tuple(int(v) for v in table.numbers("indices", whole=True)),
        values=table.numbers("values"),
        tolerance=table.number("tolerance", default=1e-3),
    )
    if len(check.indices) != len(check.values) or not check.indices:
        raise table.complaint("values", f"{len(check.values)} values", f"one for each of {len(check.indices)} indices")
    if min(check.indices) < 0:
        raise table.error("indices", list(check.indices), "positions from 0")
    table.finish()
    return check


def _part(table: Table) -> Part:
    descriptor = "descriptor" in table
    part = Part(
        name=table.text(
            "descriptor" if descriptor else "name", pattern=_NAME, expected="a card's or descriptor's name"
        ),
        weight=table.number("weight", 1.0),
        descriptor_dim=table.integer("dim", low=1, high=65536) if descriptor else 0,
        head=read_head(table.table("head", optional=True)),
    )
    if part.weight <= 0:
        raise table.error("weight", part.weight, "a number above 0")
    table.finish()
    return part
