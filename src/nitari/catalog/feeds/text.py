"""Bytes of a feed to text: gzip by magic, encodings by content, lines of bounded length."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from nitari.catalog.feeds.records import MAX_RECORD
from nitari.errors import FeedError, UsageError

GZIP_MAGIC = b"\x1f\x8b"
# Detection reads on until it meets a byte that is not ASCII; beyond this much ASCII, UTF-8 is taken for granted.
SCAN_LIMIT = 256 * 2**20
WINDOW = 2**20
MAX_COUNTED = 2**30
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAY_ENCODING = "save the feed as UTF-8, or name its encoding (encoding='latin-1', 'euc_jp', 'gb18030', ...)"
_JAPANESE_RUN = re.compile("[^\x00-\x7f]+")
# What single accented letters turn into, and what pairs of them do: nobody writes Japanese with those.
_LONE = re.compile("[\u3400-\u9fff｡-ﾟ]")
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_HALF_WIDTH = re.compile("[｡-ﾟ]")
_HALF_WIDTH_MARKS = re.compile("[｡-･]")


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what goes wrong while reading ``path`` into a ``FeedError`` that names it."""
    try:
        yield
    except EOFError as exc:
        raise FeedError(
            f"{path} is a gzip file that ends too early: the rows up to there were read, the rest is missing",
            remedy="copy or download it again",
            code="gzip",
        ) from exc
    except (gzip.BadGzipFile, zlib.error) as exc:
        raise FeedError(
            f"{path} is a damaged gzip file: {exc}", remedy="copy or download it again", code="gzip"
        ) from exc
    except UnicodeDecodeError as exc:
        raise FeedError(
            f"{path} is not {exc.encoding} throughout: {exc.reason}", remedy=_SAY_ENCODING, code="encoding"
        ) from exc
    except OSError as exc:
        raise FeedError(
            f"{path} cannot be read: {exc.strerror or exc}", remedy="check the path and its permissions", code="file"
        ) from exc


def open_binary(path: Path) -> BinaryIO:
    """The feed's bytes, unzipped as they are read where the file starts as gzip does, whatever it is called."""
    file = path.open("rb")
    try:
        zipped = file.read(2) == GZIP_MAGIC
        file.seek(0)
    except BaseException:
        file.close()
        raise
    if not zipped:
        return file
    return cast(BinaryIO, _OwningGzip(fileobj=file))


class _OwningGzip(gzip.GzipFile):
    """A gzip reader that closes the file below it, too."""

    def __init__(self, *, fileobj: BinaryIO) -> None:
        super().__init__(fileobj=fileobj, mode="rb")
        self._below = fileobj

    def close(self) -> None:
        """Close both."""
        try:
            super().close()
        finally:
            self._below.close()


def read_some(file: BinaryIO, size: int) -> bytes:
    """What can be had at once, at most ``size`` bytes, empty at the end.

    A plain ``read`` of a damaged gzip file raises without handing out what it could still unpack.
    """
    return cast(io.BufferedReader, file).read1(size)


def read_up_to(file: BinaryIO, size: int) -> bytes:
    """The next ``size`` bytes, fewer at the end, or where a damaged gzip file can be read no further.

    For looking ahead: the damage is reported when the rows up to it have been read.
    """
    pieces: list[bytes] = []
    left = size
    with suppress(EOFError, gzip.BadGzipFile, zlib.error):
        while left and (piece := read_some(file, left)):
            pieces.append(piece)
            left -= len(piece)
    return b"".join(pieces)


def is_gzip(path: Path) -> bool:
    """Whether the file starts as gzip does."""
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def open_text(path: Path, encoding: str | None = None) -> io.TextIOWrapper:
    """The feed as text, line ends untouched.

    Bytes that do not fit the encoding become lone surrogates, for their row to be rejected.

    Args:
        path: A file, gzip or not.
        encoding: A Python codec's name; detected where not given.

    Raises:
        UsageError: an encoding that Python does not know.
        FeedError: text in an encoding that is not detected.
    """
    chosen = detect_encoding(path) if encoding is None else known_encoding(encoding)
    # Wide encodings have no way to smuggle a single bad byte through; for them decoding is strict.
    errors = "strict" if chosen.lower().replace("_", "-").startswith(("utf-16", "utf-32")) else "surrogateescape"
    return io.TextIOWrapper(open_binary(path), encoding=chosen, errors=errors, newline="")


def known_encoding(name: str) -> str:
    """The name, if Python has a text codec of that name; ``utf-8`` loses a BOM, too."""
    try:
        b"\0\0\0\0".decode(name, "replace")  # no bytes at all would be decoded under any name
    except (LookupError, ValueError) as exc:
        raise UsageError(
            f"encoding {name!r} is not known", remedy="use a Python codec's name: utf-8, cp932, latin-1, utf-16, ..."
        ) from exc
    return "utf-8-sig" if codecs.lookup(name).name == "utf-8" else name


def detect_encoding(path: Path) -> str:
    """UTF-8, UTF-16 or UTF-32 by their marks, UTF-8 by its form, or CP932 (what Japanese Excel writes).

    A text that is UTF-8 but for a few bytes counts as UTF-8: the rows that hold those bytes are rejected, not the feed.

    Raises:
        FeedError: text that is none of these; it names the first byte that does not fit.
    """
    with open_binary(path) as file:
        offset = 0
        window = read_up_to(file, WINDOW)
        for bom, name in _BOMS:
            if window.startswith(bom):
                return name
        if (wide := _wide(window)) is not None:
            return wide
        while window.isascii():
            offset += len(window)
            window = read_up_to(file, WINDOW)
            if not window or offset >= SCAN_LIMIT:
                return "utf-8"
        window += read_up_to(file, WINDOW)
    return _narrow(window, offset, path)


def _wide(head: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of a header is NUL."""
    head = head[:64]
    if len(head) < 4:
        return None
    if all(head[1::2][i] == 0 for i in range(len(head) // 2)) and all(head[0::2]):
        return "utf-16-le"
    if all(head[0::2][i] == 0 for i in range(len(head) // 2)) and all(head[1::2]):
        return "utf-16-be"
    return None


def _narrow(window: bytes, offset: int, path: Path) -> str:
    """UTF-8 or CP932, from a piece of the feed that is not all ASCII and starts at ``offset``."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(window)
    except UnicodeDecodeError as exc:
        bad = exc
    else:
        return "utf-8"
    text = window.decode("utf-8", "surrogateescape")
    strange = sum("\udc80" <= char <= "\udcff" for char in text)
    proper = sum(char > "\x7f" for char in text) - strange
    if proper >= 4 * strange:
        return "utf-8"
    if _is_cp932(window):
        return "cp932"
    raise FeedError(
        f"{path} is neither UTF-8 (byte 0x{window[bad.start]:02x} at offset {offset + bad.start}) nor CP932 nor UTF-16",
        remedy=_SAY_ENCODING,
        code="encoding",
    )


def _is_cp932(window: bytes) -> bool:
    """Whether this reads as Japanese in CP932, and not as another encoding that happens to decode.

    Western text decodes to single characters amid Latin letters, or to ones that mean nothing; EUC-JP and GBK decode
    to half-width kana mixed with ideographs, or to a flood of half-width commas and dots.
    """
    try:
        text = codecs.getincrementaldecoder("cp932")().decode(window)
    except UnicodeDecodeError:
        return False
    runs = list(_JAPANESE_RUN.finditer(text))
    joined = "".join(run.group() for run in runs)
    if _PRIVATE.search(joined):
        return False
    half = len(_HALF_WIDTH.findall(joined))
    if half > len(joined) / 2 and (half < len(joined) or len(_HALF_WIDTH_MARKS.findall(joined)) > half / 5):
        return False
    amid_latin = sum(
        _LONE.fullmatch(run.group()) is not None
        and (text[run.start() - 1 : run.start()].isalpha() or text[run.end() : run.end() + 1].isalpha())
        for run in runs
    )
    return 2 * amid_latin < len(runs)


class Lines:
    """Physical lines of a text, ends kept, with their numbers; one that is too long is cut and marked.

    ``taken`` collects the lines since ``begin`` was called, so that a reader can give them back with ``give_back``.
    """

    def __init__(self, file: io.TextIOBase, limit: int = MAX_RECORD) -> None:
        self._file = file
        self._limit = limit
        self._returned: list[str] = []
        self._number = 0
        self._size = 0
        self.taken: list[str] = []

    def begin(self) -> int:
        """Start a record; returns the number of the line that it starts on, counted from 1."""
        self.taken = []
        self._size = 0
        return self._number + 1

    def give_back(self, count: int) -> None:
        """Un-read the last ``count`` lines taken."""
        if count:
            self._returned.extend(reversed(self.taken[-count:]))
            del self.taken[-count:]
            self._number -= count

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        """The next line.

        Raises:
            RecordTooLongError: the lines since ``begin`` hold more characters than allowed.
        """
        line = self._returned.pop() if self._returned else self._file.readline(self._limit + 1)
        if not line:
            raise StopIteration
        self._number += 1
        self.taken.append(line)
        self._size += len(line)
        if len(line) > self._limit:
            self._skip_rest()
        if self._size > self._limit:
            raise RecordTooLongError
        return line

    def _skip_rest(self) -> None:
        """Read on to the end of an overlong line without keeping it."""
        tail = self.taken[-1]
        while tail and not tail.endswith(("\n", "\r")):
            tail = self._file.readline(self._limit)


class RecordTooLongError(Exception):
    """A record that is longer than ``MAX_RECORD``; never leaves this package."""


def count_lines(path: Path) -> int | None:
    """How many line ends the file has; ``None`` where counting would take long (gzip, or more than a gigabyte)."""
    if is_gzip(path) or path.stat().st_size > MAX_COUNTED:
        return None
    with path.open("rb") as file:
        return sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(WINDOW), b""))
