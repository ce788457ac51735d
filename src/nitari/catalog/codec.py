"""How values become columns: attributes as canonical JSON, vectors as little-endian fp16, photo features as rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from nitari.catalog.base import PhotoFeatures, StoredRegion, StoredView
from nitari.errors import UsageError
from nitari.types import Attributes, Box, FloatArray

HALF = np.dtype("<f2")
RegionRow: TypeAlias = tuple[float, float, float, float, str, float]
"""``x1, y1, x2, y2, label, score``."""


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """The features of one photo as they are stored; equal exactly when the stored bytes are.

    Args:
        width: Of the upright original, pixels.
        height: Of the upright original, pixels.
        lowlevel: fp16 bytes or ``None``.
        regions: Largest first.
        views: For each key, the region it speaks for and the vector's fp16 bytes.
    """

    width: int
    height: int
    lowlevel: bytes | None
    regions: tuple[RegionRow, ...]
    views: tuple[tuple[RegionRow, bytes], ...]


def encode_attributes(attributes: Attributes) -> str:
    """JSON text, the same for equal attributes: names sorted, lists for tuples, numbers never without a point."""
    plain = {
        name: list(value) if isinstance(value, tuple) else value if isinstance(value, str | bool) else float(value)
        for name, value in attributes.items()
    }
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def decode_attributes(text: str) -> Attributes:
    """The attributes that ``encode_attributes`` wrote, equal in value and type."""
    plain = json.loads(text)
    for name, value in plain.items():
        if isinstance(value, list):
            plain[name] = tuple(value)
    attributes: Attributes = plain
    return attributes


def encode_texts(texts: Sequence[str]) -> str:
    """A JSON list."""
    return json.dumps(list(texts), ensure_ascii=False, separators=(",", ":"))


def decode_texts(text: str) -> tuple[str, ...]:
    """The texts that ``encode_texts`` wrote."""
    return tuple(json.loads(text))


def encode_vector(vector: FloatArray) -> bytes:
    """Little-endian fp16 bytes of a float32 ``[dim]`` vector; components of unit vectors keep 11 bits."""
    return np.asarray(vector).astype(HALF).tobytes()


def decode_vectors(blobs: Iterable[bytes], dim: int) -> FloatArray:
    """Float32 ``[n, dim]`` from ``n`` blobs of ``encode_vector``: one join and one conversion, no loop over rows."""
    halves = np.frombuffer(b"".join(blobs), dtype=HALF).reshape(-1, dim)
    vectors: FloatArray = halves.astype(np.float32)
    return vectors


def encode_features(features: PhotoFeatures, dim: int) -> FeatureRows:
    """The rows of a photo's features.

    Raises:
        UsageError: where there is no view, or a vector is not ``dim`` finite numbers.
    """
    if not features.views:
        raise UsageError("a photo's features hold no view, expected at least one", remedy="give one view per key")
    for view in features.views:
        if view.vector.shape != (dim,) or not np.isfinite(view.vector).all():
            raise UsageError(
                f"a view's vector has shape {view.vector.shape}, expected ({dim},) of finite numbers",
                remedy="extract with the model card that the collection was registered with",
            )
    return FeatureRows(
        features.width,
        features.height,
        None if features.lowlevel is None else encode_vector(features.lowlevel),
        tuple(_region_row(region) for region in features.regions),
        tuple((_region_row(view.region), encode_vector(view.vector)) for view in features.views),
    )


def decode_features(rows: FeatureRows, dim: int) -> PhotoFeatures:
    """The features that ``encode_features`` wrote, to the precision of fp16."""
    vectors = decode_vectors((blob for _region, blob in rows.views), dim)
    lowlevel = None if rows.lowlevel is None else np.frombuffer(rows.lowlevel, dtype=HALF).astype(np.float32)
    return PhotoFeatures(
        width=rows.width,
        height=rows.height,
        regions=tuple(decode_region(row) for row in rows.regions),
        views=tuple(
            StoredView(decode_region(row), vector) for (row, _blob), vector in zip(rows.views, vectors, strict=True)
        ),
        lowlevel=lowlevel,
    )


def region_row(columns: Sequence[Any]) -> RegionRow:
    """A region's six columns as read from the database."""
    x1, y1, x2, y2, label, score = columns
    return (x1, y1, x2, y2, label, score)


def decode_region(row: RegionRow) -> StoredRegion:
    """The region that a row describes."""
    x1, y1, x2, y2, label, score = row
    return StoredRegion(Box(x1, y1, x2, y2), label, score)


def _region_row(region: StoredRegion) -> RegionRow:
    box = region.box
    return (float(box.x1), float(box.y1), float(box.x2), float(box.y2), region.label, float(region.score))
