"""Which source a link goes to."""

from __future__ import annotations

import hashlib

import pytest

from nitari.errors import BlockedError
from nitari.images.base import NotModified, Original, Validators
from nitari.images.links import LinkSource


class Recorder:
    """A source that writes down its links."""

    def __init__(self) -> None:
        self.links: list[tuple[str, Validators | None]] = []
        self.closed = False

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """Something, always."""
        self.links.append((link, known))
        return Original(b"", hashlib.sha256().hexdigest())

    def close(self) -> None:
        """Remember it."""
        self.closed = True


@pytest.mark.parametrize(
    ("link", "web", "files"),
    [
        ("http://shop.example/a.jpg", "http://shop.example/a.jpg", None),
        (" HTTPS://shop.example/a.jpg\n", "HTTPS://shop.example/a.jpg", None),
        ("//cdn.example/a.jpg", "https://cdn.example/a.jpg", None),
        ("a.jpg", None, "a.jpg"),
        ("sub/a.jpg", None, "sub/a.jpg"),
        ("/feed/a.jpg", None, "/feed/a.jpg"),
        ("C:\\feed\\a.jpg", None, "C:\\feed\\a.jpg"),
        ("shop: a.jpg", None, "shop: a.jpg"),
        ("https.jpg", None, "https.jpg"),
    ],
)
def test_links_go_where_they_belong(link: str, web: str | None, files: str | None) -> None:
    """URLs go to the web, everything without a scheme is a path; what is known goes along."""
    to_web, to_files, known = Recorder(), Recorder(), Validators("1")
    LinkSource(web=to_web, files=to_files).fetch(link, known=known)
    assert to_web.links == ([(web, known)] if web else [])
    assert to_files.links == ([(files, known)] if files else [])


@pytest.mark.parametrize(
    "link", ["ftp://x/a.jpg", "file:///etc/passwd", "FILE:/etc/passwd", "s3://b/a.jpg", "data:image/png;base64,AA"]
)
def test_other_schemes_are_refused(link: str) -> None:
    """No other scheme is followed, nor taken for a path."""
    with pytest.raises(BlockedError) as caught:
        LinkSource(web=Recorder(), files=Recorder()).fetch(link)
    assert caught.value.code == "blocked-scheme"


def test_paths_without_a_folder() -> None:
    """A feed without a folder cannot have paths."""
    with pytest.raises(BlockedError) as caught:
        LinkSource(web=Recorder(), files=None).fetch("a.jpg")
    assert caught.value.code == "no-folder"


def test_closes_both() -> None:
    """Both sources are closed."""
    web, files = Recorder(), Recorder()
    LinkSource(web=web, files=files).close()
    LinkSource(web=web, files=None).close()
    assert web.closed
    assert files.closed


def test_uploads_have_a_source_of_their_own() -> None:
    """``upload:`` links go there where there is one, and nowhere else: they are never taken for paths."""
    uploads, files = Recorder(), Recorder()
    LinkSource(web=Recorder(), files=files, uploads=uploads).fetch("upload:00")
    assert uploads.links == [("upload:00", None)]
    with pytest.raises(BlockedError) as caught:
        LinkSource(web=Recorder(), files=files).fetch("upload:00")
    assert caught.value.code == "blocked-scheme"
    assert files.links == []
