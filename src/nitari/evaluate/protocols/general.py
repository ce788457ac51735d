"""Beyond fashion: photos of anything, so that a model which forgets everything else is found out.

No labels are needed: pieces of one photo, cut and tinted anew, must find each other. Where photos lie in folders named
after what they show, other photos of the same thing must be found as well.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from nitari import raster
from nitari.catalog.base import FeedRow
from nitari.disk import write_whole
from nitari.errors import DataError, ImageError, UsageError
from nitari.evaluate.protocols.base import (
    GROUP_ID,
    EvalProtocol,
    EvalQuery,
    GalleryFeed,
    Lens,
    Materials,
    folder_of,
    items,
)
from nitari.images.base import Decoder
from nitari.types import Box, ByteArray, Item

VERSION = "1"
"""Of the pieces: another one, other pieces, other folder."""
SIDE = 480
"""Short side that photos are read with, and the longest side of a piece."""
KINDS = "cutouts"
"""The folder whose subfolders are named after what the photos in them show."""
LEAST_OF_A_KIND = 6
QUALITY = 80
PIECES = 4

Piece: TypeAlias = tuple[str, str]
"""A piece's id and file name."""


@dataclass(frozen=True, slots=True)
class _Photo:
    """A photo and its pieces: the first asks, the others may answer."""

    item: Item
    kind: str
    pieces: tuple[Piece, ...]


def general(folder: Path, materials: Materials) -> EvalProtocol:
    """Pieces of photos of anything find the other pieces of their photo, and photos of the same kind of thing.

    From each photo below the folder four pieces are cut: a left, a right, an upper and a lower one, each turned,
    tinted and compressed in a way of its own, drawn from the photo's name. The left one asks; the others of all photos
    may answer. For the kinds, the photo's own pieces are filtered out.
    """
    if materials.decoder is None or materials.work is None:
        raise UsageError("the protocol general cuts photos, for which it needs a decoder and a folder to keep them in")
    feed = materials.open_feed(folder)
    work = materials.work / f"general-{hashlib.sha256(f'{VERSION} {folder}'.encode()).hexdigest()[:16]}"
    work.mkdir(parents=True, exist_ok=True)
    photos = list(_photos(items(feed.read()), folder, work, materials.decoder))
    if len(photos) < 2:
        raise DataError(
            f"{folder} does not fit the protocol general: it holds {len(photos)} usable photos",
            remedy="name a folder of photos; scripts/unrelated-photos DIR makes one",
            code="protocol",
        )
    rows = [
        FeedRow(Item(piece, (file,), group_id=photo.item.item_id, attributes={"kind": photo.kind}), file)
        for photo in photos
        for piece, file in photo.pieces[1:]
    ]
    sizes = Counter(photo.kind for photo in photos)
    queries, same, like = [], {}, {}
    for photo in photos:
        piece, file = photo.pieces[0]
        query = EvalQuery(piece, file, category=photo.kind, fold_key=photo.item.group_id)
        queries.append(query)
        same[piece] = {other: 1 for other, _ in photo.pieces[1:]}
        if photo.kind and sizes[photo.kind] >= LEAST_OF_A_KIND:
            other = f"{piece}@kind"
            apart = {"not": {GROUP_ID: photo.item.item_id}}
            queries.append(replace(query, query_id=other, subject=piece, filter=apart))
            like[other] = {
                found: 1 for one in photos if one.kind == photo.kind and one is not photo for found, _ in one.pieces[1:]
            }
    lenses = (
        Lens("Success@1", "Success@1", meaning="the first hit is of the same photo"),
        Lens("mAP", "mAP", meaning="pieces of the same photo"),
        *([Lens("kind P@10", "P@10", like, meaning="other photos of the same kind of thing")] if like else []),
    )
    gallery = GalleryFeed(f"eval-general:{feed.feed_id}", str(work), rows)
    return EvalProtocol("general", gallery, tuple(queries), same, lenses=lenses)


def _photos(found: list[Item], folder: Path, work: Path, decoder: Decoder) -> Iterator[_Photo]:
    """The photos that can be used, their pieces written where they were not yet."""
    for item in found:
        source = folder / item.image_links[0]
        name = hashlib.sha256(item.item_id.encode()).hexdigest()[:16]
        pieces = tuple((f"{item.item_id}#{number}", f"{name}-{number}.jpg") for number in range(PIECES))
        kind = folder_of(item)
        try:
            if not all((work / file).is_file() for _, file in pieces):
                pixels = decoder.decode(source.read_bytes(), short_side=SIDE).pixels
                for (_, file), cut in zip(pieces, _cuts(pixels, item.item_id), strict=True):
                    write_whole(work / file, raster.encode(cut, quality=QUALITY), durable=False)
        except (ImageError, OSError):
            continue  # what is no photo lies beside photos everywhere
        yield _Photo(item, kind if kind.startswith(f"{KINDS}/") else "", pieces)


def _cuts(pixels: ByteArray, name: str) -> Iterator[ByteArray]:
    """The pieces of a photo, uint8 ``[h, w, 3]`` each, drawn by its name."""
    generator = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    height, width = pixels.shape[:2]
    for box in _boxes(generator):
        left, top, right, bottom = box.x1 * width, box.y1 * height, box.x2 * width, box.y2 * height
        scale = min(1.0, SIDE / max(right - left, bottom - top))
        size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
        piece = raster.resize(pixels, *size, box=(left, top, right, bottom))
        yield _changed(piece, generator)


def _boxes(generator: np.random.Generator) -> Iterator[Box]:
    """A left, a right, an upper and a lower piece; opposite ones share a tenth of the photo at most."""
    for is_wide, is_second in ((False, False), (False, True), (True, False), (True, True)):
        depth, length = generator.uniform(0.4, 0.55), generator.uniform(0.5, 0.8)
        start = generator.uniform(0.0, 1.0 - length)
        near, far = (1.0 - depth, 1.0) if is_second else (0.0, depth)
        yield Box(start, near, start + length, far) if is_wide else Box(near, start, far, start + length)


def _changed(piece: ByteArray, generator: np.random.Generator) -> ByteArray:
    """The piece mirrored or not, in another light: each channel brighter or darker, and a curve over all."""
    if generator.random() < 0.5:
        piece = np.ascontiguousarray(piece[:, ::-1])
    gains, gamma = generator.uniform(0.75, 1.25, 3), generator.uniform(0.7, 1.4)
    levels = np.linspace(0.0, 1.0, 256)[:, None] ** gamma * gains
    curve = np.clip(np.rint(levels * 255.0), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.stack([curve[piece[..., channel], channel] for channel in range(3)], axis=-1))
