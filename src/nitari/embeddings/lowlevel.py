"""The low-level descriptor: color and texture of a product's pixels, without a network (FavNavi, DESIGN 2).

Two histograms, each compared by the Bhattacharyya coefficient: the square root of a histogram that sums to 1 is a unit
vector, and the dot product of two of them is that coefficient (Aherne et al., "The Bhattacharyya metric as an absolute
similarity measure for frequency coded data", 1998).

* color (180): a joint histogram over CIE L*a*b* with few, unevenly spaced bins, each pixel shared among its 8
  neighboring bins, so that a slightly different exposure moves little mass.
* texture (120): gradient orientation by strength at two scales (80), and rotation-invariant uniform local binary
  patterns of lightness and of chroma at two scales (40; Ojala et al., PAMI 2002).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from nitari.embeddings.preprocess import pixel_frame
from nitari.raster import resize
from nitari.types import Block, ByteArray, FloatArray, Photo, Region

IndexArray: TypeAlias = NDArray[np.intp]

REVISION = 2
LONG_SIDE = 64
"""Pixels of the region's long side at which it is described: as accurate as 96, faster, and JPEG noise vanishes."""

# Bin centers. Neutral (a = b = 0) is a center, since most garments are nearly neutral; beyond the ends, the end's bin.
_LIGHTNESS = np.array([10.0, 30.0, 50.0, 70.0, 90.0])
_RED_GREEN = np.array([-45.0, -18.0, 0.0, 18.0, 40.0, 65.0])
_YELLOW_BLUE = np.array([-50.0, -22.0, 0.0, 18.0, 40.0, 70.0])
COLOR_AXES = (_LIGHTNESS, _RED_GREEN, _YELLOW_BLUE)

_STRENGTH = np.array([1.0, 3.0, 8.0, 18.0, 40.0])  # gradient, L* a pixel
_ORIENTATIONS = 8
_PATTERNS = 10  # riu2: 0-8 set neighbors, and one bin for all that is not uniform
_FLAT = 1.5  # a neighbor must be this much lighter to count: sensor noise and JPEG ripples must not
_RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
_SCALES = (1, 2)
_WINDOW = 3  # pixels that a gradient or a pattern looks at, across

COLOR_DIM = math.prod(len(axis) for axis in COLOR_AXES)
TEXTURE_DIM = len(_SCALES) * (_ORIENTATIONS * len(_STRENGTH) + 2 * _PATTERNS)
COLOR_SHARE = 0.75
"""How much of two descriptors' likeness is color; the rest is texture."""

# Where the mask leaves less than this share of the box, it says nothing about the box, and every pixel counts.
_LEAST_COVER = 0.1
# sRGB, D65: IEC 61966-2-1; rows are already divided by the white point.
_LINEAR = np.where(
    np.arange(256) <= 10, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
).astype(np.float32)
_TO_XYZ = (
    np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
    / np.array([[0.95047], [1.0], [1.08883]])
).astype(np.float32)
_EPSILON, _KAPPA = 216 / 24389, 24389 / 27


class LowLevelDescriptor:
    """Describes color (180) and texture (120) of a region: 300 numbers, none negative, unit length, deterministic."""

    @property
    def dim(self) -> int:
        """300."""
        return COLOR_DIM + TEXTURE_DIM

    @property
    def fingerprint(self) -> str:
        """Changes with this module's constants; ``REVISION`` goes up when its arithmetic does."""
        constants = (REVISION, LONG_SIDE, COLOR_SHARE, _LIGHTNESS, _RED_GREEN, _YELLOW_BLUE, _STRENGTH, _FLAT)
        return hashlib.sha256(f"{self.name} {constants} {_LEAST_COVER}".encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """``lowlevel-300``: how cards and collections call it."""
        return f"lowlevel-{self.dim}"

    @property
    def blocks(self) -> tuple[Block, ...]:
        """Color, then texture."""
        return Block("color", 0, COLOR_DIM), Block("texture", COLOR_DIM, self.dim)

    def describe(self, photo: Photo, region: Region) -> FloatArray:
        """float32 ``[300]``, unit length, of the region's pixels.

        The mask, where there is one that covers part of the box, weighs the pixels; else all pixels of the box count.
        """
        lab, weights = region_lab(photo, region)
        color = root(color_histogram(lab, weights))
        texture = root(texture_histogram(lab, weights))
        parts = (math.sqrt(COLOR_SHARE) * color, math.sqrt(1 - COLOR_SHARE) * texture)
        joined = np.concatenate(parts)
        described: FloatArray = (joined / np.linalg.norm(joined)).astype(np.float32)
        return described


def region_lab(photo: Photo, region: Region) -> tuple[FloatArray, FloatArray]:
    """A region's pixels as they are described: L*a*b*, float32 ``[h, w, 3]``, and how much each counts, ``[h, w]``."""
    frame = pixel_frame(photo.pixels, region.box)
    across, down = frame[2] - frame[0], frame[3] - frame[1]
    scale = LONG_SIDE / max(across, down)
    size = (max(1, round(across * scale)), max(1, round(down * scale)))
    return lab_of(resize(photo.pixels, *size, box=frame, halved=True)), _weights(region, size)


def lab_of(pixels: ByteArray) -> FloatArray:
    """From sRGB, uint8 ``[h, w, 3]``, to CIE L*a*b* (D65), float32 of that shape: L* 0-100, a* and b* about +-100."""
    xyz = _LINEAR[pixels] @ _TO_XYZ.T
    f = np.where(xyz > _EPSILON, np.cbrt(xyz), (_KAPPA * xyz + 16) / 116).astype(np.float32)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), axis=-1)


def _weights(region: Region, size: tuple[int, int]) -> FloatArray:
    """How much each pixel counts: float32 ``[h, w]``, 0-1, for a region resized to ``size`` (width, height)."""
    width, height = size
    everything = np.ones((height, width), dtype=np.float32)
    if region.mask is None:
        return everything
    rows, columns = region.mask.shape
    box = region.box
    y = ((box.y1 + (np.arange(height) + 0.5) / height * (box.y2 - box.y1)) * rows).astype(np.intp).clip(0, rows - 1)
    x = ((box.x1 + (np.arange(width) + 0.5) / width * (box.x2 - box.x1)) * columns).astype(np.intp)
    # Squared: half-sure pixels are mostly the rim, where product and background mix.
    weights: FloatArray = np.square(region.mask[np.ix_(y, x.clip(0, columns - 1))].astype(np.float32) / 255)
    return weights if float(weights.mean()) >= _LEAST_COVER else everything


def color_histogram(lab: FloatArray, weights: FloatArray) -> FloatArray:
    """Joint histogram ``[180]`` of weighted pixels, each shared among its 8 neighboring bins."""
    histogram: FloatArray = color_histograms(lab, weights)[0].astype(np.float32)
    return histogram


def color_histograms(
    lab: FloatArray, weights: FloatArray, axes: Sequence[NDArray[np.float64]] = COLOR_AXES, *, by_row: bool = False
) -> NDArray[np.float64]:
    """Joint histograms of weighted pixels, each shared among its 8 neighboring bins.

    Args:
        lab: float32 ``[h, w, 3]``.
        weights: float32 ``[h, w]``: how much each pixel counts.
        axes: The bins' centers, by channel; those of the color histogram (180 bins) if not given.
        by_row: Whether each row of pixels has a histogram of its own.

    Returns:
        float64 ``[h, bins]``, or ``[1, bins]`` for all rows together.
    """
    rows, bins = lab.shape[0] if by_row else 1, math.prod(len(centers) for centers in axes)
    seen = np.flatnonzero(weights)
    index = (seen // lab.shape[1] if by_row else np.zeros_like(seen))[np.newaxis]
    share = weights.ravel()[np.newaxis, seen]
    for channel, centers in enumerate(axes):  # twice as many shares after each: of the bin below and of the one above
        low, upper = share_of(lab[..., channel].ravel()[seen], centers)
        places = np.stack((low, np.minimum(low + 1, len(centers) - 1)))
        index = (index * len(centers) + places[:, np.newaxis]).reshape(-1, seen.size)
        share = (share * np.stack((1 - upper, upper))[:, np.newaxis]).reshape(-1, seen.size)
    total = np.bincount(index.ravel(), weights=share.ravel(), minlength=rows * bins)
    return total.astype(np.float64, copy=False).reshape(rows, bins)


def texture_histogram(lab: FloatArray, weights: FloatArray) -> FloatArray:
    """Gradient and pattern histograms ``[120]``, both scales; all zeros where the region is too small to have any."""
    chroma: FloatArray = np.hypot(lab[..., 1], lab[..., 2])
    parts: list[FloatArray] = []
    for scale in _SCALES:
        light, tint, own = (_shrink(channel, scale) for channel in (lab[..., 0], chroma, weights))
        if min(light.shape) < _WINDOW:
            parts.append(np.zeros(TEXTURE_DIM // len(_SCALES), dtype=np.float32))
            continue
        inner = own[1:-1, 1:-1]
        # Only pixels whose neighbors belong to the product too: the outline is the pose's, not the cloth's.
        for dy, dx in _RING:
            inner = np.minimum(inner, _neighbor(own, dy, dx))
        parts += [_gradients(light, inner), _patterns(light, inner), _patterns(tint, inner)]
    return np.concatenate(parts)


def _gradients(light: FloatArray, weights: FloatArray) -> FloatArray:
    """Histogram ``[orientations * strengths]`` of lightness gradients, shared among neighboring bins."""
    dy = (_neighbor(light, 1, 0) - _neighbor(light, -1, 0)) / 2
    dx = (_neighbor(light, 0, 1) - _neighbor(light, 0, -1)) / 2
    low, upper = share_of(np.hypot(dx, dy).ravel(), _STRENGTH)
    turn = (np.arctan2(dy, dx) / np.pi % 1.0).ravel() * _ORIENTATIONS
    first = turn.astype(np.intp)
    part = turn - first
    bins = len(_STRENGTH)
    total = np.zeros(_ORIENTATIONS * bins)
    for orientation, share_o in ((first % _ORIENTATIONS, 1 - part), ((first + 1) % _ORIENTATIONS, part)):
        for strength, share_s in ((low, 1 - upper), (np.minimum(low + 1, bins - 1), upper)):
            total += np.bincount(
                orientation * bins + strength, weights=weights.ravel() * share_o * share_s, minlength=total.size
            )
    return total.astype(np.float32)


def _patterns(channel: FloatArray, weights: FloatArray) -> FloatArray:
    """Histogram ``[10]`` of rotation-invariant uniform local binary patterns (LBP riu2, 8 neighbors, radius 1)."""
    center = channel[1:-1, 1:-1]
    ring = np.stack([_neighbor(channel, dy, dx) > center + _FLAT for dy, dx in _RING])
    changes = (ring != np.roll(ring, 1, axis=0)).sum(axis=0)
    pattern = np.where(changes <= 2, ring.sum(axis=0), _PATTERNS - 1)
    return np.bincount(pattern.ravel(), weights=weights.ravel(), minlength=_PATTERNS).astype(np.float32)


def share_of(values: FloatArray, centers: NDArray[np.float64]) -> tuple[IndexArray, FloatArray]:
    """The bin below each value, and the share (0-1) that goes to the bin above it."""
    place = np.interp(values, centers, np.arange(len(centers)))
    low = place.astype(np.intp)
    return low, (place - low).astype(np.float32)


def _neighbor(channel: FloatArray, dy: int, dx: int) -> FloatArray:
    """The inner part of ``channel`` (its shape less 2), shifted."""
    height, width = channel.shape
    return channel[1 + dy : height - 1 + dy, 1 + dx : width - 1 + dx]


def _shrink(channel: FloatArray, by: int) -> FloatArray:
    """Means of ``by`` x ``by`` blocks; what is left over at the edges is dropped."""
    if by == 1:
        return channel
    height, width = channel.shape[0] // by, channel.shape[1] // by
    blocks: FloatArray = channel[: height * by, : width * by].reshape(height, by, width, by).mean(axis=(1, 3))
    return blocks


def root(histogram: FloatArray) -> FloatArray:
    """The square root of a histogram scaled to sum 1: a unit vector; zeros stay zeros."""
    total = float(histogram.sum())
    rooted: FloatArray = np.sqrt(histogram / total) if total > 0 else histogram
    return rooted
