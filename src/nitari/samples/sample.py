"""Gets a sample catalog into a folder: drawn, copied from a folder, or downloaded."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nitari.errors import DataError, UsageError
from nitari.samples.drawn.catalog import ITEMS, write_catalog
from nitari.samples.fetch import fetch_origin
from nitari.samples.origin import ORIGINS

NAMES = (*ORIGINS, "drawn")
STAMP = "sample.json"
"""Says what a folder holds; written last."""
DRAWN_VERSION = 1
"""Changes when the program draws anything differently."""
BESIDE = ("queries.csv", "qrels.txt", "queries")
"""What may lie beside the feed and is copied with it."""

Progress = Callable[[int, int, str], None]
"""Called with how much is done, about how much there is, and of what: ``bytes``, ``photos`` or ``files``."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample catalog in a folder.

    Args:
        name: ``luma``, ``flat`` or ``drawn``.
        folder: Where it is: ``feed.csv`` and ``images/``.
        origin: Where it came from, in words.
        license: Of its photos.
        fresh: Whether this call made it; False where it was there already.
    """

    name: str
    folder: Path
    origin: str
    license: str
    fresh: bool


def get_sample(
    name: str,
    folder: Path,
    *,
    source: Path | None = None,
    items: int = ITEMS,
    seed: int = 0,
    workers: int = 1,
    url: str | None = None,
    on_progress: Progress | None = None,
) -> Sample:
    """Make ``folder`` hold the sample catalog ``name``; at once where it does already.

    Args:
        name: ``luma`` and ``flat`` are real photos, ``drawn`` is drawn by program.
        folder: Created if need be; must be empty, or hold this sample or what an interrupted call left of it.
        source: A folder with the catalog (or one with a folder ``name`` in it) to take it from; hard links where the
            file system allows, copies elsewhere. Without it, luma and flat are downloaded.
        items: How many items to draw.
        seed: Of the drawn catalog.
        workers: Photos drawn at a time.
        url: Where to download the archive from instead of its origin.
        on_progress: Progress.

    Raises:
        UsageError: no such sample, or the folder holds something else.
        DataError: ``source`` is not such a catalog, or the download is not what is pinned.
        DependencyError: the download failed.
    """
    if name not in NAMES:
        raise UsageError(f"there is no sample {name!r}", remedy=f"give one of {', '.join(NAMES)}")
    if name == "drawn" and source is not None:
        raise UsageError("the drawn sample is made here, not taken from a folder", remedy="leave the folder out")
    stamp = _stamp(name, source, items, seed, url)
    if _is_there(folder, stamp):
        return Sample(name, folder, stamp["origin"], stamp["license"], fresh=False)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAMP).write_text(json.dumps({**stamp, "complete": False}, indent=2) + "\n", encoding="utf-8")
    (folder / "feed.csv").unlink(missing_ok=True)  # whoever sees one sees a whole catalog

    def told(unit: str) -> Callable[[int, int], None] | None:
        return None if on_progress is None else lambda done, total: on_progress(done, total, unit)

    if name == "drawn":
        write_catalog(folder, items=items, seed=seed, workers=workers, on_photo=told("photos"))
    elif source is not None:
        _take(_catalog_in(source, name), folder, on_file=told("files"))
    else:
        fetch_origin(ORIGINS[name], folder, url=url, on_bytes=told("bytes"))
    (folder / STAMP).write_text(json.dumps({**stamp, "complete": True}, indent=2) + "\n", encoding="utf-8")
    return Sample(name, folder, stamp["origin"], stamp["license"], fresh=True)


def _stamp(name: str, source: Path | None, items: int, seed: int, url: str | None) -> dict[str, Any]:
    if name == "drawn":
        drawn = {"version": DRAWN_VERSION, "items": items, "seed": seed}
        return {"sample": name, "origin": "drawn by Nitari", "license": "CC0-1.0", **drawn}
    origin = ORIGINS[name]
    place = f"https://github.com/{origin.repository}/tree/{origin.commit}"
    said: dict[str, Any] = {"sample": name, "origin": place, "license": origin.license}
    if source is not None:
        said["taken_from"] = str(source.resolve())
    elif url is not None:
        said["downloaded_from"] = url
    return said


def _is_there(folder: Path, stamp: dict[str, Any]) -> bool:
    """Whether the folder holds this very sample, whole.

    Raises:
        UsageError: it holds something that is not ours to replace.
    """
    if not folder.exists():
        return False
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", remedy="name a folder that does not exist yet")
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        if any(folder.iterdir()):
            raise UsageError(
                f"{folder} holds files, but no sample catalog",
                remedy="name an empty folder, or one that does not exist yet",
            )
        return False
    whole = bool(found.pop("complete", False))
    if whole and found == stamp:
        return True
    if whole or found.get("sample") != stamp["sample"]:
        held = ", ".join(f"{key} {value}" for key, value in found.items())
        raise UsageError(f"{folder} holds another sample ({held})", remedy="name another folder, or delete this one")
    return False


def _catalog_in(source: Path, name: str) -> Path:
    for folder in (source / name, source):
        if (folder / "feed.csv").is_file():
            return folder
    raise DataError(
        f"neither {source / name} nor {source} holds a feed.csv",
        remedy=f"name the folder of the catalog {name}, or the one that holds it",
        code="sample",
    )


def _take(source: Path, folder: Path, *, on_file: Callable[[int, int], None] | None) -> None:
    """Link or copy the photos, then what is beside the feed, then the feed: a folder that has one is complete."""
    if source.resolve() == folder.resolve():
        raise UsageError(f"{folder} is where the catalog is already", remedy="name another folder")
    files = [path for name in ("images", *BESIDE) for path in _files(source / name)]
    files.append(source / "feed.csv")
    for number, path in enumerate(files, start=1):
        target = folder / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            target.unlink()
        try:
            os.link(path.resolve(), target)
        except OSError:  # another file system, or one without links
            shutil.copyfile(path, target)
        if on_file is not None:
            on_file(number, len(files))


def _files(path: Path) -> Iterator[Path]:
    """The file, or all files below the folder, in order; nothing if there is none."""
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from sorted(found for found in path.rglob("*") if found.is_file())
