"""Photos of feeds, small, with the masks of a teacher: kept in a folder, so that a repetition runs no teacher again.

Layout: ``NNNNN.npy`` holds uint8 ``[n, SIDE, SIDE, 4]``, RGB and mask, of up to ``CHUNK`` photos; ``NNNNN.json`` says
what they are, and is written last: what has none is made anew. Killed at any line, at most one chunk is lost.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from nitari.errors import NitariError, UsageError
from nitari.folds import fold_key
from nitari.images.base import Decoder
from nitari.regions.base import RegionFinder
from nitari.training.finder_labels import Labels
from nitari.training.finder_shots import SIDE, Shot, known_regions, square, tight_box
from nitari.types import Box, ByteArray, Item

CHUNK = 256
_MAGIC = "nitari-finder-photos"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Source:
    """A photo to be gathered.

    Args:
        link: As the feed has it, for messages and for what is kept.
        owner: Whose it is (``folds.fold_key``): photos of one owner are never on both sides.
        product_type: As the feed has it.
        read: Its bytes.
    """

    link: str
    owner: str
    product_type: str
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a photo beside its pixels.

    Args:
        link: See ``Source``.
        owner: See ``Source``.
        product_type: See ``Source``.
        aspect: Width over height of the original.
        box: The teacher's largest, with its margin, in shares; ``None`` where it found nothing.
    """

    link: str
    owner: str
    product_type: str
    aspect: float
    box: tuple[float, float, float, float] | None


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """All photos of a folder.

    Args:
        kept: What is known of each.
        pixels: Each as uint8 ``[SIDE, SIDE, 4]``, RGB and mask; read from the disk when it is looked at.
        problems: Photos that could not be used, with the reason.
    """

    kept: tuple[Kept, ...]
    pixels: tuple[ByteArray, ...]
    problems: tuple[str, ...]

    def shot(self, number: int, labels: Labels) -> Shot | None:
        """A photo to learn from; ``None`` where its type has no label or the teacher found nothing on it."""
        kept = self.kept[number]
        kind = labels.of(kept.product_type)
        if kind is None or kept.box is None:
            return None
        image, mask = split(self.pixels[number])
        box = largest_box(mask, kept.box)
        if box is None:
            return None
        regions, worn = known_regions(image, mask, label=kind.label, shoes=labels.shoes, worn=kind.worn, box=box)
        return Shot(image, mask, kept.aspect, regions, worn)


def sources(items: Iterable[Item], reader: Callable[[str], bytes], labels: Labels) -> Iterator[Source]:
    """The photos of items whose type has a label."""
    for item in items:
        product_type = str(item.attributes.get("product_type", ""))
        if labels.of(product_type) is None:
            continue
        for link in item.image_links:
            yield Source(link, fold_key(item), product_type, partial(reader, link))


def gather(
    photos: Iterable[Source],
    *,
    decoder: Decoder,
    teacher: RegionFinder,
    folder: Path,
    workers: int = 1,
    on_done: Callable[[int], None] = lambda _done: None,
) -> Gathered:
    """Every photo with its teacher's mask; those that are in ``folder`` already are taken from there.

    Args:
        photos: In the same order each time.
        decoder: Bytes to photo.
        teacher: A finder whose regions have masks.
        folder: Where they are kept.
        workers: Photos at a time.
        on_done: Told how many are done.

    Raises:
        UsageError: no photo that can be learned from.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept: list[Kept] = []
    pixels: list[ByteArray] = []
    problems: list[str] = []
    waiting = iter(photos)
    number = done = 0
    with ThreadPoolExecutor(workers) as pool:
        while chunk := list(islice(waiting, CHUNK)):
            path = folder / f"{number:05}.npy"
            key = _key(chunk, teacher.fingerprint)
            found = _load(path, key)
            if found is None:
                _make(path, key, chunk, decoder, teacher, pool)
                found = _load(path, key)
            if found is None:
                raise UsageError(f"{path} was written and cannot be read", remedy=f"check the disk of {folder}")
            head, rows = found
            kept += [Kept(**{**entry, "box": entry["box"] and tuple(entry["box"])}) for entry in head["photos"]]
            problems += head["problems"]
            pixels += list(rows)
            number, done = number + 1, done + len(chunk)
            on_done(done)
    if not kept:
        told = f"; the first: {problems[0]}" if problems else ""
        raise UsageError(
            f"there is no photo to learn from{told}",
            remedy="give feeds whose product_type the labels name (--labels), with photos that can be read",
        )
    return Gathered(tuple(kept), tuple(pixels), tuple(problems))


def split(rows: ByteArray) -> tuple[ByteArray, ByteArray]:
    """A kept photo's RGB and its mask, each C-contiguous."""
    return np.ascontiguousarray(rows[..., :3]), np.ascontiguousarray(rows[..., 3])


def largest_box(mask: ByteArray, box: tuple[float, float, float, float]) -> tuple[float, float, float, float] | None:
    """The tight box of the figure inside the teacher's (grown) box."""
    x1, y1, x2, y2 = (round(v * SIDE) for v in box)
    inside = np.zeros_like(mask)
    inside[y1:y2, x1:x2] = mask[y1:y2, x1:x2]
    return tight_box(inside)


def _key(chunk: list[Source], fingerprint: str) -> str:
    lines = [fingerprint, *(f"{photo.link}\t{photo.owner}\t{photo.product_type}" for photo in chunk)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _load(path: Path, key: str) -> tuple[dict[str, Any], ByteArray] | None:
    """A chunk, if it is there whole and made of the same."""
    try:
        head = json.loads(path.with_suffix(".json").read_text("utf-8"))
        if (head.get("magic"), head.get("format"), head.get("key")) != (_MAGIC, _FORMAT, key):
            return None
        rows: ByteArray = np.load(path, mmap_mode="r")
    except (OSError, ValueError):
        return None
    return (head, rows) if rows.shape == (len(head["photos"]), SIDE, SIDE, 4) else None


def _make(
    path: Path, key: str, chunk: list[Source], decoder: Decoder, teacher: RegionFinder, pool: ThreadPoolExecutor
) -> None:
    made = list(pool.map(lambda photo: _taught(photo, decoder, teacher), chunk))
    good = [entry for entry in made if not isinstance(entry, str)]
    head = {
        "magic": _MAGIC,
        "format": _FORMAT,
        "key": key,
        "photos": [asdict(kept) for kept, _ in good],
        "problems": [entry for entry in made if isinstance(entry, str)],
    }
    path.with_suffix(".json").unlink(missing_ok=True)
    rows = np.stack([rows for _, rows in good]) if good else np.zeros((0, SIDE, SIDE, 4), np.uint8)
    draft = path.with_suffix(".draft.npy")
    np.save(draft, rows)
    draft.replace(path)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(head), "utf-8")
    draft.replace(path.with_suffix(".json"))


def _taught(photo: Source, decoder: Decoder, teacher: RegionFinder) -> tuple[Kept, ByteArray] | str:
    """A photo with its mask, or why not."""
    try:
        decoded = decoder.decode(photo.read(), short_side=max(SIDE, teacher.short_side))
        found = teacher.find(decoded)
    except NitariError as exc:
        return f"{photo.link}: {exc.message}"
    mask = found[0].mask if found else None
    rows = np.zeros((SIDE, SIDE, 4), np.uint8)
    rows[..., :3] = square(decoded.pixels)
    if mask is not None:
        rows[..., 3] = square(mask)
    box = found[0].box if found and mask is not None else None
    return Kept(photo.link, photo.owner, photo.product_type, decoded.aspect, _numbers(box)), rows


def _numbers(box: Box | None) -> tuple[float, float, float, float] | None:
    return (box.x1, box.y1, box.x2, box.y2) if box else None
