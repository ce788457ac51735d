"""Photos that were uploaded, behind links that name them by digest."""

from __future__ import annotations

import re

from nitari.errors import FetchError
from nitari.images.base import UPLOAD, NotModified, Original, Originals, Validators, shown

_LINK = re.compile(f"{UPLOAD}([0-9a-f]{{64}})")


class UploadSource:
    """Finds uploaded photos among the kept originals. What is behind such a link can never change.

    Args:
        originals: Where they are kept.
        max_bytes: Largest file, bytes.
    """

    def __init__(self, originals: Originals, *, max_bytes: int = 32 * 2**20) -> None:
        self._originals = originals
        self._max_bytes = max_bytes

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The photo with the digest that the link names; never ``NotModified``.

        Raises:
            FetchError: ``upload-link`` for a link that names no digest; ``upload-missing`` where no such photo is kept;
                ``too-many-bytes``.
        """
        match = _LINK.fullmatch(link)
        if match is None:
            raise FetchError(
                f"image link {shown(link)} names no uploaded photo, expected {UPLOAD} and 64 digits of a SHA-256",
                remedy="use the link that the answer to the upload named",
                code="upload-link",
            )
        data = self._originals.get(match[1])
        if data is None:
            raise FetchError(
                f"image link {shown(link)} names an uploaded photo that is not kept here (any more)",
                remedy="upload the photo again with the item",
                code="upload-missing",
            )
        if len(data) > self._max_bytes:
            raise FetchError(
                f"uploaded photo {shown(link)} has {len(data):,} bytes, at most {self._max_bytes:,} are allowed",
                remedy="make the photo smaller, or raise images.max_bytes",
                code="too-many-bytes",
            )
        return Original(data=data, digest=match[1])

    def close(self) -> None:
        """Nothing to close."""
