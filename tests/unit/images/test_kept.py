"""What stands for the web where nothing is to be fetched."""

from __future__ import annotations

import pytest

from nitari.errors import FetchError
from nitari.images.base import Validators
from nitari.images.kept import NotFetching


def test_it_follows_no_link() -> None:
    """Each link is answered by an error that names it and says what to do."""
    source = NotFetching()
    for known in (None, Validators("etag")):
        with pytest.raises(FetchError, match=r"'https://shop\.example/a\.jpg' is not kept") as caught:
            source.fetch("https://shop.example/a.jpg", known=known)
        assert caught.value.code == "original-missing"
        assert "--refetch" in caught.value.remedy
    source.close()
