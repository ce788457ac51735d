"""A folder of photos as a feed: each photo is an item."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nitari.catalog.base import FeedRow
from nitari.catalog.feeds.records import safe
from nitari.errors import FeedError, UsageError
from nitari.types import Item, Rejection

PHOTO_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".avif",
        ".gif",
        ".apng",
        ".bmp",
        ".tif",
        ".tiff",
        ".heic",
        ".heif",
    }
)
# Thumbnails that macOS archives and Synology disks leave beside the photos.
_LITTER = frozenset({"__MACOSX", "@eaDir"})


class FolderFeed:
    """Photos by file name, recursively, in the order of their paths; hidden files and folders are left out.

    An item's id and only image link is its path below the folder, with ``/``. The attribute ``folder`` lists the
    folders that it is in, outermost first (``("women", "women/shoes")``), so that a filter on any of them finds it; a
    photo at the top has none. Links to folders are not followed: that could loop or lead outside.
    """

    def __init__(self, folder: Path, *, feed_id: str | None = None) -> None:
        self._folder = folder
        self._feed_id = feed_id or folder.as_posix()

    @property
    def feed_id(self) -> str:
        """The folder's path, or the name that was given."""
        return self._feed_id

    @property
    def image_base(self) -> str | None:
        """The folder."""
        return str(self._folder)

    @property
    def size_hint(self) -> int | None:
        """How many photos there are."""
        return sum(not isinstance(entry, Rejection) and is_photo(entry) for entry in walk(self._folder))

    def read(self) -> Iterator[FeedRow | Rejection]:
        """The photos.

        Raises:
            FeedError: a folder without photos; it names what is there instead.
        """
        others: Counter[str] = Counter()
        empty = True
        for entry in walk(self._folder):
            if isinstance(entry, Rejection):
                yield entry
            elif is_photo(entry):
                empty = False
                yield _row(entry)
            else:
                others[Path(entry).suffix.lower() or "no extension"] += 1
        if empty:
            found = ", ".join(f"{count} with {suffix}" for suffix, count in others.most_common(5)) or "no files"
            raise FeedError(
                f"{self._folder} holds no photos and no feed.csv (found: {found})",
                remedy="name a feed file, or a folder with photos (jpg, png, webp, ...) or a feed.csv",
                code="no-photos",
            )


def is_photo(name: str) -> bool:
    """Whether a file's name is a photo's."""
    return os.path.splitext(name)[1].lower() in PHOTO_SUFFIXES  # noqa: PTH122 - a million names, no Path for each


def walk(root: Path) -> Iterator[str | Rejection]:
    """Paths below ``root`` of all files that are not hidden, with ``/``, sorted; what cannot be read is a rejection."""
    pending = [""]
    while pending:
        relative = pending.pop()
        if not relative.endswith("/") and relative:
            yield relative
            continue
        try:
            with os.scandir(root / relative) as entries:
                found = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _LITTER]
        except OSError as exc:
            yield Rejection(
                "folder",
                f"folder {safe(relative or str(root))} cannot be read: {exc.strerror}",
                "check its permissions",
                location=safe(relative or str(root)),
            )
            continue
        names = []
        for entry in found:
            path = relative + entry.name
            if entry.is_dir(follow_symlinks=False):
                names.append(path + "/")
            elif entry.is_symlink() and entry.is_dir():
                yield Rejection(
                    "folder-link",
                    f"{safe(path)} is a link to a folder; links to folders are not followed",
                    "import the folder that it leads to, or copy it here",
                    location=safe(path),
                )
            elif entry.is_file() or entry.is_symlink():
                names.append(path)
        pending.extend(sorted(names, reverse=True))


def _row(path: str) -> FeedRow | Rejection:
    """The item that a photo is."""
    parts = path.split("/")[:-1]
    folders = tuple("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    try:
        return FeedRow(Item(path, (path,), attributes={"folder": folders} if folders else {}), path)
    except UsageError as exc:
        return Rejection(
            exc.code, f"the path {path!r} cannot be an item's id: {exc.message}", "rename the file", location=safe(path)
        )
