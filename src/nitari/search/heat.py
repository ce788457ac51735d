"""Heat maps: which parts of a photo make it like another one, found by covering them one after the other.

Occlusion sensitivity (Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014): where
covering a patch lowers the likeness, the patch counts. It asks nothing of a model but vectors, so that it is true of
any, color and texture included; its price is a pass through the network for each patch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from nitari.extract import Choice, Extractor, Worn
from nitari.types import WHOLE, Box, ByteArray, Extraction, FloatArray, Photo, Region

PATCHES = 36
"""About so many patches a photo: six by six of a square one."""
# Of a side: how much a patch laps over its neighbors, so that what lies on the line between two is not halved.
_LAP = 0.25
# Of 255: what JPEG adds to an even ground, which no network sees.
_SAME = 4
# Likeness that is lost to rounding and resampling, not to what was covered.
_NOISE = 2e-3

Likeness: TypeAlias = Callable[[FloatArray], float]
"""From a photo's vectors (float32 ``[n, dim]``, unit rows) to how alike it is to another one; 1 is the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """Where a photo is like another one.

    Args:
        box: The part of the photo that the grid lies over.
        values: float32 ``[rows, cols]``, 0-1: how much the likeness falls when this patch is covered, the most being 1;
            all 0 where nothing matters.
        similarity: The likeness with nothing covered.
        fall: How much the likeness falls where it falls the most, 0 where it never does.
    """

    box: Box
    values: FloatArray
    similarity: float
    fall: float


def heat_of(
    extractor: Extractor,
    data: bytes,
    likeness: Likeness,
    *,
    choice: Choice = "auto",
    regions: tuple[Region, ...] = (),
    worn: Worn = "off",
    ease: float = 1.0,
) -> Heat:
    """What each patch of a photo adds to its likeness, by some forty passes through the extractor's network.

    Patches take the color of the photo's rim: product that is covered is then gone, while ground that is covered stays
    ground. (A blurred patch leaves a plain shirt as it was, and one of the photo's mean color is itself a thing to be
    seen.) Regions stay those of the whole photo, so that it is the look that changes and not what is looked at.

    Args:
        extractor: Made the vectors that the photo is compared with.
        data: An image file.
        likeness: What is watched.
        choice: As the photo is searched with; the grid lies over a chosen box, else over the whole photo.
        regions: What was found on the photo.
        worn: As the photo is searched with; ``off`` for one of the gallery.
        ease: Likewise, see ``Extractor.undressed``.

    Raises:
        ImageError: bytes that are not a usable photo.
    """
    photo = extractor.decode(data, choice)
    box = choice if isinstance(choice, Box) else regions[0].box if choice == "largest" and regions else WHOLE
    pixels = photo.pixels.copy()
    covered = Photo(pixels, photo.width, photo.height)

    def like() -> float:
        views = extractor.embed(covered, regions, choice)
        seen = extractor.undressed(Extraction(photo.width, photo.height, regions, views, None, {}), worn, ease=ease)
        return likeness(np.stack([view.vector for view in seen.views]))

    similarity = like()
    cover = _rim_color(pixels)
    rows, cols = grid_shape(photo.aspect * (box.x2 - box.x1) / (box.y2 - box.y1))
    falls = np.zeros((rows, cols), np.float32)
    for row, col in np.ndindex(rows, cols):
        patch = pixels[_patch(box, pixels, (row, rows), (col, cols))]
        before = patch.copy()
        if np.abs(before - cover.astype(np.int16)).max() <= _SAME:
            continue  # ground of the very color, as on most product photos: nothing would change
        patch[:] = cover
        falls[row, col] = similarity - like()
        patch[:] = before
    fall = float(falls.max())
    if fall < _NOISE:
        return Heat(box, np.zeros_like(falls), similarity, 0.0)
    return Heat(box, np.clip(falls / fall, 0.0, 1.0), similarity, fall)


def grid_shape(aspect: float) -> tuple[int, int]:
    """Rows and columns of about ``PATCHES`` patches that are about square, for a width of ``aspect`` heights."""
    rows = min(PATCHES // 2, max(2, round(math.sqrt(PATCHES / aspect))))
    return rows, max(2, round(PATCHES / rows))


def _patch(box: Box, pixels: ByteArray, row: tuple[int, int], col: tuple[int, int]) -> tuple[slice, slice]:
    """The pixels of one patch of the grid, at least one of them; each of ``row`` and ``col`` is a place and a count."""
    height, width = pixels.shape[:2]
    return _stretch(box.y1, box.y2, row, height), _stretch(box.x1, box.x2, col, width)


def _stretch(start: float, stop: float, place: tuple[int, int], size: int) -> slice:
    at, count = place
    step = (stop - start) / count
    first = max(start, start + (at - _LAP) * step)
    last = min(stop, start + (at + 1 + _LAP) * step)
    begin = min(size - 1, int(first * size))
    return slice(begin, max(begin + 1, round(last * size)))


def _rim_color(pixels: ByteArray) -> ByteArray:
    """The middle color of the photo's outermost pixels: uint8 ``[3]``."""
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    middle: ByteArray = np.median(rim, axis=0).astype(np.uint8)
    return middle
