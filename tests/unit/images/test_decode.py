"""What the decoder refuses, how it says so, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from nitari.errors import DataError, ImageError
from nitari.images.decode import ImageDecoder
from nitari.images.files import FileSource
from support.bad_inputs import write_bad_images
from support.picture import card, corners_of, encoded, jpeg, noisy

# VmHWM and not ru_maxrss: the latter begins with what the parent of a new process had.
_MEASURE_PEAK = """
import sys
from pathlib import Path
from nitari.errors import DataError
from nitari.images.decode import ImageDecoder
from nitari.images.files import FileSource

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024

folder = Path(sys.argv[1])
source, decoder = FileSource(folder), ImageDecoder()
before = peak()
for path in folder.iterdir():
    try:
        decoder.decode(source.fetch(path.name).data, short_side=224)
    except DataError:
        pass
print(peak() - before)
"""


def code_of(decoder: ImageDecoder, data: bytes) -> str:
    """The code that decoding fails with."""
    with pytest.raises(ImageError) as caught:
        decoder.decode(data, short_side=64)
    return caught.value.code


def test_every_bad_photo_has_its_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each of some ninety kinds of bad input becomes the one error meant for it, and nothing is printed."""
    codes = write_bad_images(tmp_path / "feed")
    assert len(codes) > 80
    source, decoder = FileSource(tmp_path / "feed"), ImageDecoder()
    found = {}
    for name in codes:
        with pytest.raises(DataError) as caught:
            decoder.decode(source.fetch(name).data, short_side=224)
        found[name] = caught.value.code
        assert caught.value.message
        assert caught.value.remedy
    assert found == codes
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="peak memory is read from /proc")
def test_bombs_cost_no_memory(tmp_path: Path) -> None:
    """Decoding all bad photos takes little more memory than importing the decoder does."""
    write_bad_images(tmp_path / "feed")
    command = [sys.executable, "-c", _MEASURE_PEAK, str(tmp_path / "feed")]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert grown < 60 * 2**20


def test_messages_say_what_was_found() -> None:
    """The message names what the file really is."""
    decoder = ImageDecoder()
    for data, words in (
        (b"<html>", "an HTML page"),
        (b"%PDF-1.4", "a PDF document"),
        (b'{"a"', "JSON"),
        (b"", "empty"),
    ):
        with pytest.raises(ImageError, match=words):
            decoder.decode(data, short_side=64)


def test_caps_are_the_callers() -> None:
    """Bytes, pixels, smallest side and aspect are what the constructor says; at the cap is fine, above is not."""
    data = jpeg(card(200, 100))
    assert code_of(ImageDecoder(max_bytes=len(data) - 1), data) == "too-many-bytes"
    assert code_of(ImageDecoder(max_pixels=200 * 100 - 1), data) == "too-many-pixels"
    assert code_of(ImageDecoder(min_side=101), data) == "too-small"
    assert code_of(ImageDecoder(max_aspect=1.9), data) == "extreme-aspect"
    exact = ImageDecoder(max_bytes=len(data), max_pixels=200 * 100, min_side=100, max_aspect=2)
    assert exact.decode(data, short_side=0).pixels.shape == (100, 200, 3)


def test_heic_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pi-heif a HEIC photo is refused with the command that helps."""
    monkeypatch.setitem(sys.modules, "pi_heif", None)
    with pytest.raises(ImageError) as caught:
        ImageDecoder().decode(b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + b"\x00" * 50, short_side=64)
    assert caught.value.code == "heic-unavailable"
    assert "pip install 'nitari[heic]'" in caught.value.remedy


@pytest.mark.parametrize("missing", range(1, 12))
def test_a_jpeg_without_its_end(missing: int) -> None:
    """The end marker alone may be missing; a single byte of the image itself may not."""
    data = jpeg(noisy())
    whole = ImageDecoder().decode(data, short_side=0)
    if missing <= 2:
        assert np.array_equal(ImageDecoder().decode(data[:-missing], short_side=0).pixels, whole.pixels)
    else:
        assert code_of(ImageDecoder(), data[:-missing]) == "truncated"


def test_harmless_oddities_are_forgiven() -> None:
    """An unknown JFIF revision and a few stray bytes before a marker say nothing against the pixels."""
    odd = bytearray(jpeg())
    odd[odd.index(b"JFIF\x00") + 5] = 9
    assert np.array_equal(
        ImageDecoder().decode(bytes(odd), short_side=0).pixels, ImageDecoder().decode(jpeg(), short_side=0).pixels
    )


def test_scaling_while_decoding_keeps_the_picture() -> None:
    """The smallest scale that keeps the short side is taken, and its colors are those of the whole."""
    for data in (jpeg(card(960, 640)), encoded(card(960, 640), "PNG")):
        photo = ImageDecoder().decode(data, short_side=150)
        assert photo.pixels.shape[0] == 160
        assert (photo.width, photo.height) == (960, 640)
        assert np.abs(corners_of(photo.pixels) - corners_of(card(960, 640))).max() < 4


def test_many_threads() -> None:
    """One decoder serves many threads, warnings of TIFFs included."""
    kinds = [jpeg(noisy()), encoded(noisy(), "PNG"), encoded(noisy(), "TIFF"), encoded(noisy(), "GIF")]
    decoder = ImageDecoder()
    alone = [decoder.decode(data, short_side=100).pixels for data in kinds]
    start = threading.Barrier(4)

    def work(i: int) -> bool:
        start.wait()
        return all(
            np.array_equal(decoder.decode(kinds[(i + k) % 4], short_side=100).pixels, alone[(i + k) % 4])
            for k in range(12)
        )

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
