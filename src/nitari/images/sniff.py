"""What a file is, by its first bytes: never by its name or by what a server says about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nitari.errors import ImageError

Kind: TypeAlias = Literal["jpeg", "png", "webp", "avif", "heic", "gif", "bmp", "tiff"]

EXPECTED = "a JPEG, PNG, WebP, AVIF, HEIC, GIF, BMP or TIFF photo"
_EXPORT = "export the photo as JPEG, PNG or WebP"
_LINK = "give the photo itself, or a link that leads to it"

_HEAD = 512
_IMAGES: tuple[tuple[bytes, Kind], ...] = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (b"8BPS", "a Photoshop document"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL image"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 image"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
    (b"II+\x00", "a BigTIFF image"),
    (b"MM\x00+", "a BigTIFF image"),
    (b"\x00\x00\x01\x00", "a Windows icon"),
    (b"PK\x03\x04", "a ZIP archive (or an Office document)"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1aE\xdf\xa3", "a Matroska or WebM video"),
    (b"FLV", "a Flash video"),
    (b"\x00\x00\x01\xba", "an MPEG video"),
    (b"OggS", "an Ogg audio or video file"),
    (b"ID3", "an MP3 audio file"),
    (b"SQLite format 3\x00", "a SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file that it points to"),
)
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
_HTML = re.compile(rb"<(!doctype\s+html|html|head|body|script|title|meta)\b", re.IGNORECASE)
_SVG = re.compile(rb"<svg\b|<!doctype\s+svg", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unusable:
    """What a file is that is no photo we can read.

    Args:
        code: For programs.
        found: "an HTML page", with its article.
        remedy: What to do about it.
    """

    code: str
    found: str
    remedy: str


def sniff(data: bytes) -> Kind | Unusable:
    """What ``data`` (not empty) is: the kind of a photo, or the reason why it is none."""
    head = data[:_HEAD]
    for magic, kind in _IMAGES:
        if head.startswith(magic):
            return kind
    if len(head) < 12 and (head[:4] == b"RIFF" or head[4:8] == b"ftyp"):
        return Unusable("truncated", f"cut off after {len(head)} bytes", "upload or download the photo again")
    if head[:4] == b"RIFF":
        return _sniff_riff(head)
    if head[4:8] == b"ftyp":
        return _sniff_ftyp(head)
    if head[:2] == b"BM" and head[6:10] == b"\x00\x00\x00\x00":
        return "bmp"
    for magic, found in _OTHERS:
        if head.startswith(magic):
            return Unusable("unsupported-format", found, _EXPORT)
    return _sniff_text(head)


def require_photo(data: bytes) -> Kind:
    """The kind of photo that ``data`` is.

    Raises:
        ImageError: ``empty-file``, ``html-page``, ``unsupported-format``, ``not-an-image`` or ``truncated``,
            saying what was found.
    """
    if not data:
        raise ImageError("the file is empty (0 bytes)", remedy="upload the photo again", code="empty-file")
    found = sniff(data)
    if isinstance(found, Unusable):
        raise ImageError(f"the file is {found.found}, not {EXPECTED}", remedy=found.remedy, code=found.code)
    return found


def _sniff_riff(head: bytes) -> Kind | Unusable:
    if head[8:12] == b"WEBP":
        return "webp"
    found = {b"AVI ": "an AVI video", b"WAVE": "a WAV audio file"}.get(
        head[8:12], "a RIFF file that holds no WebP image"
    )
    return Unusable("unsupported-format", found, _EXPORT)


def _sniff_ftyp(head: bytes) -> Kind | Unusable:
    """ISO base media (ISO/IEC 14496-12): the brands tell still images from videos."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major} | {head[i : i + 4] for i in range(16, end - 3, 4)}
    if brands & _AVIF_BRANDS:
        return "avif"
    if brands & _HEIC_BRANDS:
        return "heic"
    found = "a QuickTime video" if major == b"qt  " else f"an MP4-like media file (brand {major.decode('latin-1')!r})"
    return Unusable("unsupported-format", found, _EXPORT)


def _sniff_text(head: bytes) -> Unusable:
    """Text is named as what it is; error pages and placeholders served in a photo's place are common in feeds."""
    text = head.lstrip(b"\xef\xbb\xbf\r\n\t ")
    if _HTML.search(text) and text.startswith(b"<"):
        return Unusable(
            "html-page", "an HTML page", f"{_LINK}; a page usually means a login, a block or a missing photo"
        )
    if _SVG.search(text) and text.startswith(b"<"):
        return Unusable("unsupported-format", "an SVG drawing", _EXPORT)
    if text.startswith(b"<?xml"):
        return Unusable("not-an-image", "an XML document", _LINK)
    if text.startswith((b"{", b"[")):
        return Unusable("not-an-image", "JSON", f"{_LINK}; JSON usually means an error message of the server")
    if text.startswith(b"data:image/"):
        return Unusable("not-an-image", "a data: URL as text", "store the decoded bytes")
    if not head.strip(b"\x00"):
        return Unusable("not-an-image", "nothing but zero bytes", "upload the photo again")
    if text and all(byte >= 0x20 or byte in b"\t\r\n" for byte in text):
        start = text[:40].decode("utf-8", "replace").splitlines()[0]
        return Unusable("not-an-image", f"text ({start!r}...)", _LINK)
    return Unusable("not-an-image", f"of unknown kind (it begins with {head[:8].hex(' ')})", _EXPORT)
