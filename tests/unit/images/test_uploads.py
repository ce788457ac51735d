"""Uploaded photos behind their links."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from nitari.errors import FetchError
from nitari.images.base import NotModified, Original, Validators
from nitari.images.cache import OriginalsCache
from nitari.images.uploads import UploadSource

DIGEST = hashlib.sha256(b"photo").hexdigest()


def test_an_upload_is_found_by_its_digest(tmp_path: Path) -> None:
    """What is kept comes back whole, whatever validators are known."""
    originals = OriginalsCache(tmp_path)
    originals.put(Original(b"photo", DIGEST))
    source = UploadSource(originals)
    found = source.fetch(f"upload:{DIGEST}", known=Validators("1"))
    assert not isinstance(found, NotModified)
    assert (found.data, found.digest) == (b"photo", DIGEST)
    source.close()


@pytest.mark.parametrize(
    ("link", "code"),
    [
        (f"upload:{'0' * 64}", "upload-missing"), ("upload:", "upload-link"),
        ("upload:../../etc/passwd", "upload-link"),
        (f"upload:{DIGEST.upper()}", "upload-link"), (f"upload:{DIGEST}/..", "upload-link"), (DIGEST, "upload-link"),
    ],
)  # fmt: skip
def test_other_links_are_errors_of_their_own(tmp_path: Path, link: str, code: str) -> None:
    """A digest that is not there and a link without a digest are told apart; nothing is ever a path."""
    with pytest.raises(FetchError) as caught:
        UploadSource(OriginalsCache(tmp_path)).fetch(link)
    assert caught.value.code == code
    assert caught.value.remedy
