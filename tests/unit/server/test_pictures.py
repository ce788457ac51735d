"""Thumbnails of the catalog's photos: from the cache, the kept original, or wherever the link leads."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from nitari.catalog.base import ImagePut
from nitari.catalog.sql import FILE_NAME, SqlCatalog
from nitari.errors import BlockedError, ConfigurationError, FetchError, ImageError, NotFoundError, UsageError
from nitari.images.base import ImageSource, NotModified, Original, Validators
from nitari.images.cache import OriginalsCache
from nitari.images.decode import ImageDecoder
from nitari.server.pictures import FAILED_S, STEPS, CatalogPictures, step_for
from nitari.types import Photo
from support.catalogs import COLLECTION, FEED, features_of, put
from support.picture import jpeg, noisy

WIDTH, HEIGHT = 800, 600
MAIN, BACK, BAD = "images/main.jpg", "images/back.jpg", "images/bad.jpg"
BASE = "the feed's folder"


def photo(seed: int = 0) -> bytes:
    """A photo unlike that of any other seed."""
    return jpeg(noisy(WIDTH, HEIGHT) ^ seed)


def original(data: bytes) -> Original:
    """A photo as sources bring it."""
    return Original(data, hashlib.sha256(data).hexdigest())


class Source:
    """A source of what is in a dictionary, which counts what it is asked for and may be slow."""

    def __init__(self, photos: dict[str, bytes]) -> None:
        self.photos = photos
        self.asked: list[str] = []
        self.closed = 0
        self.slow_s = 0.0
        self.error: FetchError | None = None

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """The photo, or the error that was set."""
        self.asked.append(link)
        time.sleep(self.slow_s)
        if self.error is not None:
            raise self.error
        return original(self.photos[link])

    def close(self) -> None:
        """Count it."""
        self.closed += 1


class CountingDecoder:
    """A decoder that notes what it was asked for, and how many asked at a time."""

    def __init__(self) -> None:
        self.decoder = ImageDecoder()
        self.sides: list[int] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def decode(self, data: bytes, *, short_side: int) -> Photo:
        """As the real one."""
        with self._lock:
            self.sides.append(short_side)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            time.sleep(0.002)
            return self.decoder.decode(data, short_side=short_side)
        finally:
            with self._lock:
                self._now -= 1


class Shop:
    """A catalog of one item with two usable photos and a bad one, and all that pictures are made from."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.catalog = SqlCatalog.open(home / FILE_NAME)
        self.catalog.register_collection(COLLECTION)
        self.catalog.register_feed(FEED, BASE)
        self.source = Source({MAIN: photo(1), BACK: photo(2), BAD: b"not a photo"})
        self.originals = OriginalsCache(home / "originals")
        self.decoder = CountingDecoder()
        self.opened: list[str | None] = []
        self.now = 0.0
        self.put("a/b ü", MAIN, BACK)

    def put(self, item_id: str, *links: str) -> None:
        """An item with these photos as they are now, and one more that could not be used."""
        photos = []
        for link in links:
            digest = original(self.source.photos[link]).digest
            features = replace(features_of(digest), width=WIDTH, height=HEIGHT)
            photos.append(ImagePut(link, digest, features=features))
        usable = put(item_id, *photos)
        item = replace(usable.item, image_links=(*links, BAD))
        self.catalog.apply([replace(usable, item=item)], collection=COLLECTION.name)

    def open_source(self, image_base: str | None) -> ImageSource:
        """The one source, for whichever folder."""
        self.opened.append(image_base)
        return self.source

    def pictures(self, *, max_bytes: int = 2**30, decodes: int | None = None) -> CatalogPictures:
        """Pictures over all this."""
        return CatalogPictures(
            catalog=self.catalog,
            originals=self.originals,
            sources=self.open_source,
            decoder=self.decoder,
            folder=self.home / "thumbnails",
            max_bytes=max_bytes,
            decodes=decodes,
            clock=lambda: self.now,
        )


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """A small catalog."""
    made = Shop(tmp_path)
    yield made
    made.catalog.close()


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height of an image file."""
    return Image.open(io.BytesIO(data)).size


def test_steps() -> None:
    """A size becomes the next larger step, and none is larger than the largest."""
    assert [step_for(size) for size in (1, 160, 161, 480, 481, 2048, 5000)] == [160, 160, 320, 480, 640, 2048, 2048]
    with pytest.raises(UsageError, match="size 0"):
        step_for(0)


@pytest.mark.parametrize("size", STEPS)
def test_sizes(shop: Shop, size: int) -> None:
    """The long side is the step, or the original's where that is less."""
    picture = shop.pictures().thumbnail("a/b ü", link=None, size=size)
    width = min(size, WIDTH)
    assert size_of(picture.data) == (width, width * 3 // 4)
    assert picture.tag == f"{original(photo(1)).digest}-{size}"


def test_made_once(shop: Shop) -> None:
    """The second time, and in another process, nothing is fetched or decoded; a decode is no larger than need be."""
    first = shop.pictures().thumbnail("a/b ü", link=MAIN, size=300)
    again = shop.pictures().thumbnail("a/b ü", link=None, size=320)
    assert first == again
    assert shop.source.asked == [MAIN]
    assert shop.decoder.sides == [241]


def test_the_kept_original_comes_first(shop: Shop) -> None:
    """A photo that is kept by its digest is not fetched, as an upload could not be."""
    shop.originals.put(original(photo(2)))
    assert shop.pictures().thumbnail("a/b ü", link=BACK, size=160)
    assert not shop.source.asked


def test_originals(shop: Shop) -> None:
    """The file itself: the kept one, else what is behind the link; an error where there is neither."""
    shop.originals.put(original(photo(2)))
    pictures = shop.pictures()
    assert pictures.original("a/b ü", link=BACK) == photo(2)
    assert not shop.source.asked
    assert pictures.original("a/b ü", link=None) == photo(1)
    assert shop.source.asked == [MAIN]
    with pytest.raises(NotFoundError, match="could not be used"):
        pictures.original("a/b ü", link=BAD)
    with pytest.raises(NotFoundError, match="not in the catalog"):
        pictures.original("none", link=None)
    shop.source.error = FetchError("it is gone")
    with pytest.raises(FetchError, match="gone"):
        pictures.original("a/b ü", link=MAIN)


def test_a_changed_photo_is_shown_but_not_kept(shop: Shop) -> None:
    """What lies behind the link now is shown under a tag of its own; nothing false gets into the cache."""
    pictures = shop.pictures()
    shop.source.photos[MAIN] = jpeg(noisy(400, 900))
    changed = pictures.thumbnail("a/b ü", link=MAIN, size=160)
    assert size_of(changed.data) == (71, 160)
    assert changed.tag.startswith(original(shop.source.photos[MAIN]).digest)
    shop.source.photos[MAIN] = photo(1)
    assert size_of(pictures.thumbnail("a/b ü", link=MAIN, size=160).data) == (160, 120)


def test_damaged_thumbnails_are_made_anew(shop: Shop) -> None:
    """A file of the cache that is cut off or gone is no error."""
    pictures = shop.pictures()
    first = pictures.thumbnail("a/b ü", link=MAIN, size=160)
    (path,) = (shop.home / "thumbnails").rglob("*.jpg")
    path.write_bytes(path.read_bytes()[:100])
    assert pictures.thumbnail("a/b ü", link=MAIN, size=160) == first
    path.unlink()
    assert pictures.thumbnail("a/b ü", link=MAIN, size=160) == first


def test_without_a_cache(shop: Shop) -> None:
    """With no room on disk each picture is made when it is asked for."""
    pictures = shop.pictures(max_bytes=0)
    assert pictures.thumbnail("a/b ü", link=MAIN, size=160) == pictures.thumbnail("a/b ü", link=MAIN, size=160)
    assert len(shop.decoder.sides) == 2


@pytest.mark.parametrize(
    ("item_id", "link", "says"),
    [
        ("nobody", None, "item 'nobody' is not in the catalog"),
        ("a/b ü", "http://169.254.169.254/latest", "has no photo 'http://169"),
        ("a/b ü", "../../etc/passwd", "has no photo '../../etc/passwd'"),
        ("a/b ü", "", "has no photo ''"),
        ("a/b ü", BAD, "could not be used"),
    ],
)
def test_not_there(shop: Shop, item_id: str, link: str | None, says: str) -> None:
    """Only an item's own usable photos are ever looked for, and the error says what is wrong and what to do."""
    with pytest.raises(NotFoundError, match=says) as caught:
        shop.pictures().thumbnail(item_id, link=link, size=160)
    assert caught.value.remedy
    assert not shop.source.asked


def test_asked_for_many_times_at_once(shop: Shop) -> None:
    """Twenty callers of one picture get the same, and it is fetched and decoded once."""
    shop.source.slow_s = 0.2
    pictures = shop.pictures()
    start = threading.Barrier(20)

    def ask(_number: int) -> bytes:
        start.wait()
        return pictures.thumbnail("a/b ü", link=MAIN, size=160).data

    with ThreadPoolExecutor(20) as pool:
        assert len(set(pool.map(ask, range(20)))) == 1
    assert (len(shop.source.asked), len(shop.decoder.sides)) == (1, 1)


def test_decodes_are_bounded(shop: Shop) -> None:
    """However many pictures are asked for at once, only so many photos are decoded at a time."""
    pictures = shop.pictures(decodes=2)
    with ThreadPoolExecutor(14) as pool:
        jobs = [(link, size) for link in (MAIN, BACK) for size in STEPS]
        list(pool.map(lambda job: pictures.thumbnail("a/b ü", link=job[0], size=job[1]), jobs))
    assert len(shop.decoder.sides) == 14
    assert shop.decoder.most <= 2


@pytest.mark.parametrize("kind", [FetchError, BlockedError])
def test_a_photo_that_cannot_be_fetched(shop: Shop, kind: type[FetchError]) -> None:
    """The source's error passes on as it is; it is not asked again for a while, then it is."""
    pictures = shop.pictures()
    shop.source.error = kind("the server is down", remedy="wait", code="timeout")
    for _ in range(3):
        with pytest.raises(kind, match="the server is down") as caught:
            pictures.thumbnail("a/b ü", link=MAIN, size=160)
        assert (caught.value.remedy, caught.value.code) == ("wait", "timeout")
    assert shop.source.asked == [MAIN]
    shop.source.error = None
    assert pictures.thumbnail("a/b ü", link=BACK, size=160)  # others go on
    shop.now = FAILED_S
    assert pictures.thumbnail("a/b ü", link=MAIN, size=160)


def test_failures_are_forgotten(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only so many failures are remembered, whatever the catalog holds."""
    monkeypatch.setattr("nitari.server.pictures._MOST_FAILURES", 1)
    pictures = shop.pictures()
    shop.source.error = FetchError("no")
    for link in (MAIN, BACK, BACK, MAIN):
        with pytest.raises(FetchError):
            pictures.thumbnail("a/b ü", link=link, size=160)
    assert shop.source.asked == [MAIN, BACK, MAIN]


def test_all_who_wait_get_the_error(shop: Shop) -> None:
    """A failure reaches everybody who waited for the picture."""
    shop.source.slow_s = 0.2
    shop.source.error = FetchError("the server is down")
    pictures = shop.pictures()

    def ask(_number: int) -> str:
        with pytest.raises(FetchError) as caught:
            pictures.thumbnail("a/b ü", link=MAIN, size=160)
        return caught.value.message

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"the server is down"}
    assert shop.source.asked == [MAIN]


def test_a_photo_that_became_unusable(shop: Shop) -> None:
    """What is no photo any more is an ``ImageError``."""
    shop.source.photos[MAIN] = b"<html>not found</html>"
    with pytest.raises(ImageError):
        shop.pictures().thumbnail("a/b ü", link=MAIN, size=160)


def test_a_feed_folder_that_is_gone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder that cannot be opened is the photo's fault, not that of the set-up, and may come back."""

    def fail(image_base: str | None) -> ImageSource:
        raise ConfigurationError(f"image folder {image_base} cannot be opened")

    with monkeypatch.context() as patch:
        patch.setattr(shop, "open_source", fail)
        pictures = shop.pictures()
    with pytest.raises(FetchError, match="cannot be opened") as caught:
        pictures.thumbnail("a/b ü", link=MAIN, size=160)
    assert caught.value.code == "file-missing"


def test_sources_are_opened_once_and_closed(shop: Shop) -> None:
    """Each folder's source is made once, and closed at the end."""
    with shop.pictures() as pictures:
        for link in (MAIN, BACK):
            pictures.thumbnail("a/b ü", link=link, size=160)
        assert shop.opened == [BASE]
        assert shop.source.closed == 0
    assert shop.source.closed == 1
