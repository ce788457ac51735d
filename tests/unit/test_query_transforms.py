"""Which query transform applies: a home's own, a card's, or none."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nitari.embeddings.transforms import LinearTransform
from nitari.errors import ModelError
from nitari.models.card import Card
from nitari.models.transform_spec import TransformSpec
from nitari.query_transforms import (
    disable,
    enable,
    find_transform,
    keep_transform,
    marker_path,
    open_transform,
    own_path,
)
from support.extraction import TextEmbedder

EMBEDDER = TextEmbedder(name="texts")


def made(*, embedder: str = EMBEDDER.fingerprint, base: float = 0.5, tilt: float = 1.0) -> LinearTransform:
    """A transform for the embedder's vectors."""
    dim = EMBEDDER.dim
    return LinearTransform(
        embedder=embedder,
        kinds=(),
        cue_weights=np.zeros(dim, np.float32),
        cue_offset=0.0,
        kind_weights=np.zeros((0, dim), np.float32),
        kind_offsets=np.zeros(0, np.float32),
        away=np.full(dim, tilt, np.float32),
        towards=np.zeros((0, dim), np.float32),
        base=base,
    )


def card(path: Path | None = None, transform: TransformSpec | None = None) -> Card:
    """A card, with a transform or without."""
    return Card("texts", "1", "composite", "x", "x", "x", EMBEDDER.dim, transform=transform, path=path)


@pytest.fixture
def with_transform(tmp_path: Path) -> Card:
    """A card with a transform beside it."""
    folder = tmp_path / "cards"
    sha256 = keep_transform(folder / "t.npz", made())
    return card(folder / "texts.toml", TransformSpec("t.npz", sha256, strength=0.3))


def test_none(tmp_path: Path) -> None:
    """Without a card's and without an own one there is none."""
    assert open_transform(tmp_path, card(), EMBEDDER) is None
    assert find_transform(tmp_path, card(), EMBEDDER).origin == "none"


def test_card(tmp_path: Path, with_transform: Card) -> None:
    """A card's is used, with the strength that the card says."""
    found = find_transform(tmp_path, with_transform, EMBEDDER)
    assert found.origin == "card"
    assert found.transform is not None
    assert found.transform.base == 0.3


def test_own_wins(tmp_path: Path, with_transform: Card) -> None:
    """A home's own wins over the card's."""
    keep_transform(own_path(tmp_path, "texts"), made(base=0.9))
    found = find_transform(tmp_path, with_transform, EMBEDDER)
    assert (found.origin, found.path) == ("home", tmp_path / "transforms" / "texts.npz")
    opened = open_transform(tmp_path, with_transform, EMBEDDER)
    assert opened is not None
    assert opened.base == 0.9


def test_own_of_other_vectors(tmp_path: Path, with_transform: Card, caplog: pytest.LogCaptureFixture) -> None:
    """One that was learned for other vectors is passed over, which the log says, and the card's is used."""
    own = own_path(tmp_path, "texts")
    keep_transform(own, made(embedder="other"))
    assert find_transform(tmp_path, with_transform, EMBEDDER).stale == own
    opened = open_transform(tmp_path, with_transform, EMBEDDER)
    assert opened is not None
    assert opened.base == 0.3
    assert "learned for other vectors" in caplog.text


def test_disabled(tmp_path: Path, with_transform: Card) -> None:
    """A home that wants none has none, whatever there is; what was learned stays for when it does again."""
    disable(tmp_path, "texts")
    disable(tmp_path, "texts")
    assert marker_path(tmp_path, "texts").exists()
    assert open_transform(tmp_path, with_transform, EMBEDDER) is None
    assert find_transform(tmp_path, with_transform, EMBEDDER).transform is not None
    enable(tmp_path, "texts")
    enable(tmp_path, "texts")
    assert open_transform(tmp_path, with_transform, EMBEDDER) is not None


def test_card_with_another_file(tmp_path: Path, with_transform: Card) -> None:
    """A card's file that is gone, is another, or was learned for other vectors is an error that says so."""
    spec = with_transform.transform
    assert spec is not None
    with pytest.raises(ModelError, match="cannot be read"):
        open_transform(tmp_path, replace(with_transform, transform=replace(spec, file="gone.npz")), EMBEDDER)
    with pytest.raises(ModelError, match="SHA-256"):
        open_transform(tmp_path, replace(with_transform, transform=replace(spec, sha256="0" * 64)), EMBEDDER)
    with pytest.raises(ModelError, match="fingerprint"):
        open_transform(tmp_path, with_transform, TextEmbedder(name="texts", salt="other"))


def test_damaged_own(tmp_path: Path) -> None:
    """A damaged own one is an error that names the file and says how to make it anew."""
    own = own_path(tmp_path, "texts")
    own.parent.mkdir()
    own.write_bytes(b"half a fi")
    with pytest.raises(ModelError, match=r"texts\.npz") as caught:
        open_transform(tmp_path, card(), EMBEDDER)
    assert "nitari transform fit" in caught.value.remedy


def test_killed_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed before the new file is in its place leaves the old one as it was."""
    own = own_path(tmp_path, "texts")
    keep_transform(own, made(base=0.1))
    before = own.read_bytes()

    def killed(*_args: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    monkeypatch.setattr(Path, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        keep_transform(own, made(base=0.9))
    assert own.read_bytes() == before
