"""Bad photos of every kind, made by program: each must become one specific error, never a crash or a hang."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from support.picture import card, chunk, encoded, jpeg, noisy, png, png_rows


def write_bad_images(folder: Path) -> dict[str, str]:
    """Write every bad photo into ``folder`` (made if needed); returns the error's code by file name."""
    folder.mkdir(parents=True, exist_ok=True)
    codes: dict[str, str] = {}
    for family in (_not_photos(), _bombs(), _cut_off(), _damaged(), _sizes()):
        for name, (data, code) in family.items():
            (folder / name).write_bytes(data)
            codes[name] = code
    return codes | _odd_files(folder)


def _not_photos() -> dict[str, tuple[bytes, str]]:
    ftyp = struct.pack(">I4s4sI4s", 20, b"ftyp", b"isom", 512, b"mp41")
    return {
        "empty.jpg": (b"", "empty-file"),
        "page.jpg": (b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>", "html-page"),
        "page-with-bom.jpg": (b"\xef\xbb\xbf\r\n  <HTML><body>Access denied</body></HTML>", "html-page"),
        "answer.jpg": (b'{"error": "not found"}', "not-an-image"),
        "feed.jpg": (b'<?xml version="1.0"?><rss></rss>', "not-an-image"),
        "text.jpg": (b"404 page not found\n", "not-an-image"),
        "base64.jpg": (b"data:image/jpeg;base64,/9j/4AAQ", "not-an-image"),
        "zeros.jpg": (b"\x00" * 5000, "not-an-image"),
        "noise.jpg": (np.random.default_rng(3).bytes(5000).replace(b"\xff\xd8", b""), "not-an-image"),
        "drawing.svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "unsupported-format"),
        "document.jpg": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n", "unsupported-format"),
        "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "unsupported-format"),
        "layers.jpg": (b"8BPS\x00\x01" + b"\x00" * 100, "unsupported-format"),
        "video.jpg": (ftyp + b"\x00" * 100, "unsupported-format"),
        "video-webm.jpg": (b"\x1aE\xdf\xa3" + b"\x00" * 100, "unsupported-format"),
        "sound.jpg": (b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\x00" * 40, "unsupported-format"),
        "archive.jpg": (b"PK\x03\x04" + b"\x00" * 100, "unsupported-format"),
        "jpeg2000.jpg": (b"\x00\x00\x00\x0cjP  \r\n\x87\n" + b"\x00" * 100, "unsupported-format"),
        "icon.jpg": (b"\x00\x00\x01\x00\x01\x00" + b"\x00" * 100, "unsupported-format"),
        "pointer.jpg": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "unsupported-format"),
    }


def _bombs() -> dict[str, tuple[bytes, str]]:
    """A few bytes that stand for billions of pixels, or for endless work."""
    frame = jpeg().index(b"\xff\xc0")
    huge_jpeg = bytearray(jpeg())
    huge_jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 65500, 65500)
    gif = bytearray(encoded(card(), "GIF"))
    gif[6:10] = struct.pack("<HH", 65535, 65535)
    bmp = bytearray(encoded(card(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 100_000, 100_000)
    webp = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\x00" * 4 + b"\xff\x3f\x00" * 2
    avif = bytearray(encoded(card(), "AVIF"))
    size = avif.index(b"ispe") + 8
    avif[size : size + 8] = struct.pack(">II", 16_000, 16_000)
    return {
        "bomb.png": (png(50_000, 50_000, 8, 2, b"\x00" * 1_000_000), "too-many-pixels"),
        "bomb.gif": (bytes(gif), "too-many-pixels"),
        "bomb.bmp": (bytes(bmp), "too-many-pixels"),
        "bomb.webp": (webp, "too-many-pixels"),
        "bomb.avif": (bytes(avif), "too-many-pixels"),
        "bomb.jpg": (bytes(huge_jpeg), "too-many-pixels"),
        "bomb.tiff": (_tiff({256: 60_000, 257: 60_000, 258: 8, 262: 1, 273: 8, 277: 1, 279: 100}), "too-many-pixels"),
        "500-scans.jpg": (_many_scans(500), "too-costly"),
        "many-segments.jpg": (jpeg()[:2] + b"\xff\xfe\x00\x02" * 50_000 + jpeg()[2:], "too-costly"),
        "many-chunks.png": (
            png(96, 64, 8, 2, png_rows(card()), chunk(b"tEXt", b"") * 150_000),
            "too-costly",
        ),
        "run-length.bmp": (_run_length_bmp(), "unsupported-format"),
    }


def _cut_off() -> dict[str, tuple[bytes, str]]:
    """Downloads that ended too early, in each format, at several places."""
    whole = {
        "jpg": jpeg(noisy()),
        "progressive.jpg": jpeg(noisy(), progressive=True),
        "png": encoded(noisy(), "PNG"),
        "webp": encoded(noisy(), "WEBP"),
        "gif": encoded(noisy(), "GIF"),
        "bmp": encoded(noisy(), "BMP"),
        "tiff": encoded(noisy(), "TIFF"),
        "lzw.tiff": encoded(noisy(), "TIFF", compression="tiff_lzw"),
        "avif": encoded(noisy(), "AVIF"),
    }
    made = {f"half.{kind}": (data[: len(data) // 2], "truncated") for kind, data in whole.items()}
    made |= {f"nearly.{kind}": (data[:-50], "truncated") for kind, data in whole.items()}
    return made | {
        "header-only.jpg": (whole["jpg"][:300], "truncated"),
        "ended-early.jpg": (whole["jpg"][: len(whole["jpg"]) // 2] + b"\xff\xd9", "truncated"),
        "progressive-without-end.jpg": (whole["progressive.jpg"][:-2], "truncated"),
        "without-end.png": (whole["png"][:-12], "truncated"),
        "header-only.gif": (whole["gif"][:9], "truncated"),
        "header-only.bmp": (whole["bmp"][:20], "truncated"),
        "header-only.webp": (whole["webp"][:16], "truncated"),
    }


def _damaged() -> dict[str, tuple[bytes, str]]:
    sound = jpeg(noisy())
    scan = sound.index(b"\xff\xda")
    huffman = bytearray(sound)
    middle = scan + (len(sound) - scan) // 2
    huffman[middle : middle + 200] = b"\xaa\x55" * 100
    twelve = bytearray(jpeg())
    twelve[jpeg().index(b"\xff\xc0") + 4] = 12
    lossless = jpeg().replace(b"\xff\xc0", b"\xff\xc3", 1)
    frame = jpeg().index(b"\xff\xc0")
    two_frames = jpeg()[:frame] + jpeg()[frame : frame + 19] + jpeg()[frame:]
    rows = png_rows(card())
    bad_crc = encoded(card(), "PNG").replace(b"IDATx", b"IDATy", 1)
    garbage = (chunk(b"IHDR", struct.pack(">IIBBBBB", 96, 64, 8, 2, 0, 0, 0)), chunk(b"IDAT", b"garbage"))
    short = chunk(b"IDAT", zlib.compress(rows[:500]))
    ihdr, iend = chunk(b"IHDR", struct.pack(">IIBBBBB", 96, 64, 8, 2, 0, 0, 0)), chunk(b"IEND", b"")
    signature = b"\x89PNG\r\n\x1a\n"
    return {
        "huffman.jpg": (bytes(huffman), "corrupt"),
        "12-bit.jpg": (bytes(twelve), "unsupported-format"),
        "lossless.jpg": (lossless, "unsupported-format"),
        "two-frames.jpg": (two_frames, "corrupt"),
        "no-frame.jpg": (b"\xff\xd8\xff\xe0\x00\x04ab\xff\xd9", "corrupt"),
        "impossible-length.jpg": (b"\xff\xd8\xff\xe0\x00\x01" + jpeg()[2:], "corrupt"),
        "checksum.png": (bad_crc, "corrupt"),
        "garbage-data.png": (signature + b"".join(garbage) + iend, "corrupt"),
        "too-few-rows.png": (signature + ihdr + short + iend, "truncated"),
        "no-header.png": (signature + chunk(b"tEXt", b"a\x00b") + iend, "corrupt"),
        "no-data.png": (signature + ihdr + iend, "corrupt"),
        "odd-chunk.webp": (b"RIFF" + struct.pack("<I", 40) + b"WEBPJUNK" + b"\x00" * 40, "corrupt"),
        "empty.gif": (b"GIF89a" + struct.pack("<HHBBB", 96, 64, 0, 0, 0) + b"\x3b", "corrupt"),
        "directory-loop.tiff": (_tiff({256: 96, 257: 64}, following=8), "corrupt"),
        "huge-tag.tiff": (_tiff({256: 96, 257: 64, 258: 8, 273: 8}, count=2**31), "corrupt"),
        "floating-point.tiff": (encoded(Image.fromarray(np.zeros((64, 96), np.float32)), "TIFF"), "unsupported-color"),
        "garbage.avif": (encoded(card(), "AVIF")[:100] + b"\xaa" * 400, "corrupt"),
        "garbage.heic": (struct.pack(">I4s4sI4s", 20, b"ftyp", b"heic", 0, b"mif1") + b"\xaa" * 400, "corrupt"),
    }


def _sizes() -> dict[str, tuple[bytes, str]]:
    flat = np.zeros((64, 96, 3), np.uint8)
    no_height = bytearray(jpeg())
    frame = jpeg().index(b"\xff\xc0")
    no_height[frame + 5 : frame + 7] = b"\x00\x00"
    return {
        "1x1.gif": (encoded(flat[:1, :1], "GIF"), "too-small"),
        "1x1.png": (encoded(flat[:1, :1], "PNG"), "too-small"),
        "1x1.jpg": (encoded(flat[:1, :1], "JPEG"), "too-small"),
        "1x30000.png": (png(1, 30_000, 8, 2, b"\x00\x11\x22\x33" * 30_000), "too-small"),
        "8x4000.png": (png(8, 4_000, 8, 2, (b"\x00" + b"\x11\x22\x33" * 8) * 4_000), "extreme-aspect"),
        "no-height.jpg": (bytes(no_height), "corrupt"),
        "0x0.png": (png(0, 0, 8, 2, b""), "corrupt"),
    }


def _odd_files(folder: Path) -> dict[str, str]:
    """What a link can lead to that is no readable file, as far as this system has it."""
    (folder / "folder.jpg").mkdir()
    codes = {"folder.jpg": "not-a-file", "missing.jpg": "file-missing"}
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.jpg")
        codes["pipe.jpg"] = "not-a-file"
    outside = folder.parent / "outside.jpg"
    outside.write_bytes(jpeg())
    links = {
        "leads-outside.jpg": (outside, "outside-folder"),
        "dangling.jpg": (folder / "gone.jpg", "file-missing"),
        "circle.jpg": (folder / "circle.jpg", "file-unreadable"),
    }
    for name, (target, code) in links.items():
        try:
            (folder / name).symlink_to(target)
        except OSError:  # Windows without the privilege
            continue
        codes[name] = code
    if hasattr(os, "geteuid") and os.geteuid() != 0:
        (folder / "unreadable.jpg").write_bytes(jpeg())
        (folder / "unreadable.jpg").chmod(0)
        codes["unreadable.jpg"] = "file-unreadable"
    return codes


def _many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is there again and again."""
    data = jpeg(noisy(), progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + b"\xff\xd9"


def _run_length_bmp() -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, 9000, 9000, 1, 8, 1, 0, 0, 0, 2, 0)
    body = b"\xff\x01" * 500 + b"\x00\x01"
    offset = 14 + 40 + 8
    return b"BM" + struct.pack("<IHHI", offset + len(body), 0, 0, offset) + header + b"\x00" * 8 + body


def _tiff(tags: dict[int, int], *, following: int = 0, count: int = 1) -> bytes:
    """A little-endian TIFF of one directory whose tags are all LONG."""
    entries = b"".join(struct.pack("<HHII", tag, 4, count, value) for tag, value in sorted(tags.items()))
    return b"II*\x00" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following) + b"\x00" * 100
