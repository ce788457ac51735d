"""Cards: the built-in ones are right, and a wrong one says what is wrong with it."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import ModelError
from nitari.models.card import BUILT_IN, InputSpec, OutputSpec, Part, find_cards, read_card, synthetic_image
from nitari.models.head_spec import HeadSpec
from support.models import tiny_card

SOURCE = 'path = "net.onnx"'
SHA256 = "0" * 64


def write(folder: Path, text: str, name: str = "tiny") -> Path:
    """A card's file."""
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("path", sorted(BUILT_IN.glob("*.toml")), ids=lambda path: path.stem)
def test_built_in_cards(path: Path) -> None:
    """Every card that ships reads, is called as its file is, and pins what it fetches."""
    card = read_card(path)
    assert card.name == path.stem
    assert card.license
    assert card.origin
    assert all(source.sha256 or source.kind == "path" for source in card.weights)
    assert bool(card.parts) == (card.kind == "composite")
    if any(source.sha256 for source in card.weights):
        assert card.check is not None, "a card that pins its weights has known values"


def test_the_cards_that_are_promised() -> None:
    """The documented cards are there, the default is a network and a descriptor, and there are two networks in one."""
    found = find_cards(None)
    promised = (
        "efficientnet-lite0",
        "mobilenet-v2",
        "efficientnet-lite0-mobilenet-v2",
        "fashion-baseline",
        "nitari-lite0",
        "nitari-fashion",
        "u2netp",
        "siglip2-b16",
        "marqo-fashion-siglip",
    )
    assert set(promised) <= set(found)
    default = read_card(found["fashion-baseline"])
    assert default.parts == (Part("efficientnet-lite0"), Part("lowlevel-300", 0.3, descriptor_dim=300))
    assert [part.is_descriptor for part in default.parts] == [False, True]
    assert default.dim == read_card(found["efficientnet-lite0"]).dim + 300
    both = read_card(found["efficientnet-lite0-mobilenet-v2"])
    assert both.parts == (Part("efficientnet-lite0"), Part("mobilenet-v2"))
    assert both.dim == sum(read_card(found[part.name]).dim for part in both.parts)


def test_defaults_and_values(tmp_path: Path) -> None:
    """A card's values come out typed, and what it leaves out has its documented default."""
    check = "[check]\nindices = [0, 2]\nvalues = [1, 2.5]"
    card = read_card(write(tmp_path, tiny_card(f'{SOURCE}\nsha256 = "{SHA256}"', more=check)))
    assert card.network_input == InputSpec((8, 8), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0, "bicubic", "stretch")
    assert card.network_output == OutputSpec("vector", "none", nonnegative=True)
    assert (card.weights[0].kind, card.weights[0].location, card.weights[0].sha256) == ("path", "net.onnx", SHA256)
    assert card.check is not None
    assert (card.check.indices, card.check.values, card.check.tolerance) == ((0, 2), (1.0, 2.5), 1e-3)
    assert card.path == tmp_path / "tiny.toml"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("format = 1", "format = 2", r"format is 2, this version of Nitari reads 1"),
        ('name = "tiny"', "", r"name is missing here, expected lower-case"),
        ('name = "tiny"', 'name = "Tiny net"', r"name is 'Tiny net', expected lower-case"),
        (
            'kind = "embedder"',
            'kind = "detectors"',
            r"kind is 'detectors', expected one of embedder, saliency, detector, composite",
        ),
        ("dim = 5", "dim = 0", r"dim is 0, expected a whole number, at least 1"),
        ("dim = 5", "dim = true", r"dim is True, expected a whole number"),
        ("dim = 5", 'dim = "5"', r"dim is '5', expected a whole number"),
        ("dim = 5", "dim = 5\ndims = 5", r"dims is a key that means nothing here, expected only .*dim"),
        ("size = 8", "size = [8]", r"input.size is \[8\], expected a number of pixels in 8-4096, or \[height, width\]"),
        ("size = 8", "size = 4", r"input.size is 4, expected"),
        ("size = 8", "size = [8, 8.5]", r"input.size is \[8, 8.5\], expected"),
        ("mean = [0, 0, 0]", "mean = [0, 0]", r"input.mean is \[0, 0\], expected a list of 3 numbers"),
        ("mean = [0, 0, 0]", "mean = [0, 0, nan]", r"input.mean is \[0, 0, nan\]"),
        ("std = [1, 1, 1]", "std = [1, 0, 1]", r"input.std is \[1.0, 0.0, 1.0\], expected three numbers above 0"),
        ("std = [1, 1, 1]", "std = [1, 1, 1]\nrange = 0", r"input.range is 0.0, expected a number above 0"),
        ('filter = "bicubic"', 'filter = "nearest"', r"input.filter is 'nearest', expected one of bilinear, bicubic"),
        ('fit = "stretch"', 'fit = "pad"', r"input.fit is 'pad', expected one of stretch, letterbox, crop"),
        ('fit = "stretch"', 'fit = "stretch"\ntrim = 2', r"input.trim is 2, expected no such key: only a letterbox"),
        ('fit = "stretch"', 'fit = "letterbox"\ntrim = 0', r"input.trim is 0, expected a whole number, at least 1"),
        ("nonnegative = true", 'nonnegative = "yes"', r"output.nonnegative is 'yes', expected true or false"),
        ("nonnegative = true", 'pooling = "gem"', r"output.pooling is 'gem', expected another one, or nonnegative"),
        (SOURCE, "", r"weights\[0\] is none of them, expected exactly one of path, wheel, url, hub"),
        (SOURCE, f'{SOURCE}\nurl = "https://x/y"', r"weights\[0\] is path, url, expected exactly one"),
        (SOURCE, 'wheel = "net>=1"\nfile = "x"\nsha256 = "0"', r"weights\[0\].sha256 is '0', expected 64 hex digits"),
        (SOURCE, f'wheel = "net>=1"\nfile = "x"\nsha256 = "{SHA256}"', r"wheel is 'net>=1', expected NAME==VERSION"),
        (SOURCE, f'wheel = "--pre==1"\nfile = "x"\nsha256 = "{SHA256}"', r"expected NAME==VERSION"),
        (SOURCE, f'wheel = "net==1"\nsha256 = "{SHA256}"', r"weights\[0\].file is missing here"),
        (SOURCE, f'wheel = "net==1"\nfile = "../x"\nsha256 = "{SHA256}"', r"file is '../x', expected a relative path"),
        (SOURCE, f'wheel = "net==1"\nfile = "/x"\nsha256 = "{SHA256}"', r"file is '/x', expected a relative path"),
        (SOURCE, 'wheel = "net==1"\nfile = "x"', r"weights\[0\].sha256 is missing here, expected 64 hex digits"),
        (
            SOURCE,
            f'url = "http://x/y"\nsha256 = "{SHA256}"',
            r"url is 'http://x/y', expected a URL that starts with https",
        ),
        (SOURCE, f'hub = "org/net"\nfile = "x"\nsha256 = "{SHA256}"', r"hub is 'org/net', expected org/name@revision"),
        ('format = "onnx"', 'format = "pt"', r"weights\[0\].format is 'pt', expected one of pth, onnx"),
        ('format = "onnx"', 'format = "pth"', r"architecture is missing here, expected one of efficientnet-lite0"),
        ('format = "onnx"', 'format = "onnx"\n[check]\nindices = [1, 2]\nvalues = [0.5]', r"check.values is 1 values"),
        ('format = "onnx"', 'format = "onnx"\n[check]\nindices = [-1]\nvalues = [0.5]', r"check.indices is \[-1\]"),
        ('format = "onnx"', 'format = "onnx"\n[[parts]]\nname = "x"', r"parts is a key that means nothing here"),
        ("format = 1", "format = ", r"cannot be read as TOML"),
    ],
)
def test_wrong_cards(old: str, new: str, message: str, tmp_path: Path) -> None:
    """A wrong card is refused with its file, the key, what was found and what was expected."""
    text = tiny_card(SOURCE)
    assert old in text
    path = write(tmp_path, text.replace(old, new, 1))
    with pytest.raises(ModelError, match=message) as caught:
        read_card(path)
    assert str(path) in caught.value.message
    assert caught.value.remedy


def test_wrong_composites(tmp_path: Path) -> None:
    """A composite without parts, or with a weight that makes a part vanish, is refused."""
    head = "\n".join(line for line in tiny_card(SOURCE).splitlines()[:9]).replace("embedder", "composite")
    with pytest.raises(ModelError, match="parts is nothing, expected at least one"):
        read_card(write(tmp_path, head))
    with pytest.raises(ModelError, match=r"parts\[0\].weight is 0.0, expected a number above 0"):
        read_card(write(tmp_path, f'{head}\n[[parts]]\nname = "a"\nweight = 0'))
    with pytest.raises(ModelError, match="input is a key that means nothing here"):
        read_card(write(tmp_path, f'{head}\n[input]\n[[parts]]\nname = "a"'))
    with pytest.raises(ModelError, match=r"parts\[0\].dim is missing here, expected a whole number"):
        read_card(write(tmp_path, f'{head}\n[[parts]]\ndescriptor = "a"'))
    with pytest.raises(ModelError, match=r"name is a key that means nothing here"):
        read_card(write(tmp_path, f'{head}\n[[parts]]\ndescriptor = "a"\ndim = 3\nname = "b"'))
    card = read_card(write(tmp_path, f'{head}\n[[parts]]\nname = "a"'))
    with pytest.raises(ModelError, match="no input of its own"):
        _ = card.network_input


def test_missing_files(tmp_path: Path) -> None:
    """A card, or a folder of cards, that is not there is named."""
    with pytest.raises(ModelError, match=r"nowhere.toml does not exist"):
        read_card(tmp_path / "nowhere.toml")
    with pytest.raises(ModelError, match=r"nowhere does not exist"):
        find_cards(tmp_path / "nowhere")


def test_own_cards_come_first(tmp_path: Path) -> None:
    """A card in the user's folder replaces the built-in one of its name, and the others stay."""
    own = write(tmp_path, tiny_card(SOURCE, name="mobilenet-v2"), "mobilenet-v2")
    found = find_cards(tmp_path)
    assert found["mobilenet-v2"] == own
    assert found["u2netp"].parent == BUILT_IN


def test_fingerprint(tmp_path: Path) -> None:
    """The fingerprint changes with all that shapes a vector, and with nothing else."""
    card = read_card(write(tmp_path, tiny_card(f'{SOURCE}\nsha256 = "{SHA256}"')))
    assert card.input is not None
    spec, weights = card.input, card.weights[0]
    same = [
        dataclasses.replace(card, description="other"),
        dataclasses.replace(card, license="MIT", origin="other", path=None),
        dataclasses.replace(card, weights=(dataclasses.replace(weights, location="elsewhere"), weights)),
    ]
    other = [
        dataclasses.replace(card, revision="2"),
        dataclasses.replace(card, dim=6),
        dataclasses.replace(card, output=None),
        dataclasses.replace(card, parts=(Part("a", 2.0),)),
        dataclasses.replace(card, weights=(dataclasses.replace(weights, sha256="1" * 64),)),
        dataclasses.replace(card, input=dataclasses.replace(spec, size=(8, 9))),
        dataclasses.replace(card, input=dataclasses.replace(spec, mean=(0.0, 0.0, 0.1))),
        dataclasses.replace(card, input=dataclasses.replace(spec, std=(1.0, 1.0, 2.0))),
        dataclasses.replace(card, input=dataclasses.replace(spec, range=255.0)),
        dataclasses.replace(card, input=dataclasses.replace(spec, filter="lanczos")),
        dataclasses.replace(card, input=dataclasses.replace(spec, fit="crop")),
    ]
    assert {changed.fingerprint for changed in same} == {card.fingerprint}
    assert len({card.fingerprint, *(changed.fingerprint for changed in other)}) == len(other) + 1


def test_synthetic_image_is_the_same_everywhere() -> None:
    """The picture that cards are checked with never changes: its bytes are pinned."""
    image = synthetic_image((224, 224))
    assert image.shape == (224, 224, 3)
    assert hashlib.sha256(image.tobytes()).hexdigest().startswith("4aaec112e942ff86")
    assert synthetic_image((2, 3)).shape == (2, 3, 3)


@given(
    value=st.integers(0, 255),
    mean=st.floats(-200, 200, width=32),
    std=st.floats(0.125, 200, width=32),
    scale=st.sampled_from([1.0, 2.0, 255.0]),
)
def test_tensor(value: int, mean: float, std: float, scale: float) -> None:
    """A pixel becomes (pixel / 255 * range - mean) / std, channels first, whatever the numbers."""
    spec = InputSpec((2, 3), (mean, 0.0, 0.0), (std, 1.0, 1.0), scale)
    pixels = np.zeros((4, 2, 3, 3), np.uint8)
    pixels[..., 0] = value
    tensor = spec.tensor(pixels)
    assert tensor.shape == (4, 3, 2, 3)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    expected = (value / 255 * scale - mean) / std
    np.testing.assert_allclose(tensor[:, 0], expected, atol=2e-6 * (abs(mean) + scale) / std, rtol=1e-5)
    assert not tensor[:, 1:].any()


HEADED = """format = 1
name = "headed"
revision = "1"
kind = "composite"
description = "x"
license = "x"
origin = "x"
dim = 4

[[parts]]
descriptor = "aspect-7"
dim = 7
"""


def test_head(tmp_path: Path) -> None:
    """A part may have a head: its checksum and width are in the fingerprint, where it lies is not."""
    head = f'[parts.head]\nfile = "a.npz"\nsha256 = "{SHA256}"\ndim = 4\n'
    card = read_card(write(tmp_path, HEADED + head))
    assert card.parts[0].head == HeadSpec("a.npz", SHA256, 4)
    moved = read_card(write(tmp_path, HEADED + head.replace("a.npz", "b/a.npz")))
    other = read_card(write(tmp_path, HEADED + head.replace(SHA256, "1" * 64)))
    assert moved.fingerprint == card.fingerprint != other.fingerprint
    assert read_card(write(tmp_path, HEADED)).fingerprint not in (card.fingerprint, other.fingerprint)


@pytest.mark.parametrize(
    ("wrong", "key"),
    [
        ("", "parts.head is"),
        ('file = "a.npz"\ndim = 4', "head.sha256"),
        (f'file = "a.npz"\nsha256 = "{SHA256}"', "head.dim"),
        (f'file = "a.npz"\nsha256 = "{SHA256[:-1]}"\ndim = 4', "head.sha256"),
        (f'file = "a.npz"\nsha256 = "{SHA256}"\ndim = 0', "head.dim"),
        (f'file = "a.npz"\nsha256 = "{SHA256}"\ndim = 4\nbias = true', "head.bias"),
    ],
)
def test_wrong_head(tmp_path: Path, wrong: str, key: str) -> None:
    """A head that lacks something, or has too much, is refused with the key's name."""
    with pytest.raises(ModelError) as caught:
        read_card(write(tmp_path, f"{HEADED}[parts.head]\n{wrong}\n"))
    assert key.split(" ")[0].split(".")[-1] in caught.value.message


def test_fingerprints_of_old_stay() -> None:
    """Cards of before there were heads keep their fingerprints: collections know them by these."""
    found = find_cards(None)
    assert read_card(found["fashion-baseline"]).fingerprint == "2ac992736d5dc6e9"
