"""Downloading a sample from a loopback server that behaves, misbehaves, or sends something else."""

from __future__ import annotations

import csv
import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from nitari.errors import DataError, DependencyError
from nitari.samples.fetch import TRIES, fetch_origin
from nitari.samples.origin import FLAT, Origin
from support.web import Answer, Web, running_web

FILES = {
    "images.csv": b"image,sender_id,label,kids\na,1,Hat,False\nb,2,Skip,False\n",
    "images/a.jpg": b"photo a",
    "images/b.jpg": b"photo b",
}


def archive(files: dict[str, bytes], *, extra: Callable[[tarfile.TarFile], None] | None = None) -> bytes:
    """A .tar.gz with one top folder, as GitHub makes them."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, data in files.items():
            member = tarfile.TarInfo(f"top-7ed86a9/{path}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        if extra is not None:
            extra(tar)
    return out.getvalue()


def pinned(files: dict[str, bytes]) -> Origin:
    """An origin that expects these files."""
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {path}\n" for path, data in sorted(files.items()))
    digest = hashlib.sha256(lines.encode()).hexdigest()
    return replace(FLAT, files=len(files), digest=digest, archive_bytes=100_000)


@pytest.fixture
def web() -> Iterator[Web]:
    """A loopback server."""
    with running_web() as server:
        yield server


def test_a_download_becomes_a_catalog(web: Web, tmp_path: Path) -> None:
    """Photos and feed lie where they belong, nothing else does, and progress ends at the size."""
    body = archive({**FILES, "README.md": b"not needed"})
    told: list[tuple[int, int]] = []
    fetch_origin(
        pinned(FILES), tmp_path, url=web.serve("/x", Answer(body=body)), on_bytes=lambda *n: told.append(n), pause_s=0
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["feed.csv", "images"]
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == ["a.jpg", "b.jpg"]
    with (tmp_path / "feed.csv").open(encoding="utf-8", newline="") as lines:
        assert [row["image_link"] for row in csv.DictReader(lines)] == ["images/a.jpg"]
    assert told[-1] == (len(body), len(body))


def test_passing_failures_are_tried_again(web: Web, tmp_path: Path) -> None:
    """A 503, and an answer that breaks off, cost a try each."""
    body = archive(FILES)
    answers = [
        Answer(503),
        Answer(body=body[:50], headers={"Content-Length": str(len(body)), "Connection": "close"}),
        Answer(body=body),
    ]
    web.routes["/x"] = lambda _headers: answers.pop(0)
    fetch_origin(pinned(FILES), tmp_path, url=web.url("/x"), pause_s=0)
    assert not answers
    assert (tmp_path / "feed.csv").is_file()


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (500, TRIES)])
def test_lasting_failures_say_what_to_do(web: Web, tmp_path: Path, status: int, tries: int) -> None:
    """The error names the address and the ways without it; a 404 is not asked for again; nothing is left behind."""
    url = web.serve("/x", Answer(status))
    with pytest.raises(DependencyError, match=f"{url}: HTTP status {status}") as caught:
        fetch_origin(pinned(FILES), tmp_path, url=url, pause_s=0)
    assert "nitari sample drawn" in caught.value.remedy
    assert len(web.paths) == tries
    assert not list(tmp_path.iterdir())


def test_an_unreachable_origin_is_a_dependency_error(web: Web, tmp_path: Path) -> None:
    """Nobody listening is told as such."""
    url = web.url("/x")
    web.stop()
    with pytest.raises(DependencyError, match="cannot be downloaded"):
        fetch_origin(pinned(FILES), tmp_path, url=url, pause_s=0)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (archive({**FILES, "images/a.jpg": b"other"}), "is not what it was: 3 files"),
        (archive({"images.csv": FILES["images.csv"]}), "is not what it was: 1 files"),
        (archive({f"images/{n}.jpg": b"x" for n in range(7)}), "too much"),
        (b"<html>not an archive</html>", "cannot be unpacked"),
        (archive(FILES)[:-30], "cannot be unpacked|is not what it was"),
        (b"x" * 300_000, "more than twice"),
    ],
)
def test_what_is_not_pinned_is_refused(web: Web, tmp_path: Path, body: bytes, said: str) -> None:
    """Another content, another format, or too much of it: an error, and no catalog."""
    with pytest.raises(DataError, match=said):
        fetch_origin(pinned(FILES), tmp_path, url=web.serve("/x", Answer(body=body)), pause_s=0)
    assert not list(tmp_path.iterdir())


def test_nothing_in_an_archive_reaches_outside(web: Web, tmp_path: Path) -> None:
    """Links, devices, absolute and climbing paths are passed over."""

    def mischief(tar: tarfile.TarFile) -> None:
        for name, kind in (("top/images/link.jpg", tarfile.SYMTYPE), ("top/images/fifo.jpg", tarfile.FIFOTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
        for name in ("top/images/../../../evil.jpg", "/images/evil.jpg", "top/../images/evil.jpg"):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"evil"))

    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    url = web.serve("/x", Answer(body=archive(FILES, extra=mischief)))
    # "/images/evil.jpg" has "/" for its top folder, so it reads as a photo of the repository: the digest refuses it.
    with pytest.raises(DataError, match="4 files"):
        fetch_origin(pinned(FILES), folder, url=url, pause_s=0)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
