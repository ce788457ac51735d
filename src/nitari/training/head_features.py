"""What heads are trained on: seen once a photo with the production extractor's parts, and kept on disk by digest."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nitari.embeddings.base import Descriptor, Embedder
from nitari.errors import DataError, NitariError
from nitari.extract import OVERSAMPLE_FOR_CROPS, WHOLE_REGION, center_square
from nitari.images.base import Decoder
from nitari.regions.base import RegionFinder
from nitari.training.head_examples import Example
from nitari.types import Box, ByteArray, FloatArray, Photo, Region

VIEWS = ("square", "box", "whole", "square mirrored", "box mirrored", "box before another background")
"""How the network sees a photo: the first two as in production, the others only to train on."""
PLAIN = 2
COLOR_VIEW = (0, 1, 0, 0, 1, 1)
"""Which of the first two views' descriptors go with each view: a mirror changes no color."""
FORMAT = 1
_PARTS = ("color", "texture", "aspect")

Fetch: TypeAlias = Callable[[Example], bytes]
"""The bytes of an example's photo; raises NitariError where they cannot be had."""


@dataclass(frozen=True, slots=True, eq=False)
class Sights:
    """What was seen of ``n`` photos.

    Args:
        shape: float32 ``[6, n, features]``, unit rows: the network's, by ``VIEWS``.
        color: float32 ``[2, n, bins]``, unit rows, of square and box.
        texture: The same, of texture.
        aspect: The same, of the box's shape.
    """

    shape: FloatArray
    color: FloatArray
    texture: FloatArray
    aspect: FloatArray


class Eye:
    """Looks at photos in all the ways that heads are trained on. Safe to use from several threads at once.

    Args:
        decoder: Bytes to photo.
        regions: Photo to products.
        network: The frozen network.
        color: The color layout.
        texture: Of texture.
        aspect: Of the box's shape.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        regions: RegionFinder,
        network: Embedder,
        color: Descriptor,
        texture: Descriptor,
        aspect: Descriptor,
    ) -> None:
        self._decoder = decoder
        self._regions = regions
        self._network = network
        self._descriptors = (color, texture, aspect)
        self._short_side = max(network.short_side * OVERSAMPLE_FOR_CROPS, regions.short_side)

    @property
    def fingerprint(self) -> str:
        """Changes whenever what is seen could."""
        parts = [self._network.fingerprint, self._regions.fingerprint, *(d.fingerprint for d in self._descriptors)]
        return hashlib.sha256("\n".join((*parts, str(VIEWS), str(FORMAT))).encode()).hexdigest()[:16]

    @property
    def descriptors(self) -> dict[str, tuple[str, int]]:
        """Name and width of each descriptor, by what a composite calls its part."""
        return {part: (own.name, own.dim) for part, own in zip(_PARTS, self._descriptors, strict=True)}

    def look(self, data: bytes) -> dict[str, FloatArray]:
        """One photo: ``shape`` ``[6, features]``, ``color``, ``texture`` and ``aspect`` ``[2, any]``.

        Raises:
            ImageError: bytes that are not a usable photo.
        """
        photo = self._decoder.decode(data, short_side=self._short_side)
        found = self._regions.find(photo)
        box = found[0] if found else WHOLE_REGION
        square = center_square(photo, box.mask)
        mirror = Photo(np.ascontiguousarray(photo.pixels[:, ::-1]), photo.width, photo.height)
        shown = (
            (photo, square),
            (photo, box),
            (photo, WHOLE_REGION),
            (mirror, _mirrored(square)),
            (mirror, _mirrored(box)),
            (_elsewhere(photo, box.mask), box),
        )
        seen = {"shape": np.concatenate([self._network.embed(picture, (region,)) for picture, region in shown])}
        for name, descriptor in zip(_PARTS, self._descriptors, strict=True):
            seen[name] = np.stack([descriptor.describe(photo, region) for region in (square, box)])
        return seen


class SightStore:
    """What was seen of photos, in files by digest: whole or not there, so that it can be killed at any time.

    Args:
        folder: Made when something is put there.
        fingerprint: Of the eye; another eye has files of its own.
    """

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder / fingerprint

    def get(self, digest: str) -> dict[str, FloatArray] | None:
        """What was seen of the photo with this SHA-256, ``None`` where it is not (or not whole) here."""
        try:
            with np.load(io.BytesIO(self._path(digest).read_bytes()), allow_pickle=False) as found:
                return {name: found[name].astype(np.float32) for name in ("shape", *_PARTS)}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def put(self, digest: str, seen: dict[str, FloatArray]) -> None:
        """Keep it."""
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        with draft.open("wb") as file:
            np.savez(file, **{name: array.astype(np.float16) for name, array in seen.items()})  # type: ignore[arg-type]  # names may be any
        draft.replace(path)

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.npz"


def see(
    examples: Sequence[Example],
    *,
    eye: Eye,
    store: SightStore,
    fetch: Fetch,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[tuple[Example, ...], Sights, dict[str, str]]:
    """Look at every example's photo that was not looked at before.

    Returns:
        The examples whose photo is usable, what was seen of them, in their order, and for the others, by link, why not.

    Raises:
        DataError: not one photo is usable.
    """
    kept: list[Example] = []
    rows: list[dict[str, FloatArray]] = []
    unusable: dict[str, str] = {}
    for number, example in enumerate(examples, 1):
        try:
            data = fetch(example)
            digest = hashlib.sha256(data).hexdigest()
            seen = store.get(digest)
            if seen is None:
                seen = eye.look(data)
                store.put(digest, seen)
                # As it will be read the next time: an interrupted run must not differ from one that was not.
                seen = {name: array.astype(np.float16).astype(np.float32) for name, array in seen.items()}
            rows.append(seen)
            kept.append(example)
        except NitariError as exc:
            if not isinstance(exc, DataError):
                raise
            unusable[example.link] = exc.message
        if progress is not None:
            progress(number, len(examples))
    if not kept:
        raise DataError(
            f"none of {len(examples)} photos is usable; the first: {next(iter(unusable.values()), 'there is none')}",
            remedy="see that the feeds' photos can be read",
        )
    return tuple(kept), Sights(*(_stacked(rows, name) for name in ("shape", *_PARTS))), unusable


def _stacked(rows: Sequence[dict[str, FloatArray]], name: str) -> FloatArray:
    """One array ``[views, n, any]``, its rows unit again after 16 bits."""
    whole = np.empty((rows[0][name].shape[0], len(rows), rows[0][name].shape[1]), dtype=np.float32)
    for number, row in enumerate(rows):
        whole[:, number] = row[name]
    whole /= np.maximum(np.linalg.norm(whole, axis=2, keepdims=True), np.float32(1e-12))
    return whole


def _mirrored(region: Region) -> Region:
    box = region.box
    return Region(Box(1 - box.x2, box.y1, 1 - box.x1, box.y2), region.label, region.score)


def _elsewhere(photo: Photo, mask: ByteArray | None) -> Photo:
    """The product before a plain background of a color that only depends on the photo; as it is without a mask."""
    if mask is None:
        return photo
    height, width = photo.pixels.shape[:2]
    drawn = hashlib.sha256(photo.pixels[:: max(1, height // 16), :: max(1, width // 16)].tobytes()).digest()
    color = np.frombuffer(drawn[:3], dtype=np.uint8) // 2 + 112  # light to middling, as floors, walls and carpets are
    return Photo(before_ground(photo.pixels, mask, color.astype(np.uint8)), photo.width, photo.height)


def before_ground(pixels: ByteArray, mask: ByteArray, color: ByteArray) -> ByteArray:
    """The product before a ground of one color; as it is where the mask shows none.

    Args:
        pixels: uint8 ``[h, w, 3]``.
        mask: uint8 ``[any, any]``, of the same picture: 128 and more is the product's.
        color: uint8 ``[3]``.
    """
    height, width = pixels.shape[:2]
    rows = (np.arange(height) * mask.shape[0] // height).astype(np.intp)
    columns = (np.arange(width) * mask.shape[1] // width).astype(np.intp)
    product = mask[np.ix_(rows, columns)] >= 128
    if not product.any():
        return pixels
    return np.ascontiguousarray(np.where(product[..., None], pixels, color))
