"""Where garments are on a photo of somebody wearing them, told from the figure alone: proportions, skin, and hems.

Nobody drew boxes on these photos. What is known is the figure (a saliency mask), what the photo sells (its category),
and how people are built: below the head the figure widens to the shoulders, a top ends where the color changes
between waist and thigh, shorts end where skin begins, shoes are the last of a figure. A rule that finds no such place
falls back to the proportions of a standing figure. Good for photos before a plain background; a teacher, not a product.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nitari.types import BoolArray, Box, ByteArray

_FIGURE = 128
"""Saliency (0-255) from which a pixel is the figure."""
# A figure's rows are wide as its shoulders from this share of the widest row of its upper half.
_SHOULDERS = 0.62
# How far up from there a collar reaches, as a share of the photo.
_COLLAR = 0.025
# Mean color (0-255) that changes this much between the rows above and those below is a hem.
_HEM = 22.0
_HEM_ROWS = 6
# Skin is the row's matter from this share of its figure.
_BARE = 0.5
# A garment that looks like skin cannot be told from skin by color.
_SKIN_COLORED = 0.35
_LEAST = 0.04
"""Sides below this share of the photo are no region."""


@dataclass(frozen=True, slots=True)
class Worn:
    """A region of a photo of somebody wearing something.

    Args:
        box: Tight, in shares of the photo.
        part: ``sold`` (what the photo sells), ``shoes``, or ``other``: something worn of which nothing else is known.
    """

    box: Box
    part: str


def skin(pixels: ByteArray) -> BoolArray:
    """Which pixels of uint8 RGB ``[h, w, 3]`` may be skin: chroma within the bounds of Chai and Ngan (1999)."""
    red, green, blue = (pixels[..., c].astype(np.float32) for c in range(3))
    cb = 128 - 0.168736 * red - 0.331264 * green + 0.5 * blue
    cr = 128 + 0.5 * red - 0.418688 * green - 0.081312 * blue
    found: BoolArray = (cb >= 77) & (cb <= 127) & (cr >= 133) & (cr <= 173)
    return found


def upper_garment(pixels: ByteArray, mask: ByteArray) -> tuple[Worn, ...]:
    """Top, jacket or the like on somebody whose head is in the photo; and what is worn below it.

    Args:
        pixels: uint8 RGB ``[h, w, 3]``.
        mask: uint8 ``[h, w]``, 255 = figure.
    """
    figure = mask >= _FIGURE
    height = len(figure)
    widths = figure.sum(axis=1)
    rows = np.flatnonzero(widths)
    if not rows.size:
        return ()
    first, last = int(rows[0]), int(rows[-1]) + 1
    widest = widths[first : first + (last - first) // 2 + 1].max()
    shoulders = first + int(np.argmax(widths[first:last] >= _SHOULDERS * widest))
    top = max(first, shoulders - round(_COLLAR * height))
    tall = last - top
    hem = _hem(pixels, figure, top + int(0.55 * tall), last - 2) or last
    bare = skin(pixels)
    found = [Worn(box, "sold")] if (box := _covered(figure, bare, top, hem)) else []
    if hem < last and (below := _covered(figure, bare, hem, last)):
        found.append(Worn(below, "other"))
    return tuple(found)


def lower_garment(pixels: ByteArray, mask: ByteArray) -> tuple[Worn, ...]:
    """Pants, shorts or the like on a figure from the waist down; and shoes."""
    figure = mask >= _FIGURE
    rows = np.flatnonzero(figure.sum(axis=1))
    if not rows.size:
        return ()
    first, last = int(rows[0]), int(rows[-1]) + 1
    tall = last - first
    bare = skin(pixels)
    share = _shares(figure & bare, figure)
    waist = _waist(pixels, figure, share, first, first + int(0.22 * tall))
    # Bare for a while: a hand beside the thigh is not yet the end of the garment.
    legs = _first_run(share[waist + tall // 8 : last] >= _BARE, max(2, tall // 25))
    end = waist + tall // 8 + legs if legs is not None else None
    if end is None:
        end = _hem(pixels, figure, last - int(0.16 * tall), last - int(0.03 * tall)) or last - int(0.07 * tall)
        shoes_from: int | None = end
    else:
        dressed = share[end:last] < 0.3
        run = _first_run(dressed & (np.arange(end, last) > last - int(0.25 * tall)), 3)
        shoes_from = end + run if run is not None else None
    found = [Worn(box, "sold")] if (box := _covered(figure, bare, waist, end)) else []
    if shoes_from is not None and (box := _covered(figure, bare, shoes_from, last)):
        found.append(Worn(box, "shoes"))
    return tuple(found)


def _shares(part: BoolArray, whole: BoolArray) -> NDArray[np.float64]:
    """Row by row, how much of ``whole`` is in ``part``."""
    shares: NDArray[np.float64] = part.sum(axis=1) / np.maximum(whole.sum(axis=1), 1)
    return shares


def _waist(pixels: ByteArray, figure: BoolArray, share: NDArray[np.float64], first: int, until: int) -> int:
    """The row at which a lower garment begins: below bare skin, or at a hem, or where the figure does."""
    bare = np.flatnonzero(share[first:until] >= _BARE)
    if bare.size:
        return first + int(bare[-1]) + 1
    return _hem(pixels, figure, first + 2, until) or first


def _first_run(flags: BoolArray, length: int) -> int | None:
    """Where ``length`` in a row are true for the first time."""
    if len(flags) < length:
        return None
    runs = np.convolve(flags.astype(int), np.ones(length, dtype=int), "valid") == length
    return int(np.argmax(runs)) if runs.any() else None


def _hem(pixels: ByteArray, figure: BoolArray, start: int, end: int) -> int | None:
    """The row in ``start``-``end`` where the color of the figure's middle changes most, if it changes enough."""
    columns = np.flatnonzero(figure[start:end].any(axis=0)) if end > start else np.array([])
    if columns.size < 3:
        return None
    left, right = np.quantile(columns, (0.3, 0.7)).astype(int)
    inside = figure[:, left : right + 1, np.newaxis]
    counted = np.maximum(inside.sum(axis=1), 1)
    colors = (pixels[:, left : right + 1] * inside).sum(axis=1, dtype=np.float64) / counted
    best, where = _HEM, None
    for row in range(max(start, 1), min(end, len(colors) - 1)):
        above = colors[max(0, row - _HEM_ROWS) : row].mean(axis=0)
        below = colors[row : row + _HEM_ROWS].mean(axis=0)
        change = float(np.linalg.norm(above - below))
        if change > best:
            best, where = change, row
    return where


def _covered(figure: BoolArray, bare: BoolArray, top: int, bottom: int) -> Box | None:
    """The box of what is worn between two rows: the figure without skin, stray pixels left out."""
    height, width = figure.shape
    part = figure[top:bottom]
    if not part.any():
        return None
    middle = part & bare[top:bottom]
    columns = np.flatnonzero(part.any(axis=0))
    left, right = np.quantile(columns, (0.35, 0.65)).astype(int)
    center = part[:, left : right + 1]
    colored_like_skin = middle[:, left : right + 1].sum() >= _SKIN_COLORED * center.sum()
    worn = part if colored_like_skin else part & ~middle
    y, x = np.nonzero(worn)
    if y.size < 16:
        return None
    x1, x2 = np.quantile(x, (0.004, 0.996))
    y1, y2 = np.quantile(y, (0.002, 0.998))
    x1, y1, x2, y2 = x1 / width, (top + y1) / height, (x2 + 1) / width, (top + y2 + 1) / height
    if x2 - x1 < _LEAST or y2 - y1 < _LEAST:
        return None
    return Box(x1, y1, min(1.0, x2), min(1.0, y2))
