"""Downloads a sample catalog from its public origin: an archive over HTTPS, of which the needed files are kept."""

from __future__ import annotations

import csv
import hashlib
import http.client
import shutil
import tarfile
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from nitari.errors import DataError, DependencyError
from nitari.samples.origin import Origin

CHUNK = 1 << 18
TIMEOUT_S = 30.0
TRIES = 4
MAX_FILE_BYTES = 32 * 2**20
PASSING = frozenset({408, 429, 500, 502, 503, 504})

Progress = Callable[[int, int], None]
"""Called with how many bytes are here, and about how many there will be."""


def fetch_origin(
    origin: Origin,
    folder: Path,
    *,
    url: str | None = None,
    on_bytes: Progress | None = None,
    pause_s: float = 1.0,
) -> None:
    """Download the catalog and lay it out as ``feed.csv`` and ``images/`` in ``folder``, photos as they are.

    The files used are checked against the origin's digest before anything is written where a reader looks:
    ``feed.csv`` comes last, so a folder that has one is complete.

    Args:
        origin: What to get.
        folder: Exists; what an interrupted download left in it is replaced.
        url: Another place that serves the same archive (a mirror).
        on_bytes: Progress.
        pause_s: Wait before the second try; doubled for each further one.

    Raises:
        DependencyError: the origin cannot be reached or breaks off again and again.
        DataError: what came is not what is pinned.
    """
    work = folder / ".download"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        archive = work / "archive.tar.gz"
        _download(url or origin.url, archive, origin=origin, on_bytes=on_bytes, pause_s=pause_s)
        kept = _unpack(archive, work / "files", origin)
        _check(kept, origin)
        _lay_out(kept, work / "files", folder, origin)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(url: str, to: Path, *, origin: Origin, on_bytes: Progress | None, pause_s: float) -> None:
    """The archive, with a few tries: GitHub makes it while it sends it, so a broken one starts over."""
    problem = ""
    for attempt in range(TRIES):
        if attempt:
            time.sleep(pause_s * 2 ** (attempt - 1))
        try:
            _receive(url, to, origin=origin, on_bytes=on_bytes)
        except urllib.error.HTTPError as exc:
            problem = f"HTTP status {exc.code}"
            exc.close()
            if exc.code not in PASSING:
                break
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as exc:
            problem = str(getattr(exc, "reason", exc) or type(exc).__name__)
        else:
            return
    raise DependencyError(
        f"the sample {origin.name} cannot be downloaded from {url}: {problem}",
        remedy=f"check the network, or name a folder that has it: nitari sample {origin.name} DIR --from FOLDER; "
        "without any network: nitari sample drawn DIR",
        code="sample-download",
    )


def _receive(url: str, to: Path, *, origin: Origin, on_bytes: Progress | None) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "nitari"})  # noqa: S310 - a constant, or the caller's
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer, to.open("wb") as out:  # noqa: S310 - as above
        told = int(answer.headers.get("Content-Length") or 0)
        here = 0
        while chunk := answer.read(CHUNK):
            here += len(chunk)
            if here > 2 * origin.archive_bytes:
                raise DataError(
                    f"{url} sends more than twice the {origin.archive_bytes:,} bytes expected",
                    remedy="report it: the origin is not what it was",
                    code="sample-changed",
                )
            out.write(chunk)
            if on_bytes is not None:
                on_bytes(here, told or max(here, origin.archive_bytes))
        if told and here < told:
            raise http.client.IncompleteRead(b"", told - here)


def _unpack(archive: Path, to: Path, origin: Origin) -> dict[str, str]:
    """Take the needed files out. Returns the SHA-256 of each by its path in the repository.

    Only plain files are taken, under paths made here from checked parts: whatever else an archive may hold (links,
    devices, ``..``) never reaches the disk.
    """
    kept: dict[str, str] = {}
    try:
        with tarfile.open(archive, "r|gz") as members:
            for member in members:
                path = _inner_path(member.name)
                if path is None or not member.isreg() or not path.startswith(origin.keep):
                    continue
                data = members.extractfile(member)
                if data is None or member.size > MAX_FILE_BYTES or len(kept) >= 2 * origin.files:
                    raise DataError(f"the archive holds {path}, {member.size:,} bytes: too much", code="sample-changed")
                target = to / path
                target.parent.mkdir(parents=True, exist_ok=True)
                content = data.read()
                target.write_bytes(content)
                kept[path] = hashlib.sha256(content).hexdigest()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as exc:
        raise DataError(
            f"the archive of the sample {origin.name} cannot be unpacked: {exc}",
            remedy="try again; check the free space of the disk",
            code="sample-archive",
        ) from exc
    return kept


def _inner_path(name: str) -> str | None:
    """The path inside the archive's one top folder; ``None`` where it is not such a path."""
    parts = PurePosixPath(name).parts[1:]
    if not parts or any(part in ("", ".", "..") or "\\" in part or ":" in part for part in parts):
        return None
    return "/".join(parts)


def _check(kept: dict[str, str], origin: Origin) -> None:
    lines = "".join(f"{digest}  {path}\n" for path, digest in sorted(kept.items()))
    found = hashlib.sha256(lines.encode()).hexdigest()
    if found != origin.digest:
        raise DataError(
            f"the sample {origin.name} is not what it was: {len(kept)} files with the digest {found[:16]}..., "
            f"{origin.files} with {origin.digest[:16]}... expected",
            remedy="try again; if it stays so, report it",
            code="sample-changed",
        )


def _lay_out(kept: dict[str, str], files: Path, folder: Path, origin: Origin) -> None:
    """Photos into ``images/``, then the feed that names them."""
    images = folder / "images"
    shutil.rmtree(images, ignore_errors=True)
    images.mkdir()
    names = set()
    for path in kept:
        if path.startswith(origin.photos):
            name = PurePosixPath(path).name
            (files / path).replace(images / name)
            names.add(name)
    partial = files.parent / "feed.csv"
    with partial.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, origin.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(origin.rows(files, frozenset(names)))
    partial.replace(folder / "feed.csv")
