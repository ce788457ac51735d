"""How far wearers are taken out, by what a gallery shows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import pytest

from nitari.search.flat_share import ENOUGH, LITTLE, FlatShare
from nitari.types import FloatArray
from support.catalogs import COLLECTION, photo, put, vector_of
from support.galleries import open_catalog, open_gallery


class FirstAxis:
    """Takes what has a first number above 0 to be worn."""

    def __init__(self) -> None:
        self.asked = 0

    def cue(self, vectors: FloatArray) -> float:
        """Counts what it is asked."""
        self.asked += 1
        return float(vectors[0, 0] > 0)

    def apply(self, vectors: FloatArray, strength: float | None = None, *, ease: float = 1.0) -> FloatArray:
        """Nothing moves."""
        return vectors


def _digests(*, worn: bool) -> Iterator[str]:
    """Of photos that the transform takes to be worn, or not to be."""
    digests = (f"{worn}-{at}" for at in count())
    return (digest for digest in digests if (vector_of(digest)[0] > 0) == worn)


@pytest.mark.parametrize(
    ("flat", "ease"), [(0, 0.0), (1, 0.0), (3, (0.3 - LITTLE) / (ENOUGH - LITTLE)), (5, 1.0), (10, 1.0)]
)
def test_as_the_share_of_flat_photos(tmp_path: Path, flat: int, ease: float) -> None:
    """Nothing is taken out where all is worn, all that is asked for from a half on."""
    catalog = open_catalog(tmp_path)
    digests = [*islice(_digests(worn=False), flat), *islice(_digests(worn=True), 10 - flat)]
    operations = [put(f"i{at}", photo(f"{at}.jpg", digest)) for at, digest in enumerate(digests)]
    catalog.apply(operations, collection=COLLECTION.name)
    gallery = open_gallery(catalog)
    share, transform = FlatShare(), FirstAxis()
    with gallery.reading() as holding:
        assert share.ease(holding, transform) == pytest.approx(ease)
        asked = transform.asked
        assert share.ease(holding, transform) == pytest.approx(ease)
        assert transform.asked == asked, "it is not looked again"
    gallery.close()


def test_it_is_looked_again_after_changes(tmp_path: Path) -> None:
    """An empty gallery takes out all; once items come, these count."""
    catalog = open_catalog(tmp_path)
    gallery = open_gallery(catalog)
    share, transform = FlatShare(), FirstAxis()
    with gallery.reading() as holding:
        assert share.ease(holding, transform) == 1.0
    for number, (worn, ease) in enumerate(((True, 0.0), (False, 1.0))):
        change = put(f"i{number}", photo(f"{number}.jpg", next(_digests(worn=worn))))
        catalog.apply([change], collection=COLLECTION.name)
        gallery.refresh()
        with gallery.reading() as holding:
            assert share.ease(holding, transform) == ease
    gallery.close()
