"""What of a home is saved, what is not, and that it holds still."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nitari.errors import DependencyError
from nitari.images.base import Original
from nitari.images.cache import OriginalsCache
from nitari.index.segments.lease import READERS_NAME
from nitari.index.segments.manifest import MANIFEST_NAME
from nitari.index.segments.store import SEGMENTS, TABLES
from nitari.snapshots import contents
from nitari.snapshots.contents import Home, Photos
from support.snapshots import catalog_file, edit_to, upload, write_index


def paths(home: Path, *, photos: Photos = Photos.UPLOADS, cards: Path | None = None) -> list[str]:
    """What would be saved."""
    with Home(home, cards).gathered(catalog_file(home), photos=photos, tick=lambda: None) as found:
        return sorted(content.path for content in found.files)


def test_what_is_saved(tmp_path: Path) -> None:
    """All that cannot be made anew is saved; what can, and what must expire, is not."""
    home = edit_to(tmp_path / "home", 5)
    digest = upload(home, "shoe", b"photo")
    OriginalsCache(home / "originals").put(Original(b"from the web", "a" * 64))
    cards = tmp_path / "cards"
    for name in ("home/judgments/eval/flat.qrels", "home/nitari.toml", "cards/mine.toml", "cards/weights/w.onnx"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    for name in ("query-photos/x.jpg", "thumbnails/x.jpg", "jobs/x.json", ".snapshot-x/y", "judgments/.writing-x"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("x")
    write_index(home, "s1")
    uploaded = f"originals/{digest[:2]}/{digest[2:4]}/{digest}"
    expected = [
        "cards/mine.toml",
        "cards/weights/w.onnx",
        "catalog.sqlite",
        "index/card/manifest.json",
        "index/card/segments/s1/readers.lock",
        "index/card/segments/s1/rows.npy",
        "judgments/eval/flat.qrels",
        "nitari.toml",
        uploaded,
    ]
    assert paths(home, cards=cards) == sorted(expected)
    assert paths(home, cards=cards, photos=Photos.ALL) == sorted([*expected, f"originals/aa/aa/{'a' * 64}"])


def test_the_copy_is_gone_afterwards(tmp_path: Path) -> None:
    """Nothing is left in the home, whatever happens."""
    home = edit_to(tmp_path, 5)
    write_index(home, "s1")
    before = sorted(home.iterdir())
    paths(home)

    def fails() -> None:
        raise KeyError

    with pytest.raises(KeyError), Home(home).gathered(catalog_file(home), photos=Photos.UPLOADS, tick=fails):
        pass
    assert sorted(home.iterdir()) == before


def test_what_killed_saves_left_is_swept(tmp_path: Path) -> None:
    """A copy that was left behind long ago goes; a young one may be in use."""
    home = edit_to(tmp_path, 5)
    for name, age_s in ((".snapshot-old", 1e5), (".snapshot-new", 1)):
        (home / name).mkdir()
        os.utime(home / name, (time.time() - age_s,) * 2)
    paths(home)
    assert not (home / ".snapshot-old").exists()
    assert (home / ".snapshot-new").exists()


def test_missing_uploads_are_named(tmp_path: Path) -> None:
    """An uploaded photo that the home no longer has is told of, not passed over."""
    home = edit_to(tmp_path, 5)
    gone, there = upload(home, "shoe", b"photo"), upload(home, "hat", b"another")
    shutil.rmtree(home / "originals" / gone[:2])
    with Home(home).gathered(catalog_file(home), photos=Photos.ALL, tick=lambda: None) as found:
        assert found.uploads == {gone, there}
        assert found.missing == (gone,)


def hold_then(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Do something after a segment was linked."""
    link = contents._link

    def linked(source: Path, into: Path) -> None:
        link(source, into)
        act()

    monkeypatch.setattr(contents, "_link", linked)


def test_an_index_that_is_replaced_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a newer index is published while the old one is held, the newer one is taken, whole."""
    home = edit_to(tmp_path, 5)
    folder = write_index(home, "s1", "s2")
    done: list[bool] = []

    def replace() -> None:
        if not done:
            done.append(True)
            write_index(home, "s3")
            shutil.rmtree(folder / "segments" / "s1")
            shutil.rmtree(folder / "segments" / "s2")

    hold_then(monkeypatch, replace)
    found = [path for path in paths(home) if path.endswith(".npy")]
    assert found == ["index/card/segments/s3/rows.npy"]


def test_an_index_that_never_holds_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Such an index is left out, and said so: it is derived."""
    home = edit_to(tmp_path, 5)
    folder = write_index(home, "s1")
    count = iter(range(1000))
    hold_then(monkeypatch, lambda: (folder / "manifest.json").write_text(f'["s1", {next(count)}]') and None)
    assert paths(home) == ["catalog.sqlite"]
    assert "changes too fast" in caplog.text


def test_names_are_those_of_the_index() -> None:
    """What a snapshot looks for in an index's folder is what the index writes there."""
    assert contents._MANIFEST == MANIFEST_NAME
    assert contents._PARTS == (SEGMENTS, TABLES)
    assert contents._READERS == READERS_NAME


def test_a_removed_segment_is_still_there(tmp_path: Path) -> None:
    """What is held stays readable after the maintainer removed it."""
    home = edit_to(tmp_path, 5)
    folder = write_index(home, "s1")
    with Home(home).gathered(catalog_file(home), photos=Photos.UPLOADS, tick=lambda: None) as found:
        shutil.rmtree(folder)
        rows = next(content for content in found.files if content.path.endswith("rows.npy"))
        assert rows.fixed
        assert rows.source.read_bytes() == b"s1" * 1000


def test_a_disk_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where files cannot be linked they are copied."""

    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    home = edit_to(tmp_path, 5)
    write_index(home, "s1")
    assert "index/card/segments/s1/rows.npy" in paths(home)


def test_a_home_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says that a copy needs room in the home."""

    def refuse(**_: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    with pytest.raises(DependencyError, match="cannot be written"):
        paths(edit_to(tmp_path, 5))
