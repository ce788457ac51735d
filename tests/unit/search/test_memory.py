"""Remembered query photos: which parts of the work are done again, and that answers do not show it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nitari.errors import ImageError
from nitari.extract import Choice, Extractor
from nitari.search import memory as memory_module
from nitari.search.memory import RememberingExtractor
from nitari.types import Box, Extraction, FloatArray, Photo, Region
from support.extraction import PRODUCT, TextDecoder, TextEmbedder

LEFT, RIGHT = Box(0.0, 0.0, 0.5, 1.0), Box(0.5, 0.0, 1.0, 1.0)
CHOICES: tuple[Choice, ...] = ("auto", "whole", "largest", LEFT, RIGHT)


class Watched(TextDecoder, TextEmbedder):
    """Decoder, finder and embedder in one, which keep a log of what they did."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    def decode(self, data: bytes, *, short_side: int) -> Photo:
        """As a decoder of texts."""
        self.log.append("decode")
        return super().decode(data, short_side=short_side)

    def find(self, photo: Photo) -> tuple[Region, ...]:
        """One product."""
        self.log.append("find")
        return (PRODUCT,)

    def embed(self, photo: Photo, regions: Sequence[Region]) -> FloatArray:
        """As an embedder of texts."""
        self.log.append("embed")
        return super().embed(photo, regions)


def _remembering(photos: int = 8) -> tuple[RememberingExtractor, list[str]]:
    parts = Watched()
    extractor = Extractor(decoder=parts, regions=parts, embedder=parts, views="both")
    return RememberingExtractor(extractor, photos=photos), parts.log


def _same(one: Extraction, other: Extraction) -> bool:
    return (
        (one.width, one.height, one.regions) == (other.width, other.height, other.regions)
        and [view.region for view in one.views] == [view.region for view in other.views]
        and all(np.array_equal(a.vector, b.vector) for a, b in zip(one.views, other.views, strict=True))
    )


def test_same_photo_again() -> None:
    """The same photo and choice again runs nothing, and no stage is timed."""
    extractor, log = _remembering()
    first = extractor.extract(b"x")
    assert log == ["decode", "find", "embed"]
    assert list(first.timing_ms) == ["decode", "regions", "embed"]
    second = extractor.extract(bytes(bytearray(b"x")))
    assert log == ["decode", "find", "embed"]
    assert _same(first, second)
    assert second.timing_ms == {}


def test_another_box() -> None:
    """Another box is embedded, but products are not looked for again; going back to a box runs nothing."""
    extractor, log = _remembering()
    extractor.extract(b"x")
    log.clear()
    extractor.extract(b"x", choice=LEFT)
    extractor.extract(b"x", choice=RIGHT)
    extractor.extract(b"x", choice=LEFT)
    assert log == ["decode", "embed"] * 2


def test_detection_is_shared() -> None:
    """What a detection found, a search knows, and the other way round."""
    extractor, log = _remembering()
    found = extractor.detect(b"x")
    assert (found.width, found.height, found.regions) == (640, 480, (PRODUCT,))
    assert list(found.timing_ms) == ["decode", "regions"]
    assert list(extractor.extract(b"x").timing_ms) == ["decode", "embed"]
    assert log == ["decode", "find", "decode", "embed"]
    assert extractor.detect(b"x") == type(found)(640, 480, (PRODUCT,), {})
    extractor.extract(b"y")
    log.clear()
    assert extractor.detect(b"y").regions == (PRODUCT,)
    assert log == []


def test_whole_photo_finds_nothing() -> None:
    """After a search with the whole photo nobody has looked for products yet."""
    extractor, log = _remembering()
    assert extractor.extract(b"x", choice="whole").regions == ()
    assert extractor.detect(b"x").regions == (PRODUCT,)
    assert extractor.extract(b"x", choice="whole").regions == ()
    assert log == ["decode", "embed", "decode", "find"]


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("before", CHOICES)
def test_memory_does_not_show(choice: Choice, before: Choice) -> None:
    """Whatever was asked before, the answer is that of an extractor without memory."""
    extractor, _ = _remembering()
    forgetful, _ = _remembering(photos=0)
    extractor.extract(b"x", choice=before)
    for _ in range(2):
        assert _same(extractor.extract(b"x", choice=choice), forgetful.extract(b"x", choice=choice))
    assert len(forgetful) == 0
    assert forgetful.detect(b"x").regions == extractor.detect(b"x").regions


class Turning:
    """A query transform that adds the first axis, so much."""

    def cue(self, vectors: FloatArray) -> float:
        """Certainly worn."""
        return 1.0

    def apply(self, vectors: FloatArray, strength: float | None = None, *, ease: float = 1.0) -> FloatArray:
        """Unit rows."""
        moved = vectors + np.eye(1, vectors.shape[1], dtype=np.float32) * (0.5 * ease if strength is None else strength)
        turned: FloatArray = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
        return turned


def test_another_wish_about_the_wearer() -> None:
    """What is asked about the wearer runs no network again, and one answer does not show in another."""
    parts = Watched()
    extractor = Extractor(decoder=parts, regions=parts, embedder=parts, views="both", transform=Turning())
    remembering = RememberingExtractor(extractor, photos=8)
    fresh = extractor.extract(b"x", describe=False)
    remembering.extract(b"x", worn="auto")
    parts.log.clear()
    for worn in (0.9, "off", "auto", 0.0, 0.9):
        found = remembering.extract(b"x", worn=worn)  # type: ignore[arg-type]  # checked as it runs
        assert _same(found, extractor.undressed(fresh, worn))  # type: ignore[arg-type]  # checked as it runs
        assert found.worn == 1.0
    assert parts.log == []


def test_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The photos and boxes that were not asked for the longest are forgotten."""
    monkeypatch.setattr(memory_module, "_CHOICES", 2)
    extractor, log = _remembering(photos=2)
    for data in (b"a", b"b", b"a", b"c"):
        extractor.extract(data)
    assert len(extractor) == 2
    log.clear()
    extractor.extract(b"a")
    assert log == []
    extractor.extract(b"b")
    assert log == ["decode", "find", "embed"]
    for choice in (LEFT, RIGHT):
        extractor.extract(b"b", choice=choice)
    log.clear()
    extractor.extract(b"b", choice=RIGHT)
    assert log == []
    extractor.extract(b"b")
    assert log == ["decode", "embed"]


def test_broken_photos_are_not_remembered() -> None:
    """A photo that cannot be used is refused each time it comes."""
    extractor, log = _remembering()
    for _ in range(2):
        with pytest.raises(ImageError):
            extractor.extract(b"broken")
        with pytest.raises(ImageError):
            extractor.detect(b"broken")
    assert log == ["decode"] * 4
    assert len(extractor) == 0


def test_many_threads() -> None:
    """Threads that ask about few photos in every way at once all get what an extractor without memory says."""
    extractor, _ = _remembering(photos=2)
    forgetful, _ = _remembering(photos=0)
    asked = [(data, choice) for data in (b"a", b"b", b"c") for choice in CHOICES] * 8
    with ThreadPoolExecutor(4) as pool:
        for (data, choice), got in zip(
            asked, pool.map(lambda one: extractor.extract(one[0], choice=one[1]), asked), strict=True
        ):
            assert _same(got, forgetful.extract(data, choice=choice))
    assert len(extractor) <= 2
