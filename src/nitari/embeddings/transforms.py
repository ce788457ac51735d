"""Query transforms: take out of a query photo's vector what its wearer adds to it, over an index that stays as it is.

Shoppers ask with photos of worn garments; private sellers list garments laid flat. The nearest neighbors of a worn
photo are other worn photos, whatever they wear. Mercari's answer (SIGIR eCom 2019, "Closing the Gap Between Query and
Database through Query Feature Transformation") subtracts a person vector, learned from worn and flat photos, from the
query's non-negative network features. Behind a head, or beside a color histogram, that does next to nothing (measured:
``docs/how-to/worn-photos.md``), so this one moves the final vector, and by what tells best there:

* away from worn photos, along the direction that separates them from flat ones best for how much other photos of one
  kind differ along it (Fisher's linear discriminant): it re-ranks by who wears it and by little else;
* towards flat photos of the kinds that the photo seems to show, along the directions that separate those kinds best:
  what the wearer hid of the kind is put back.

As an index compares by dot product, to move the query is to give each item of the gallery a bonus, linear in its own
vector: nothing of the gallery has to be known.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nitari.errors import ModelError
from nitari.types import FloatArray

MAGIC = "nitari-query-transform"
FORMAT = 1
_ARRAYS = ("cue", "kind_weights", "kind_offsets", "away", "towards")


@dataclass(frozen=True, slots=True, eq=False)
class LinearTransform:
    """Moves the vector of a worn query photo away from worn photos and towards flat ones of its kind.

    ``q' = unit(q + strength * (away + sum of p(kind | q) * towards[kind]))``. Safe to use from several threads.

    Args:
        embedder: Fingerprint of the embedder that makes the vectors; those of others must not be moved.
        kinds: What garments may be; possibly none.
        cue_weights: float32 ``[dim]``, with ``cue_offset`` a logistic regression: is it worn?
        cue_offset: See there.
        kind_weights: float32 ``[kinds, dim]``, with ``kind_offsets`` a softmax regression: which kind, of a worn photo?
        kind_offsets: float32 ``[kinds]``.
        away: float32 ``[dim]``, what is added at strength 1 whatever the kind.
        towards: float32 ``[kinds, dim]``, what is added at strength 1 for each kind, by its probability.
        base: The strength where the photo is worn for certain and nobody says how much, 0-1.
        told: What it was learned from and what was measured, for people: plain values.

    Raises:
        ModelError: arrays that do not fit together, or numbers that are not finite.
    """

    embedder: str
    kinds: tuple[str, ...]
    cue_weights: FloatArray
    cue_offset: float
    kind_weights: FloatArray
    kind_offsets: FloatArray
    away: FloatArray
    towards: FloatArray
    base: float
    told: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dim, kinds = self.cue_weights.size, len(self.kinds)
        shapes = [a.shape for a in (self.cue_weights, self.kind_weights, self.kind_offsets, self.away, self.towards)]
        if shapes != [(dim,), (kinds, dim), (kinds,), (dim,), (kinds, dim)]:
            raise ModelError(f"a query transform of {kinds} kinds has arrays of shapes {shapes}")
        arrays = (self.cue_weights, self.kind_weights, self.kind_offsets, self.away, self.towards)
        if not (np.isfinite(self.cue_offset) and all(np.isfinite(array).all() for array in arrays)):
            raise ModelError("a query transform has numbers that are not finite")
        if not 0.0 <= self.base <= 1.0:
            raise ModelError(f"a query transform has the base strength {self.base}, expected 0-1")

    @property
    def dim(self) -> int:
        """Width of the vectors."""
        return int(self.cue_weights.size)

    def cue(self, vectors: FloatArray) -> float:
        """See ``QueryTransform.cue``: the mean of the views' log odds decides."""
        odds = float((vectors @ self.cue_weights).mean()) + self.cue_offset
        return float(0.5 * (1 + np.tanh(odds / 2)))

    def guess(self, vectors: FloatArray) -> FloatArray:
        """How probable each of ``kinds`` is for what a worn photo shows: float32 ``[kinds]``, sum 1."""
        odds = (vectors @ self.kind_weights.T).mean(axis=0) + self.kind_offsets
        shares = np.exp(odds - odds.max()) if odds.size else odds
        probable: FloatArray = (shares / max(float(shares.sum()), 1e-12)).astype(np.float32)
        return probable

    def apply(self, vectors: FloatArray, strength: float | None = None, *, ease: float = 1.0) -> FloatArray:
        """See ``QueryTransform.apply``. Where nobody says how much: ``base``, by the cue."""
        much = self.base * self.cue(vectors) * ease if strength is None else strength
        if much == 0.0:
            return vectors
        moved = vectors + np.float32(much) * (self.away + self.guess(vectors) @ self.towards)
        lengths = np.linalg.norm(moved, axis=1, keepdims=True)
        # A vector that is moved to nowhere says nothing any more; it stays where it was.
        turned: FloatArray = np.where(lengths > 1e-6, moved / np.maximum(lengths, 1e-6), vectors).astype(np.float32)
        return turned


def to_bytes(transform: LinearTransform) -> bytes:
    """The transform as a file: an uncompressed ``npz``, the same bytes for the same transform."""
    head = {
        "magic": MAGIC,
        "format": FORMAT,
        "embedder": transform.embedder,
        "kinds": list(transform.kinds),
        "cue_offset": transform.cue_offset,
        "base": transform.base,
        "told": dict(transform.told),
    }
    arrays: dict[str, NDArray[Any]] = {
        "head": np.frombuffer(json.dumps(head, sort_keys=True).encode(), np.uint8),
        "cue": transform.cue_weights,
        "kind_weights": transform.kind_weights,
        "kind_offsets": transform.kind_offsets,
        "away": transform.away,
        "towards": transform.towards,
    }
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            part = io.BytesIO()
            np.save(part, array, allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), part.getvalue())  # no time stamp
    return whole.getvalue()


def from_bytes(data: bytes, *, origin: str) -> LinearTransform:
    """The transform that a file holds.

    Args:
        data: What ``to_bytes`` made, of this version or an older one.
        origin: What to call the file in errors.

    Raises:
        ModelError: it is damaged, something else, or of a newer version.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as found:
            head = json.loads(found["head"].tobytes())
            arrays = {name: np.asarray(found[name], np.float32) for name in _ARRAYS}
        if head["magic"] != MAGIC:
            raise ValueError(f"it is a {head['magic']!r}")
        if head["format"] != FORMAT:
            raise ModelError(
                f"{origin} has format {head['format']}, this version of Nitari reads {FORMAT}",
                remedy="upgrade Nitari, or learn it anew: nitari transform fit",
            )
        return LinearTransform(
            embedder=str(head["embedder"]),
            kinds=tuple(map(str, head["kinds"])),
            cue_weights=arrays["cue"],
            cue_offset=float(head["cue_offset"]),
            kind_weights=arrays["kind_weights"],
            kind_offsets=arrays["kind_offsets"],
            away=arrays["away"],
            towards=arrays["towards"],
            base=float(head["base"]),
            told=dict(head["told"]),
        )
    except (ValueError, KeyError, TypeError, OSError, EOFError, zipfile.BadZipFile) as exc:
        raise ModelError(
            f"{origin} is not a query transform, or is damaged: {exc}",
            remedy="learn it anew: nitari transform fit",
        ) from exc


def named(kinds: Sequence[str], shares: FloatArray) -> dict[str, float]:
    """Kinds with their probabilities, most probable first."""
    order = np.argsort(-shares, kind="stable")
    return {kinds[index]: round(float(shares[index]), 4) for index in order}
