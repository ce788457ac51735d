"""Photos as fine-tuning draws from them: small JPEGs with what was found on them, kept on disk by digest.

Training sees each photo again and again, each time a little otherwise. Decoding an original takes 30 ms and finding its
products as long again, so both are done once.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nitari.errors import StateError
from nitari.extract import OVERSAMPLE_FOR_CROPS, WHOLE_REGION
from nitari.images.base import Decoder
from nitari.raster import encode, resize
from nitari.regions.base import RegionFinder
from nitari.training.head_examples import Example
from nitari.training.head_features import Fetch
from nitari.types import Box, ByteArray

FORMAT = 1
_QUALITY = 95


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A photo to draw from.

    Args:
        pixels: uint8 RGB ``[h, w, 3]``.
        box: The product's; the whole photo's where none was found.
        mask: uint8 ``[any, any]`` of the whole photo: 128 and more is a product's; ``None`` where none was found.
    """

    pixels: ByteArray
    box: Box
    mask: ByteArray | None


class Shots:
    """Photos of a folder, in files by digest: whole or not there, so that it can be killed at any time.

    Safe to use from several threads at once.

    Args:
        folder: Made when something is kept there.
        decoder: Bytes to photo.
        regions: Photo to products.
        side: Pixels of the network's input.
    """

    def __init__(self, folder: Path, *, decoder: Decoder, regions: RegionFinder, side: int) -> None:
        self._decoder = decoder
        self._regions = regions
        self._side = side * OVERSAMPLE_FOR_CROPS
        told = f"{regions.fingerprint}\n{self._side}\n{FORMAT}"
        self._folder = folder / hashlib.sha256(told.encode()).hexdigest()[:16]

    def keep(self, data: bytes) -> str:
        """Keep a photo, if it is not there; returns its SHA-256.

        Raises:
            ImageError: bytes that are not a usable photo.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest)
        if path.is_file():
            return digest
        photo = self._decoder.decode(data, short_side=max(self._side, self._regions.short_side))
        found = self._regions.find(photo)
        region = found[0] if found else WHOLE_REGION
        height, width = photo.pixels.shape[:2]
        scale = min(1.0, self._side / min(height, width))
        small = resize(photo.pixels, max(1, round(width * scale)), max(1, round(height * scale)))
        mask = np.zeros((0, 0), np.uint8) if region.mask is None else region.mask
        box = region.box
        arrays = {
            "jpeg": np.frombuffer(encode(small, quality=_QUALITY), np.uint8),
            "box": np.array([box.x1, box.y1, box.x2, box.y2]),
            "mask": mask,
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}.tmp")
        with draft.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # names may be any
        draft.replace(path)
        return digest

    def take(self, digest: str) -> Shot:
        """The photo with this SHA-256, which was kept.

        Raises:
            StateError: it is not there any more, or damaged.
        """
        path = self._path(digest)
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as found:
                jpeg, box, mask = (found[name] for name in ("jpeg", "box", "mask"))
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as exc:
            raise StateError(
                f"the kept photo {path} cannot be read: {exc}", remedy=f"remove {path} and run the command again"
            ) from exc
        pixels = self._decoder.decode(jpeg.tobytes(), short_side=0).pixels
        return Shot(pixels, Box(*(float(side) for side in box)), mask.astype(np.uint8) if mask.size else None)

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / f"{digest}.npz"


def gather(
    examples: Sequence[Example], shots: Shots, fetch: Fetch, progress: Callable[[int, int], None] | None = None
) -> tuple[str, ...]:
    """Keep the photos of all examples; returns their digests, in their order.

    Args:
        examples: Whose photos are usable, as ``head_features.see`` found.
        shots: Where they are kept.
        fetch: Gets their bytes.
        progress: Told how many are done, of how many.
    """
    digests = []
    for number, example in enumerate(examples, 1):
        digests.append(shots.keep(fetch(example)))
        if progress is not None:
            progress(number, len(examples))
    return tuple(digests)
