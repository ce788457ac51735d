"""Image links that are paths inside the feed's folder."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from pathlib import Path

from nitari.errors import BlockedError, ConfigurationError, FetchError
from nitari.images.base import NotModified, Original, Validators, shown

_NAMES = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
# So that a pipe put in a file's place cannot block us, nor Windows change line ends.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


class FileSource:
    r"""Reads files below one folder, wherever symlinks inside it lead, as long as that is inside it too.

    A link is a relative path with ``/`` or ``\`` between folders (feeds are written on Windows too; a file whose very
    name holds a ``\`` is found first), or an absolute path that lies inside the folder. Nothing is percent-decoded.
    There is no conditional fetch: reading a file is as cheap as asking.

    Args:
        root: The folder.
        max_bytes: Largest file, bytes; larger ones are refused before they are read.

    Raises:
        ConfigurationError: where ``root`` is not a folder.
    """

    def __init__(self, root: Path, *, max_bytes: int = 32 * 2**20) -> None:
        try:
            self._root = root.resolve(strict=True)
        except (OSError, RuntimeError) as exc:
            raise ConfigurationError(f"image folder {root} cannot be opened: {exc}") from exc
        if not self._root.is_dir():
            raise ConfigurationError(f"image folder {root} is not a folder", remedy="give the folder the photos are in")
        self._max_bytes = max_bytes

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The file behind ``link``; never ``NotModified``.

        Raises:
            BlockedError: ``outside-folder``.
            FetchError: ``bad-path``, ``file-missing``, ``not-a-file``, ``file-unreadable`` or ``too-many-bytes``.
        """
        path = self._locate(link)
        data = self._read(path, link)
        return Original(data=data, digest=hashlib.sha256(data).hexdigest())

    def close(self) -> None:
        """Nothing to close."""

    def _locate(self, link: str) -> Path:
        """The real path of an existing file or folder inside the root."""
        if not link.strip() or "\x00" in link:
            raise FetchError(
                f"image link {shown(link)} is not a path",
                remedy="give a path inside the feed's folder",
                code="bad-path",
            )
        try:
            real = self._resolve(link)
        except FileNotFoundError as exc:
            raise FetchError(
                f"image file {shown(link)} does not exist in {self._root}",
                remedy="put the photo there, or correct the link (upper and lower case count)",
                code="file-missing",
            ) from exc
        except (OSError, RuntimeError, ValueError) as exc:  # symlink loops, names too long, unmountable shares
            raise _unreadable(link, exc) from exc
        if not real.is_relative_to(self._root):
            raise BlockedError(
                f"image link {shown(link)} leads outside the feed's folder {self._root}",
                remedy="put the photo (not only a symlink to it) inside the feed's folder",
                code="outside-folder",
            )
        return real

    def _resolve(self, link: str) -> Path:
        r"""``link`` with every symlink followed; the literal name first, then with ``\`` read as ``/``."""
        try:
            return self._inside(link).resolve(strict=True)
        except (FileNotFoundError, NotADirectoryError) as exc:
            if "\\" in link and os.sep == "/":
                return self._inside(link.replace("\\", "/")).resolve(strict=True)
            raise FileNotFoundError(str(exc)) from exc

    def _inside(self, link: str) -> Path:
        """Refuse what leaves the folder by its very words, so that an error never tells what exists out there."""
        path = Path(os.path.normpath(self._root / link))
        if not path.is_relative_to(self._root) and not path.drive.startswith("\\\\"):
            # An absolute link may name the root by another of its names (a symlink to it). Not asked of Windows
            # network paths: asking alone sends the user's credentials to the server that the link names.
            path = Path(os.path.realpath(self._root / link))
        if not path.is_relative_to(self._root):
            raise BlockedError(
                f"image link {shown(link)} leads outside the feed's folder {self._root}",
                remedy="give a path inside the feed's folder",
                code="outside-folder",
            )
        return self._root / link

    def _read(self, path: Path, link: str) -> bytes:
        """Read what is open, not what was there a moment ago: kind and size are asked of the open file."""
        try:
            if not stat.S_ISREG(mode := path.stat().st_mode):  # opening a device can have effects
                raise _not_a_file(link, mode)
            with os.fdopen(os.open(path, _FLAGS), "rb") as file:
                if not stat.S_ISREG(mode := os.fstat(file.fileno()).st_mode):
                    raise _not_a_file(link, mode)
                data = file.read(self._max_bytes + 1)
                if len(data) > self._max_bytes:
                    raise FetchError(
                        f"image file {shown(link)} has {os.fstat(file.fileno()).st_size:,} bytes, "
                        f"at most {self._max_bytes:,} are allowed",
                        remedy="make the photo smaller, or raise images.max_bytes",
                        code="too-many-bytes",
                    )
                return data
        except OSError as exc:
            raise _unreadable(link, exc) from exc


def _not_a_file(link: str, mode: int) -> FetchError:
    found = _NAMES.get(stat.S_IFMT(mode), "no ordinary file")
    return FetchError(
        f"image link {shown(link)} is {found}, expected a file", remedy="link to the photo itself", code="not-a-file"
    )


def _unreadable(link: str, exc: Exception) -> FetchError:
    reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
    denied = isinstance(exc, OSError) and exc.errno in (errno.EACCES, errno.EPERM)
    remedy = "let this user read it" if denied else "check the path and the disk"
    return FetchError(f"image file {shown(link)} cannot be read: {reason}", remedy=remedy, code="file-unreadable")
