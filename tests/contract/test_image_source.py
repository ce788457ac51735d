"""The contract of image sources, for files, for the web, for uploads, and for all behind their wrappers."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from nitari.errors import BlockedError, FetchError
from nitari.images.base import ImageSource, Original, Validators
from nitari.images.cache import CachingSource, OriginalsCache
from nitari.images.files import FileSource
from nitari.images.http import HttpSource
from nitari.images.links import LinkSource
from nitari.images.uploads import UploadSource
from support.web import Answer, running_web

CAP = 100_000


@dataclass
class Case:
    """A source, and how a test puts photos where it finds them.

    Args:
        source: Under test.
        put: Stores bytes under a name; returns the link.
        missing: A link that leads to nothing.
        blocked: A link that must not be followed.
    """

    source: ImageSource
    put: Callable[[str, bytes], str]
    missing: str
    blocked: str


def _file_case(folder: Path) -> Case:
    feed = folder / "feed"
    feed.mkdir()
    (folder / "secret.jpg").write_bytes(b"secret")

    def put(name: str, data: bytes) -> str:
        (feed / name).write_bytes(data)
        return name

    return Case(FileSource(feed, max_bytes=CAP), put, "missing.jpg", "../secret.jpg")


def _upload_case(folder: Path) -> Case:
    originals = OriginalsCache(folder / "originals")

    def put(_name: str, data: bytes) -> str:
        original = Original(data, hashlib.sha256(data).hexdigest())
        originals.put(original)
        return f"upload:{original.digest}"

    nowhere = FileSource(folder)
    source = LinkSource(web=nowhere, files=None, uploads=UploadSource(originals, max_bytes=CAP))
    return Case(source, put, f"upload:{'0' * 64}", "file:///secret.jpg")


@pytest.fixture(params=["files", "http", "cached-http", "links-to-files", "links-to-web", "links-to-uploads"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    """Every adapter of the port."""
    kind = str(request.param)
    files = _file_case(tmp_path)
    if kind == "files":
        yield files
        return
    if kind == "links-to-uploads":
        yield _upload_case(tmp_path)
        return
    with running_web() as web:
        http = HttpSource(allow_private=True, retries=0, timeout_s=5, max_bytes=CAP)
        source: ImageSource = http
        if kind == "cached-http":
            source = CachingSource(http, OriginalsCache(tmp_path / "cache"))
        elif kind.startswith("links"):
            source = LinkSource(web=http, files=files.source)
        if kind == "links-to-files":
            yield Case(source, files.put, files.missing, files.blocked)
        else:
            yield Case(
                source,
                lambda name, data: web.serve(f"/{name}", Answer(200, data)),
                web.url("/missing.jpg"),
                "ftp://127.0.0.1/a.jpg",
            )
        source.close()


@pytest.mark.parametrize("data", [b"", b"a photo", bytes(range(256)) * 300, b"\r\n\x1a\x00"])
def test_bytes_come_as_they_are(case: Case, data: bytes) -> None:
    """Whatever the bytes, they come back unchanged, with their digest."""
    got = case.source.fetch(case.put("a.jpg", data))
    assert isinstance(got, Original)
    assert got.data == data
    assert got.digest == hashlib.sha256(data).hexdigest()


def test_a_changed_photo_is_seen(case: Case) -> None:
    """A link whose bytes change brings the new ones, also when asked conditionally with what an old copy had."""
    first = case.source.fetch(case.put("a.jpg", b"old"))
    assert isinstance(first, Original)
    second = case.source.fetch(case.put("a.jpg", b"new"), known=first.validators)
    assert isinstance(second, Original)
    assert second.data == b"new"


def test_unchanged_is_only_said_when_asked(case: Case) -> None:
    """Without knowing anything, the bytes come, however often."""
    link = case.put("a.jpg", b"same")
    for known in (None, None, Validators()):
        assert isinstance(case.source.fetch(link, known=known), Original)


def test_missing(case: Case) -> None:
    """A photo that is not there is a ``FetchError`` with code, remedy and the link."""
    with pytest.raises(FetchError) as caught:
        case.source.fetch(case.missing)
    assert caught.value.code in ("file-missing", "http-404", "upload-missing")
    assert case.missing in caught.value.message
    assert caught.value.remedy


def test_blocked(case: Case) -> None:
    """A link that must not be followed is a ``BlockedError``."""
    with pytest.raises(BlockedError) as caught:
        case.source.fetch(case.blocked)
    assert caught.value.code in ("outside-folder", "blocked-scheme")


def test_too_large(case: Case) -> None:
    """A file at the cap comes, one byte more does not."""
    assert isinstance(case.source.fetch(case.put("a.jpg", b"x" * CAP)), Original)
    with pytest.raises(FetchError) as caught:
        case.source.fetch(case.put("b.jpg", b"x" * (CAP + 1)))
    assert caught.value.code in ("too-many-bytes", "too-large")


def test_many_threads(case: Case) -> None:
    """Threads get each their own bytes."""
    links = {case.put(f"{i}.jpg", str(i).encode() * 1000): str(i).encode() * 1000 for i in range(8)}

    def right(link: str) -> bool:
        got = case.source.fetch(link)
        return isinstance(got, Original) and got.data == links[link]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(right, list(links) * 5))
