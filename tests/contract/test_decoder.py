"""The contract of decoders: good photos come out right, bad bytes become ``ImageError``, and nothing else happens."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nitari.errors import ImageError
from nitari.images.base import Decoder
from nitari.images.decode import ImageDecoder
from nitari.types import Photo
from support.good_inputs import Expected, write_good_images
from support.picture import corners_of, encoded, jpeg, noisy

DECODERS: dict[str, Decoder] = {"image-decoder": ImageDecoder()}
SOUND = {
    "jpeg": jpeg(noisy(120, 80)),
    "progressive": jpeg(noisy(120, 80), progressive=True, subsampling=2),
    "png": encoded(noisy(120, 80), "PNG"),
    "webp": encoded(noisy(120, 80), "WEBP"),
    "avif": encoded(noisy(120, 80), "AVIF", speed=10),
    "gif": encoded(noisy(120, 80), "GIF"),
    "bmp": encoded(noisy(120, 80), "BMP"),
    "tiff": encoded(noisy(120, 80), "TIFF"),
    "lzw": encoded(noisy(120, 80), "TIFF", compression="tiff_lzw"),
}


@pytest.fixture(params=sorted(DECODERS))
def decoder(request: pytest.FixtureRequest) -> Decoder:
    """Every adapter of the port."""
    return DECODERS[request.param]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Expected]]:
    """A folder of odd but good photos."""
    folder = tmp_path_factory.mktemp("good")
    return folder, write_good_images(folder)


@pytest.mark.parametrize("short_side", [0, 16, 224])
def test_good_photos(decoder: Decoder, good: tuple[Path, dict[str, Expected]], short_side: int) -> None:
    """Every odd but good photo decodes to the right colors, upright, contiguous, and not below the asked side."""
    folder, expected_by_name = good
    assert len(expected_by_name) > 60
    for name, expected in expected_by_name.items():
        photo = decoder.decode((folder / name).read_bytes(), short_side=short_side)
        assert (photo.width, photo.height) == expected.size, name
        assert photo.pixels.dtype == np.uint8, name
        assert photo.pixels.flags.c_contiguous, name
        height, width, channels = photo.pixels.shape
        assert channels == 3, name
        if short_side == 0:
            assert (width, height) == expected.size, name
        assert min(width, height) >= min(short_side, *expected.size), name
        if min(width, height) >= 16:
            off = np.abs(corners_of(photo.pixels) - np.array(expected.corners)).max()
            assert off <= expected.tolerance, f"{name}: off by {off:.1f}"


@pytest.mark.parametrize("kind", sorted(SOUND))
@pytest.mark.parametrize("short_side", [0, 20, 40, 41, 79, 80, 1000])
def test_short_side_is_kept(decoder: Decoder, kind: str, short_side: int) -> None:
    """However it is scaled, the short side stays as asked where the original has it, and so does the aspect."""
    photo = decoder.decode(SOUND[kind], short_side=short_side)
    height, width, _ = photo.pixels.shape
    assert (photo.width, photo.height) == (120, 80)
    assert min(short_side or 80, 80) <= min(height, width) <= 80
    assert abs(width / height - 1.5) < 0.15


@pytest.mark.parametrize("kind", sorted(SOUND))
@given(cut=st.floats(0, 1, exclude_max=True))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_cut_off_files(decoder: Decoder, kind: str, cut: float) -> None:
    """A file cut off anywhere is an ``ImageError``; a few missing bytes that carry no pixels may be forgiven."""
    data = SOUND[kind][: int(cut * len(SOUND[kind]))]
    photo = _decode_or_reject(decoder, data, codes=("truncated", "corrupt", "empty-file", "not-an-image"))
    if photo is not None:
        assert len(SOUND[kind]) - len(data) <= 16, f"{len(data)} of {len(SOUND[kind])} bytes were taken for all"
        whole = decoder.decode(SOUND[kind], short_side=64)
        assert np.array_equal(photo.pixels, whole.pixels)


@pytest.mark.parametrize("kind", sorted(SOUND))
@given(flips=st.lists(st.tuples(st.integers(0, 10**9), st.integers(1, 255)), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_flipped_bytes(decoder: Decoder, kind: str, flips: list[tuple[int, int]]) -> None:
    """Damage anywhere gives a photo or an ``ImageError``: nothing else is raised, printed or warned about."""
    data = bytearray(SOUND[kind])
    for position, change in flips:
        # Half of the changes hit the first 200 bytes, where the headers are.
        data[position % (200 if position % 2 else len(data))] ^= change
    _decode_or_reject(decoder, bytes(data))


@given(start=st.sampled_from([data[:40] for data in SOUND.values()]), rest=st.binary(max_size=300))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise_after_a_header(decoder: Decoder, start: bytes, rest: bytes) -> None:
    """A true beginning followed by noise is rejected, or decoded, and nothing else."""
    _decode_or_reject(decoder, start + rest)


@given(st.binary(max_size=500))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_noise(decoder: Decoder, data: bytes) -> None:
    """Noise is rejected."""
    with pytest.raises(ImageError):
        decoder.decode(data, short_side=64)


def _decode_or_reject(decoder: Decoder, data: bytes, *, codes: Container[str] | None = None) -> Photo | None:
    """The photo, or ``None`` after a proper rejection (with one of ``codes``)."""
    rejection: ImageError | None = None
    photo: Photo | None = None
    try:
        photo = decoder.decode(data, short_side=64)
    except ImageError as exc:
        rejection = exc
    if rejection is not None:
        assert rejection.code != ImageError.default_code
        assert codes is None or rejection.code in codes
        assert rejection.message
        assert rejection.remedy
        assert len(rejection.message) < 600
    if photo is not None:
        assert photo.pixels.ndim == 3
        assert photo.pixels.shape[2] == 3
    return photo
