"""Query photos seen before: what was found on them and the vectors they became, never the photos."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock

from nitari.extract import Choice, Extractor, Worn
from nitari.types import Detection, Extraction, Region, View

# Boxes that a shopper tries on one photo: enough to go back and forth, few enough to be bounded.
_CHOICES = 16


@dataclass(slots=True)
class _Seen:
    """What is known of one photo.

    Args:
        width: Of the upright original, pixels.
        height: Of the upright original, pixels.
        regions: What was found; ``None`` where nobody has looked yet.
        views: The vectors of the last few choices, the last one used at the end.
    """

    width: int
    height: int
    regions: tuple[Region, ...] | None = None
    views: OrderedDict[Choice, tuple[View, ...]] = field(default_factory=OrderedDict)


class RememberingExtractor:
    """An extractor that does nothing twice.

    The same photo with another filter, page, threshold or wish about its wearer runs no network, and the same photo
    with another box does not look for products again.

    A photo is known by the SHA-256 of its bytes; the bytes themselves are not kept. Answers are those of the extractor,
    except for ``timing_ms``, which tells the stages that ran. Safe to use from any number of threads: two that bring
    the same new photo at once may both work, and find the same.

    Args:
        extractor: Does the work.
        photos: How many photos are remembered, those that were not asked for the longest being forgotten first; 0 for
            none. A photo takes some 10 KB for each box that was tried, at most 16, and 25 KB for its mask.
    """

    def __init__(self, extractor: Extractor, *, photos: int) -> None:
        self._extractor = extractor
        self._photos = photos
        self._seen: OrderedDict[bytes, _Seen] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """How many photos are remembered."""
        return len(self._seen)

    @property
    def plain(self) -> Extractor:
        """What does the work, for what is not worth remembering."""
        return self._extractor

    def extract(self, data: bytes, *, choice: Choice = "auto", worn: Worn = "off", ease: float = 1.0) -> Extraction:
        """As ``Extractor.extract`` without a descriptor, then ``Extractor.undressed``."""
        return self._extractor.undressed(self._extract(data, choice), worn, ease=ease)

    def _extract(self, data: bytes, choice: Choice) -> Extraction:
        """As ``Extractor.extract``: what is remembered is the photo as it is, whatever is asked about its wearer."""
        if not self._photos:
            return self._extractor.extract(data, choice=choice, describe=False)
        digest = hashlib.sha256(data).digest()
        seen, views = self._recall(digest, choice)
        if seen is not None and views is not None:
            regions = () if choice == "whole" else seen.regions or ()
            return Extraction(seen.width, seen.height, regions, views, None, _NO_STAGE)
        known = None if seen is None else seen.regions
        extraction = self._extractor.extract(data, choice=choice, describe=False, regions=known)
        found = known if choice == "whole" else extraction.regions  # nobody looks where the whole photo is chosen
        self._keep(digest, _Seen(extraction.width, extraction.height, found), {choice: extraction.views})
        return extraction

    def detect(self, data: bytes) -> Detection:
        """As ``Extractor.detect``."""
        if not self._photos:
            return self._extractor.detect(data)
        digest = hashlib.sha256(data).digest()
        seen, _ = self._recall(digest, "whole")
        if seen is not None and seen.regions is not None:
            return Detection(seen.width, seen.height, seen.regions, _NO_STAGE)
        detection = self._extractor.detect(data)
        self._keep(digest, _Seen(detection.width, detection.height, detection.regions), {})
        return detection

    def _recall(self, digest: bytes, choice: Choice) -> tuple[_Seen | None, tuple[View, ...] | None]:
        """What is known of a photo, and its vectors for a choice."""
        with self._lock:
            seen = self._seen.get(digest)
            if seen is None:
                return None, None
            self._seen.move_to_end(digest)
            views = seen.views.get(choice)
            if views is not None:
                seen.views.move_to_end(choice)
            # A copy, as another thread may learn more about the photo meanwhile.
            return _Seen(seen.width, seen.height, seen.regions), views

    def _keep(self, digest: bytes, learned: _Seen, views: Mapping[Choice, tuple[View, ...]]) -> None:
        """Add what was learned about a photo to what is known of it."""
        with self._lock:
            seen = self._seen.setdefault(digest, learned)
            self._seen.move_to_end(digest)
            if seen.regions is None:
                seen.regions = learned.regions
            seen.views.update(views)
            while len(seen.views) > _CHOICES:
                seen.views.popitem(last=False)
            while len(self._seen) > self._photos:
                self._seen.popitem(last=False)


_NO_STAGE: Mapping[str, float] = {}
