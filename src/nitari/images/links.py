"""One source for all links of an item: URLs go to one source, paths to another, uploaded photos to a third."""

from __future__ import annotations

import re

from nitari.errors import BlockedError
from nitari.images.base import UPLOAD, ImageSource, NotModified, Original, Validators, shown

_WEB = re.compile(r"https?://", re.IGNORECASE)
_OTHER_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+)://|(data|blob|javascript|file|upload):", re.IGNORECASE)


class LinkSource:
    """Sends each link to the source that can follow it.

    Args:
        web: Follows ``http:`` and ``https:`` links, and ``//host/path``, which is read as ``https:``.
        files: Follows paths; ``None`` for a feed that has no folder (a database, a URL).
        uploads: Finds ``upload:`` links; ``None`` where they may not be used.
    """

    def __init__(self, *, web: ImageSource, files: ImageSource | None, uploads: ImageSource | None = None) -> None:
        self._web = web
        self._files = files
        self._uploads = uploads

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """As the source that the link goes to.

        Raises:
            BlockedError: ``blocked-scheme`` for other schemes; ``no-folder`` for a path without a folder.
            FetchError: as that source.
        """
        link = link.strip()
        if link.startswith("//"):
            link = f"https:{link}"
        if _WEB.match(link):
            return self._web.fetch(link, known=known)
        if self._uploads is not None and link.startswith(UPLOAD):
            return self._uploads.fetch(link, known=known)
        if scheme := _OTHER_SCHEME.match(link):
            raise BlockedError(
                f"image link {shown(link)} has the scheme {scheme[1] or scheme[2]!r}, expected http, https or a path",
                remedy="link to the photo with http or https, or by a path inside the feed's folder",
                code="blocked-scheme",
            )
        if self._files is None:
            raise BlockedError(
                f"image link {shown(link)} is a path, but this feed has no folder",
                remedy="use http or https links, or import the feed from a file beside its photos",
                code="no-folder",
            )
        return self._files.fetch(link, known=known)

    def close(self) -> None:
        """Close all sources."""
        for source in (self._web, self._files, self._uploads):
            if source is not None:
                source.close()
