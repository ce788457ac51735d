"""Query photos, however they come: given, behind a link, or seen before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from time import perf_counter

from nitari.embeddings.base import QueryTransform
from nitari.errors import ConfigurationError, UsageError
from nitari.extract import Choice, Extractor, Worn
from nitari.images.base import ImageSource, Original
from nitari.search.heat import Heat, Likeness, heat_of
from nitari.search.memory import RememberingExtractor
from nitari.types import Detection, Extraction


class PhotoReader:
    """Makes vectors of query photos. Safe to use from any number of threads.

    Args:
        extractor: Makes the extractor; called once, by the first query that brings a photo.
        collection: Whose vectors the extractor has to make.
        dim: Their width.
        source: Gets the photos behind links; ``None`` refuses links. The reader closes it.
        remembered: How many photos' vectors are kept.
    """

    def __init__(
        self,
        *,
        extractor: Callable[[], Extractor],
        collection: str,
        dim: int,
        source: ImageSource | None,
        remembered: int,
    ) -> None:
        self._make_extractor = extractor
        self._collection = collection
        self._dim = dim
        self._source = source
        self._remembered = remembered
        self._extractor: RememberingExtractor | None = None
        self._lock = Lock()

    @property
    def transform(self) -> QueryTransform | None:
        """What takes the wearer out of query photos; loads the extractor."""
        return self._loaded().plain.transform

    def extract(
        self, photo: bytes | None, url: str | None, choice: Choice, worn: Worn = "auto", *, ease: float = 1.0
    ) -> Extraction:
        """All that is searched with of a photo, or else of the one behind a link (then ``fetch`` is timed, too)."""
        data, fetch_ms = self._bytes(photo, url)
        extraction = self._loaded().extract(data, choice=choice, worn=worn, ease=ease)
        return replace(extraction, timing_ms={**fetch_ms, **extraction.timing_ms})

    def detect(self, photo: bytes | None, url: str | None) -> Detection:
        """The products on a photo, or else on the one behind a link. ``total`` is timed, too."""
        started = perf_counter()
        data, fetch_ms = self._bytes(photo, url)
        detection = self._loaded().detect(data)
        timing = {**fetch_ms, **detection.timing_ms, "total": (perf_counter() - started) * 1e3}
        return replace(detection, timing_ms=timing)

    def read(self, photo: bytes | None, url: str | None) -> bytes:
        """The bytes of a photo, or else of the one behind a link."""
        return self._bytes(photo, url)[0]

    def heat(
        self, data: bytes, likeness: Likeness, choice: Choice = "auto", worn: Worn = "off", *, ease: float = 1.0
    ) -> Heat:
        """What each part of a photo adds to its likeness; takes some forty times as long as a query."""
        extractor = self._loaded()
        regions = extractor.extract(data, choice=choice).regions
        return heat_of(extractor.plain, data, likeness, choice=choice, regions=regions, worn=worn, ease=ease)

    def warm(self, photo: bytes) -> None:
        """Load extractor and networks by a photo."""
        self._loaded().extract(photo)

    def close(self) -> None:
        """Close the source."""
        if self._source is not None:
            self._source.close()

    def _bytes(self, photo: bytes | None, url: str | None) -> tuple[bytes, dict[str, float]]:
        """A photo's bytes, and the milliseconds of ``fetch``, where there was one."""
        if photo is not None:
            return photo, {}
        if url is None:
            raise UsageError("there is no photo", remedy="give one of photo and url")
        started = perf_counter()
        return self._fetch(url), {"fetch": (perf_counter() - started) * 1e3}

    def _fetch(self, url: str) -> bytes:
        """The bytes behind a link. Paths are not for callers to choose, whatever the source could read."""
        if self._source is None:
            raise UsageError("this searcher does not fetch photos from links", remedy="send the photo itself")
        if not url.lower().startswith(("http://", "https://")):
            raise UsageError(
                f"url is {url[:80]!r}; expected a link that starts with http:// or https://",
                remedy="link to the photo with http or https, or send the photo itself",
                code="blocked-scheme",
            )
        fetched = self._source.fetch(url)
        if not isinstance(fetched, Original):
            raise AssertionError("a source answers NotModified only to a conditional fetch")
        return fetched.data

    def _loaded(self) -> RememberingExtractor:
        """The extractor, made when it is first needed, by one thread; where that fails, the next query tries again."""
        with self._lock:
            if self._extractor is None:
                extractor = self._make_extractor()
                have, want = (extractor.collection, extractor.dim), (self._collection, self._dim)
                if have != want:
                    raise ConfigurationError(
                        f"the extractor makes vectors of {have[0]!r}, {have[1]} wide, but the gallery holds "
                        f"{want[0]!r}, {want[1]} wide",
                        remedy="open the searcher with the model card that the catalog was imported with",
                    )
                self._extractor = RememberingExtractor(extractor, photos=self._remembered)
            return self._extractor
