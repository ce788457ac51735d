"""Pieces of photos of anything: cut the same way every time, and judged by their photo and its kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nitari import raster
from nitari.errors import DataError, UsageError
from nitari.evaluate.protocols import EvalProtocol, Materials, general
from support.evaluating import ListFeed, materials, row


def photos(folder: Path, *names: str) -> ListFeed:
    """A folder of noise, each photo another."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 256, (60, 90, 3), np.uint8)
        (folder / name).write_bytes(raster.encode(pixels, "png"))
    return ListFeed([row(name, name, folder=tuple(_parents(name))) for name in names], "photos", str(folder))


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def made(folder: Path, *names: str) -> EvalProtocol:
    """The protocol over such a folder."""
    return general(folder / "in", materials(photos(folder / "in", *names), work=folder / "made"))


def test_four_pieces_of_each_photo_are_cut_once(tmp_path: Path) -> None:
    """One asks, three may answer; a second time nothing is cut anew, and the pieces are what they were."""
    protocol = made(tmp_path, "a.png", "b.png")
    assert [(query.query_id, query.subject) for query in protocol.queries] == [
        ("a.png#0", "a.png#0"),
        ("b.png#0", "b.png#0"),
    ]
    assert [item.item_id for item in protocol.gallery.items()] == [
        f"{name}#{number}" for name in ("a.png", "b.png") for number in (1, 2, 3)
    ]
    assert protocol.judgments == {
        f"{name}#0": {f"{name}#{number}": 1 for number in (1, 2, 3)} for name in ("a.png", "b.png")
    }
    assert protocol.gallery.image_base is not None
    work = Path(protocol.gallery.image_base)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in work.iterdir()}
    assert len(before) == 8
    made(tmp_path, "a.png", "b.png")
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in work.iterdir()} == before
    for path in work.iterdir():
        path.unlink()
    made(tmp_path, "a.png", "b.png")
    assert {path.name: path.read_bytes() for path in work.iterdir()} == {
        name: data for name, (_, data) in before.items()
    }


def test_kinds_are_folders_of_cutouts_with_some_photos(tmp_path: Path) -> None:
    """Other photos of the kind are right, the photo's own pieces are out; small kinds and other folders do not ask."""
    birds = [f"cutouts/birds/{number}.png" for number in range(6)]
    protocol = made(tmp_path, *birds, "cutouts/fish/a.png", "scenes/x/b.png")
    kinds = {lens.name: lens for lens in protocol.measured}["kind P@10"].judgments
    assert kinds is not None
    assert list(kinds) == [f"{bird}#0@kind" for bird in birds]
    assert set(kinds[f"{birds[0]}#0@kind"]) == {f"{bird}#{number}" for bird in birds[1:] for number in (1, 2, 3)}
    asked = {query.query_id: query for query in protocol.queries}
    assert asked[f"{birds[0]}#0@kind"].filter == {"not": {"item_group_id": birds[0]}}
    assert asked[f"{birds[0]}#0@kind"].subject == f"{birds[0]}#0"


def test_what_is_no_photo_is_left_out(tmp_path: Path) -> None:
    """A text among the photos is no reason to stop; a folder without two photos is."""
    feed = photos(tmp_path / "in", "a.png", "b.png", "c.png")
    (tmp_path / "in" / "c.png").write_text("no photo")
    assert len(general(tmp_path / "in", materials(feed, work=tmp_path / "made")).queries) == 2
    (tmp_path / "in" / "a.png").unlink()
    with pytest.raises(DataError, match="it holds 1 usable photos"):
        general(tmp_path / "in", materials(feed, work=tmp_path / "other"))


def test_pieces_need_a_place(tmp_path: Path) -> None:
    """Without a decoder or a folder nothing can be cut."""
    with pytest.raises(UsageError, match="a decoder and a folder"):
        general(tmp_path, Materials(lambda _: ListFeed([])))
