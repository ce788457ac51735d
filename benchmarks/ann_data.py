"""Data sets for ``ann.py``: vectors, queries, tags to filter by, and the exact answers. Made once, kept in a folder.

- ``fashion-mnist``: 60,000 pictures of 28 x 28 as 784 numbers (the Debian package ``dataset-fashion-mnist``).
- ``synthetic-100k``, ``-1m``, ``-10m``: a smooth manifold in 128 dimensions whose local intrinsic dimension is 15 to
  20, as of real embeddings; drawn in blocks, so that the smaller sets are the beginning of the larger ones.
- ``real-200k``: vectors of real catalogs' photos by Nitari's default model card, multiplied (see ``_multiplied``).

All rows are unit vectors. Queries and rows to be inserted come from the same distribution and are not among the rows.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ann_protocol import FORMAT, Array, DataSet, K, unit

DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
BLOCK = 100_000
QUERIES = 1000
FILTERED_QUERIES = 500
EXTRA = 20_000
TRUTH_DEPTH = 100
_SCAN_ROWS = 16_384
_SEED = 20_261_123

SHARES = {"50": 0.5, "10": 0.1, "1": 0.01, "01": 0.001}
TAGS = (*(f"r{name}" for name in SHARES), *(f"c{name}" for name in SHARES), "b10")
"""``r``: drawn at random at that share (percent; ``01`` is 0.1 %); ``c``: the rows nearest to some one row, so that
what passes lies together in space, and mostly far from the queries; ``b10``: as ``r10``, drawn once more."""
CONJUNCTIONS = (("r50", "c10"), ("r10", "b10"), ("r10", "c1"))
FILTERS = {**{tag: (tag,) for tag in TAGS if tag != "b10"}, **{"+".join(tags): tags for tags in CONJUNCTIONS}}


@dataclass(frozen=True)
class Sources:
    """Where data comes from.

    Args:
        fashion: Folder with the four ``*-ubyte.gz`` files of Fashion-MNIST.
        catalogs: Folder under which catalogs' photos lie (``*.jpg``, at any depth); ``None`` where there is none.
    """

    fashion: Path = DEBIAN_FOLDER
    catalogs: Path | None = None


Draw = Callable[[int, int], Array]
"""From a stream's number and a count to that many unit rows, float32; the same ones each time."""


@dataclass(frozen=True)
class Recipe:
    """How a data set is made.

    Args:
        make: Writes ``rows.npy`` (by blocks), and returns the queries and the rows to insert.
        filtered: Whether filters are measured on it.
    """

    make: Callable[[Path, Sources], tuple[Array, Array]]
    filtered: bool = True


def prepare(name: str, folder: Path, sources: Sources) -> DataSet:
    """The data set, made now if it is not there; half-made ones are never seen."""
    target = folder / name
    if not (target / "meta.json").exists():
        making = folder / f"{name}.making"
        shutil.rmtree(making, ignore_errors=True)
        (making / "truth").mkdir(parents=True)
        _make(name, making, sources)
        shutil.rmtree(target, ignore_errors=True)
        making.replace(target)
    return DataSet(target)


def _make(name: str, folder: Path, sources: Sources) -> None:
    recipe = RECIPES[name]
    queries, extra = recipe.make(folder, sources)
    np.save(folder / "queries.npy", queries)
    np.save(folder / "extra.npy", extra)
    rows = np.load(folder / "rows.npy", mmap_mode="r")
    masks: dict[str, NDArray[np.bool_]] = {}
    if recipe.filtered:
        tags = _tags(rows)
        np.save(folder / "tags.npy", tags)
        masks = {name: tags[:, [TAGS.index(tag) for tag in wanted]].all(axis=1) for name, wanted in FILTERS.items()}
    nearest, scores = exact(rows, queries, TRUTH_DEPTH, {"none": None})["none"]
    np.save(folder / "truth" / "none.npy", nearest)
    for name_, (ids, _) in exact(rows, queries[:FILTERED_QUERIES], K, masks).items():
        np.save(folder / "truth" / f"{name_}.npy", ids)
    meta = {
        "format": FORMAT,
        "name": name,
        "rows": len(rows),
        "dim": int(rows.shape[1]),
        "tags": list(TAGS) if recipe.filtered else [],
        "filters": {name: list(FILTERS[name]) for name in masks},
        "shares": {name: float(mask.mean()) for name, mask in masks.items()},
        "lid": intrinsic_dimension(np.sqrt(np.maximum(2 - 2 * scores, 0))),
    }
    (folder / "meta.json").write_text(json.dumps(meta, indent=2), encoding="utf-8")


def exact(
    rows: NDArray[Any], queries: Array, k: int, masks: Mapping[str, NDArray[np.bool_] | None]
) -> dict[str, tuple[NDArray[np.int32], Array]]:
    """The true ``k`` nearest rows by mask: ids (-1 where there are fewer) and cosines, best first, for each query."""
    found = {
        name: (np.full((len(queries), k), -1, np.int32), np.full((len(queries), k), -np.inf, np.float32))
        for name in masks
    }
    if not masks:
        return found
    for start in range(0, len(rows), _SCAN_ROWS):
        block = np.asarray(rows[start : start + _SCAN_ROWS], np.float32)
        cosines = queries @ block.T
        for name, mask in masks.items():
            allowed = None if mask is None else np.flatnonzero(mask[start : start + len(block)])
            of_allowed = cosines if allowed is None else cosines[:, allowed]
            _merge(found[name], of_allowed, np.arange(len(block)) + start if allowed is None else allowed + start)
    return found


def _merge(best: tuple[NDArray[np.int32], Array], cosines: Array, ids: NDArray[np.int64]) -> None:
    """Put what is better into the best of each query, in place."""
    best_ids, best_cosines = best
    k = best_ids.shape[1]
    if cosines.shape[1] > 8 * k:  # of many, only those that are better than the worst kept one are worth sorting
        floor = best_cosines[:, -1].copy()
        fresh = ~np.isfinite(floor)
        if fresh.any():
            floor[fresh] = np.partition(cosines[fresh], -k, axis=1)[:, -k] - 1e-7
        better = cosines > floor[:, np.newaxis]
    else:
        better = np.ones(cosines.shape, bool)
    for query in np.flatnonzero(better.any(axis=1)):
        columns = np.flatnonzero(better[query])
        all_cosines = np.concatenate([best_cosines[query], cosines[query, columns]])
        all_ids = np.concatenate([best_ids[query], ids[columns]])
        order = np.argsort(-all_cosines, kind="stable")[:k]
        best_cosines[query], best_ids[query] = all_cosines[order], all_ids[order]


def intrinsic_dimension(distances: Array) -> float:
    """Local intrinsic dimension, the mean over queries of the maximum-likelihood estimator.

    Levina and Bickel, Maximum Likelihood Estimation of Intrinsic Dimension, NIPS 2004; Amsaleg et al., KDD 2015.

    Args:
        distances: Euclidean distances of the nearest rows, ascending: ``[queries, neighbors]``.
    """
    ratios = np.maximum(distances[:, :-1], 1e-9) / np.maximum(distances[:, -1:], 1e-9)
    return float(np.mean(-1 / np.minimum(np.mean(np.log(ratios), axis=1), -1e-9)))


def _tags(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Bool ``[rows, tags]``, drawn in blocks as the rows are."""
    rng = np.random.default_rng([_SEED, 1])
    sample = np.asarray(rows[:BLOCK], np.float32)
    anchors = {f"c{name}": sample[rng.integers(len(sample))] for name in SHARES}
    reach = {tag: np.quantile(sample @ anchor, 1 - SHARES[tag[1:]]) for tag, anchor in anchors.items()}
    tags = np.empty((len(rows), len(TAGS)), bool)
    for number, start in enumerate(range(0, len(rows), BLOCK)):
        block = np.asarray(rows[start : start + BLOCK], np.float32)
        rng = np.random.default_rng([_SEED, 2, number])
        for column, tag in enumerate(TAGS):
            drawn = rng.random(len(block), np.float32) < SHARES[tag[1:]]
            tags[start : start + BLOCK, column] = block @ anchors[tag] >= reach[tag] if tag in anchors else drawn
    return tags


def _write_rows(folder: Path, count: int, dim: int, dtype: Any, blocks: Iterator[Array]) -> None:
    rows = np.lib.format.open_memmap(folder / "rows.npy", mode="w+", dtype=dtype, shape=(count, dim))
    start = 0
    for block in blocks:
        rows[start : start + len(block)] = block
        start += len(block)
    rows.flush()


def _synthetic(count: int) -> Callable[[Path, Sources], tuple[Array, Array]]:
    def make(folder: Path, sources: Sources) -> tuple[Array, Array]:
        draw = manifold()
        sizes = [min(BLOCK, count - start) for start in range(0, count, BLOCK)]
        dtype = np.float32 if count <= 1_000_000 else np.float16
        _write_rows(folder, count, 128, dtype, (draw(number, size) for number, size in enumerate(sizes)))
        return draw(10**6, QUERIES), draw(10**6 + 1, EXTRA)

    return make


def manifold(charts: int = 4, latent: int = 32, space: int = 48, hidden: int = 64, dim: int = 128) -> Draw:
    """A few normal distributions in a latent space, bent by a smooth random map into ``dim``, a little noise added.

    Sizes are set so that the estimated local intrinsic dimension comes out at 15 to 20.
    """
    rng = np.random.default_rng([_SEED, 3])
    centers = rng.normal(size=(charts, space))
    axes = rng.normal(size=(charts, latent, space)) / np.sqrt(latent)
    bend = rng.normal(size=(space, hidden)) * 1.5 / np.sqrt(space)
    bias = rng.normal(size=hidden) * 0.5
    lift = rng.normal(size=(hidden, dim)) / np.sqrt(hidden)

    def draw(stream: int, count: int) -> Array:
        # All of a block is drawn, so that a part of it is the same as of the whole.
        rng = np.random.default_rng([_SEED, 4, stream])
        chart = rng.integers(charts, size=BLOCK)[:count]
        latents = rng.normal(size=(BLOCK, latent))[:count]
        noise = rng.standard_normal((BLOCK, dim), np.float32)[:count]
        spaced = np.empty((count, space))
        for number in range(charts):
            inside = chart == number
            spaced[inside] = centers[number] + latents[inside] @ axes[number]
        return unit(np.tanh(spaced @ bend + bias) @ lift + 0.02 * noise)

    return draw


def _fashion(folder: Path, sources: Sources) -> tuple[Array, Array]:
    train, test = (_read_pictures(sources.fashion, name) for name in ("train", "t10k"))
    _write_rows(folder, len(train), train.shape[1], np.float32, iter([train]))
    order = np.random.default_rng([_SEED, 5]).permutation(len(test))
    return test[order[:QUERIES]], test[order[QUERIES:]]


def _read_pictures(folder: Path, name: str) -> Array:
    path = folder / f"{name}-images-idx3-ubyte.gz"
    if not path.exists():
        raise SystemExit(f"{path} is not there; install the Debian package dataset-fashion-mnist or give --fashion DIR")
    with gzip.open(path) as file:
        data = np.frombuffer(file.read(), np.uint8, offset=16)
    return unit(data.reshape(-1, 784).astype(np.float32))


def _real(folder: Path, sources: Sources) -> tuple[Array, Array]:
    count = 200_000
    seeds = _photo_vectors(folder.parent, sources)
    order = np.random.default_rng([_SEED, 6]).permutation(len(seeds))
    held_out, kept = seeds[order[: QUERIES // 2]], seeds[order[QUERIES // 2 :]]
    draw = _multiplied(kept)
    sizes = [min(BLOCK, count - start) for start in range(0, count, BLOCK)]
    _write_rows(folder, count, seeds.shape[1], np.float32, (draw(number, size) for number, size in enumerate(sizes)))
    further = draw(10**6, QUERIES - len(held_out))
    return np.concatenate([held_out, further])[np.random.default_rng([_SEED, 7]).permutation(QUERIES)], draw(
        10**6 + 1, 5000
    )


def _multiplied(seeds: Array, neighbors: int = 10, jitter: float = 0.15) -> Draw:
    """Many vectors of few photos: a photo's, moved up to half of the way to one of its nearest, plus noise.

    That stands for other crops and shots of alike products, at no cost of running the network; noise is normal, its
    length ``jitter`` (a cosine of about .99 to the vector without it).
    """
    near = exact(seeds, seeds, neighbors + 1, {"all": None})["all"][0][:, 1:]

    def draw(stream: int, count: int) -> Array:
        rng = np.random.default_rng([_SEED, 8, stream])
        first = rng.integers(len(seeds), size=count)
        second = near[first, rng.integers(neighbors, size=count)]
        share = rng.uniform(0, 0.5, (count, 1)).astype(np.float32)
        noise = rng.standard_normal((count, seeds.shape[1]), np.float32) * (jitter / np.sqrt(seeds.shape[1]))
        return unit(seeds[first] * (1 - share) + seeds[second] * share + noise)

    return draw


def _photo_vectors(folder: Path, sources: Sources) -> Array:
    """Each photo's vector by the default card, in order of their paths; kept, as it takes a tenth of a second each."""
    path = folder / "photo-vectors.npy"
    if path.exists():
        kept: Array = np.load(path)
        return kept
    if sources.catalogs is None:
        raise SystemExit("real-200k is made of catalogs' photos; give --catalogs DIR, or leave it out of --data")
    from nitari.settings import load_settings
    from nitari.wiring import open_extractor

    photos = sorted(sources.catalogs.rglob("*.jpg"))
    if len(photos) < 2 * QUERIES:
        raise SystemExit(f"{sources.catalogs} holds {len(photos)} photos (*.jpg); at least {2 * QUERIES} are needed")
    extractor = open_extractor(load_settings(home=folder / "photo-home"))
    vectors = np.stack([extractor.extract(photo.read_bytes()).views[0].vector for photo in photos])
    making = path.with_suffix(".making.npy")
    np.save(making, vectors)
    making.replace(path)
    return vectors


def _small(folder: Path, sources: Sources) -> tuple[Array, Array]:
    """A set to try everything on."""
    draw = manifold()
    _write_rows(folder, 3000, 128, np.float32, iter([draw(0, 3000)]))
    return draw(10**6, QUERIES // 5), draw(10**6 + 1, 1000)


RECIPES = {
    "fashion-mnist": Recipe(_fashion),
    "synthetic-100k": Recipe(_synthetic(100_000)),
    "synthetic-1m": Recipe(_synthetic(1_000_000)),
    "synthetic-10m": Recipe(_synthetic(10_000_000), filtered=False),
    "real-200k": Recipe(_real),
    "smoke": Recipe(_small),
}
