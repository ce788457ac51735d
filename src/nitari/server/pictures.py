"""Small pictures of the catalog's photos: made once, kept on disk."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from nitari.catalog.base import Catalog, StoredImage, StoredItem
from nitari.errors import ConfigurationError, FetchError, NotFoundError, UsageError
from nitari.images.base import Decoder, ImageSource, NotModified, Original, Originals, shown
from nitari.server.reencode import reencode
from nitari.server.services import Picture
from nitari.server.thumbnails import ThumbnailCache

STEPS = (160, 320, 480, 640, 960, 1280, 2048)
"""The longest sides that are made, pixels: few, so that one photo cannot fill the cache."""
QUALITY = 82
FAILED_S = 30.0
"""How long a photo that could not be fetched is not tried again: a slow web server must not hold up every page."""
_MOST_FAILURES = 1000

_Key: TypeAlias = tuple[str | None, str, str, int]


def step_for(size: int) -> int:
    """The longest side that is made for ``size``, pixels: the next larger step, or the largest one.

    Raises:
        UsageError: a size below 1.
    """
    if size < 1:
        raise UsageError(f"size {size} is no size; expected pixels, 1-{STEPS[-1]}", code="size")
    return next((step for step in STEPS if step >= size), STEPS[-1])


class CatalogPictures:
    """The ``Pictures`` port over the catalog. Use it as a context manager, or ``close`` it.

    A picture comes from the cache, else from the kept original, else from wherever the photo's link leads. The same
    picture asked for many times at once is made once. A photo that has changed since its import is shown as it is now.

    Args:
        catalog: Which photos an item has.
        originals: Photos kept by digest: those from the web, and uploads.
        sources: From a feed's folder to the source of its photos; called once for each folder.
        decoder: Bytes to photo.
        folder: Of the cache.
        max_bytes: Most disk space for the cache, bytes; 0 to keep nothing.
        decodes: Most photos decoded at a time; as many as there are cores if not given.
        clock: Seconds, for how long failures are remembered.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        originals: Originals,
        sources: Callable[[str | None], ImageSource],
        decoder: Decoder,
        folder: Path,
        max_bytes: int,
        decodes: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._originals = originals
        self._decoder = decoder
        self._cache = ThumbnailCache(folder, max_bytes=max_bytes)
        self._fetcher = _Fetcher(sources, clock)
        self._decodes = threading.BoundedSemaphore(decodes or os.cpu_count() or 1)
        self._lock = threading.Lock()
        self._making: dict[_Key, Future[Picture]] = {}

    def original(self, item_id: str, *, link: str | None) -> bytes:
        """The file of an item's photo: the kept original, else whatever is behind its link now.

        Raises:
            NotFoundError: no such item, or the item has no such photo.
            FetchError: a photo that cannot be had any more.
        """
        stored = self._stored(item_id)
        return self._data(_image(stored, link), stored.image_base)[0]

    def thumbnail(self, item_id: str, *, link: str | None, size: int) -> Picture:
        """An item's photo, its longest side one of ``STEPS`` or what the original has.

        Raises:
            NotFoundError: no such item, or the item has no such photo.
            FetchError: a photo that cannot be had any more.
            ImageError: a photo that has become unusable since its import.
            UsageError: a size below 1.
        """
        step = step_for(size)
        stored = self._stored(item_id)
        image = _image(stored, link)
        kept = self._cache.get(_name(image.digest, step))
        if kept is not None:
            return Picture(kept, _name(image.digest, step))
        key = (stored.image_base, image.link, image.digest, step)
        return self._once(key, lambda: self._make(image, stored.image_base, step))

    def close(self) -> None:
        """Close the connections of all sources."""
        self._fetcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _once(self, key: _Key, make: Callable[[], Picture]) -> Picture:
        """What ``make`` makes; callers that come while it is being made wait for it, and share its error too."""
        with self._lock:
            running = self._making.get(key)
            if running is None:
                own: Future[Picture] = Future()
                self._making[key] = own
        if running is not None:
            return running.result()
        try:
            picture = make()
        except BaseException as exc:
            own.set_exception(exc)
            raise
        else:
            own.set_result(picture)
            return picture
        finally:
            with self._lock:
                del self._making[key]

    def _stored(self, item_id: str) -> StoredItem:
        stored = self._catalog.get(item_id)
        if stored is None:
            raise NotFoundError(f"item {item_id!r} is not in the catalog", remedy="see `nitari stats` for what is")
        return stored

    def _data(self, image: StoredImage, image_base: str | None) -> tuple[bytes, str]:
        """The photo's file, and its digest."""
        data = self._originals.get(image.digest)
        if data is not None:
            return data, image.digest
        original = self._fetcher.fetch(image_base, image.link)
        return original.data, original.digest

    def _make(self, image: StoredImage, image_base: str | None, step: int) -> Picture:
        """Get the photo, make the picture, keep it."""
        data, digest = self._data(image, image_base)
        same = digest == image.digest
        with self._decodes:
            shape = (image.width, image.height) if same else None
            made = reencode(self._decoder, data, longest=step, quality=QUALITY, shape=shape)
        if same:
            self._cache.put(_name(digest, step), made)
        return Picture(made, _name(digest, step))


@dataclass(frozen=True, slots=True)
class _Failure:
    until: float
    error: FetchError

    def again(self) -> FetchError:
        """The same error, new: one that is raised many times would grow by a traceback each time."""
        error = self.error
        return type(error)(error.message, remedy=error.remedy, code=error.code)


class _Fetcher:
    """Fetches photos by feed folder and link, one source a folder, and lets be for a while what has failed."""

    def __init__(self, sources: Callable[[str | None], ImageSource], clock: Callable[[], float]) -> None:
        self._open = sources
        self._clock = clock
        self._lock = threading.Lock()
        self._sources: dict[str | None, ImageSource] = {}
        self._failures: dict[tuple[str | None, str], _Failure] = {}

    def fetch(self, image_base: str | None, link: str) -> Original:
        """The photo as it is now.

        Raises:
            FetchError: bytes that cannot be had.
        """
        place = (image_base, link)
        with self._lock:
            failure = self._failures.get(place)
        if failure is not None and self._clock() < failure.until:
            raise failure.again()
        try:
            outcome = self._source(image_base).fetch(link)
        except FetchError as exc:
            self._remember(place, exc)
            raise
        if isinstance(outcome, NotModified):  # answers a question that was not asked
            raise FetchError(f"image link {shown(link)} answered as if an older copy were known", code="bad-answer")
        return outcome

    def close(self) -> None:
        """Close all sources."""
        with self._lock:
            sources, self._sources = list(self._sources.values()), {}
        for source in sources:
            source.close()

    def _source(self, image_base: str | None) -> ImageSource:
        with self._lock:
            found = self._sources.get(image_base)
            if found is None:
                try:
                    found = self._open(image_base)
                except ConfigurationError as exc:
                    raise FetchError(
                        f"the folder of this photo's feed cannot be read: {exc.message}",
                        remedy="put the folder back, or import the feed from where it is now",
                        code="file-missing",
                    ) from exc
                self._sources[image_base] = found
            return found

    def _remember(self, place: tuple[str | None, str], error: FetchError) -> None:
        with self._lock:
            self._failures.pop(place, None)
            if len(self._failures) >= _MOST_FAILURES:
                del self._failures[next(iter(self._failures))]  # the oldest
            self._failures[place] = _Failure(self._clock() + FAILED_S, error)


def _image(stored: StoredItem, link: str | None) -> StoredImage:
    """The photo that is asked for.

    Raises:
        NotFoundError: the item has no such photo, or one that could not be used.
    """
    found = next((image for image in stored.images if link is None or image.link == link), None)
    if found is not None:
        return found
    item_id = stored.item.item_id
    if link in stored.item.image_links:
        raise NotFoundError(
            f"photo {shown(link)} of item {item_id!r} could not be used at its import",
            remedy="see `nitari rejects` for why",
        )
    what = "has no photo" if link is None else f"has no photo {shown(link)}"
    raise NotFoundError(f"item {item_id!r} {what}", remedy="give one of the image links that the item itself names")


def _name(digest: str, step: int) -> str:
    return f"{digest}-{step}"
