"""From feeds to the samples that a query transform is learned from: which photos are worn, and of which kind."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from nitari.catalog.base import FeedRow
from nitari.errors import DataError, NitariError
from nitari.extract import Extractor, unit
from nitari.folds import fold_key
from nitari.images.base import ImageSource, Original
from nitari.training.transform import Samples
from nitari.types import FloatArray, Item, Rejection

CATEGORY = "product_type"


@dataclass(frozen=True, slots=True)
class Shot:
    """A photo to learn from.

    Args:
        link: See ``ImageSource``.
        worn: See ``Samples``.
        studio: See ``Samples``.
        kind: See ``Samples``.
        key: See ``Samples``.
        group: See ``Samples``.
        main: See ``Samples``.
    """

    link: str
    worn: bool
    studio: bool
    kind: str
    key: str
    group: str
    main: bool


@dataclass(frozen=True, slots=True)
class Labels:
    """How items of a feed are labeled.

    Args:
        kind_of: What an item shows, in the words of both catalogs; empty for nothing to be learned.
        is_worn: Whether somebody wears it on its photos.
        studio: Whether the feed is that of worn photos.
    """

    kind_of: Callable[[Item], str]
    is_worn: Callable[[Item], bool]
    studio: bool


def last_category(item: Item) -> str:
    """The last part of an item's category, lower case: what both catalogs may call a kind without being told."""
    parts = category_parts(item)
    return parts[-1].lower() if parts else ""


def category_parts(item: Item) -> tuple[str, ...]:
    """An item's category, from the widest to the narrowest; ``()`` where it has none."""
    value = item.attributes.get(CATEGORY, "")
    text = " > ".join(value) if isinstance(value, tuple) else str(value)
    return tuple(part.strip() for part in text.split(">") if part.strip())


def shots(rows: Iterable[FeedRow | Rejection], labels: Labels) -> Iterator[Shot]:
    """The photos of a feed's items, in its order; rejected rows are left out."""
    prefix = "worn" if labels.studio else "flat"
    for row in rows:
        if isinstance(row, Rejection):
            continue
        item = row.item
        worn = labels.is_worn(item)
        for number, link in enumerate(item.image_links):
            yield Shot(
                link=link,
                worn=worn,
                studio=labels.studio,
                kind=labels.kind_of(item),
                key=fold_key(item),
                group=f"{prefix}:{item.group_id}",
                main=number == 0,
            )


def gather(
    found: Sequence[Shot],
    *,
    extractor: Extractor,
    source: ImageSource,
    workers: int,
    on_photo: Callable[[], None] = lambda: None,
) -> tuple[Samples, list[str]]:
    """Make the vectors of photos, as the gallery has them.

    Returns:
        The samples, in order, without the photos that could not be used; and why those could not.

    Raises:
        DataError: none of the photos can be used.
    """
    kept: list[Shot] = []
    vectors: list[FloatArray] = []
    refused: list[str] = []
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[tuple[Shot, Future[FloatArray]]] = deque()

        def settle() -> None:
            shot, future = waiting.popleft()
            try:
                vectors.append(future.result())
                kept.append(shot)
            except NitariError as exc:
                refused.append(f"{shot.link}: {exc.message}")
            on_photo()

        for shot in found:
            if len(waiting) > 4 * workers:
                settle()
            waiting.append((shot, pool.submit(_vector, extractor, source, shot.link)))
        while waiting:
            settle()
    if not kept:
        reason = f"; {refused[0]}" if refused else ""
        raise DataError(f"none of {len(found)} photos can be used{reason}", code="transform-photos")
    return (
        Samples(
            vectors=np.stack(vectors),
            worn=np.array([shot.worn for shot in kept]),
            studio=np.array([shot.studio for shot in kept]),
            kinds=np.array([shot.kind for shot in kept], dtype=np.str_),
            keys=np.array([shot.key for shot in kept], dtype=np.str_),
            groups=np.array([shot.group for shot in kept], dtype=np.str_),
            main=np.array([shot.main for shot in kept]),
        ),
        refused,
    )


def joined(*parts: Samples) -> Samples:
    """Several samples as one."""
    names = Samples.__slots__
    return Samples(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def _vector(extractor: Extractor, source: ImageSource, link: str) -> FloatArray:
    """One vector of a photo: the mean of its views, where it has several."""
    original = source.fetch(link)
    if not isinstance(original, Original):
        raise AssertionError("a source answers NotModified only to a conditional fetch")
    views = extractor.extract(original.data, describe=False).views
    return unit(np.stack([view.vector for view in views]).mean(axis=0))
