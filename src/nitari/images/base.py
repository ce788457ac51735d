"""The ports of images: where their bytes come from, and how bytes become a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nitari.types import Photo

UPLOAD = "upload:"
"""How the link of an uploaded photo starts; its SHA-256 in hex follows."""
_MAX_SHOWN = 300


def shown(link: str) -> str:
    """A link, quoted, as messages show it: a feed can hold links of any length."""
    return repr(link if len(link) <= _MAX_SHOWN else f"{link[:_MAX_SHOWN]}...")


@dataclass(frozen=True, slots=True)
class Validators:
    """What an HTTP server said about a copy that we have, to ask whether it is still good (RFC 9110, section 8.8)."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True, slots=True)
class Original:
    """The bytes behind an image link.

    Args:
        data: The file as it is.
        digest: SHA-256 of ``data``, hex.
        validators: For a conditional re-fetch; empty for files.
    """

    data: bytes
    digest: str
    validators: Validators = Validators()


class NotModified:
    """Answer of a conditional fetch: what you have is still good."""


class ImageSource(Protocol):
    """Gets the bytes behind image links. Safe to call from several threads at once."""

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The bytes behind ``link``; ``NotModified`` only where ``known`` was given and still holds.

        Raises:
            BlockedError: a link that must not be followed.
            FetchError: bytes that cannot be had; the message names the link and what to do.
        """
        ...

    def close(self) -> None:
        """Close connections."""
        ...


class Originals(Protocol):
    """Photos kept by digest. Safe for several threads and processes."""

    def get(self, digest: str) -> bytes | None:
        """The original with this SHA-256 (hex), ``None`` where it is not (or no longer whole) here."""
        ...

    def put(self, original: Original) -> None:
        """Keep an original, durably.

        Raises:
            OSError: where it cannot be written.
        """
        ...


class Decoder(Protocol):
    """Turns bytes into an upright RGB photo. Safe to call from several threads at once."""

    def decode(self, data: bytes, *, short_side: int) -> Photo:
        """Decode, scaled down while decoding where that is cheap, keeping the short side >= ``short_side`` pixels.

        Args:
            data: A whole image file of any supported format; the first frame of an animation.
            short_side: Smallest short side wanted, pixels; 0 for full size. Smaller originals are left as they are.

        Raises:
            ImageError: not an image, truncated, too many pixels or too costly to decode; the message says which.
        """
        ...
