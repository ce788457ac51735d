"""Getting a sample into a folder: what is there already, what is not ours, where it comes from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nitari.errors import DataError, DependencyError, UsageError
from nitari.samples.sample import STAMP, get_sample


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder of samples with a catalog ``luma`` in it."""
    folder = tmp_path / "samples" / "luma"
    (folder / "images" / "deep").mkdir(parents=True)
    (folder / "images" / "a.jpg").write_bytes(b"a")
    (folder / "images" / "deep" / "b.jpg").write_bytes(b"b")
    (folder / "feed.csv").write_text("id,image_link\na,images/a.jpg\n")
    (folder / "qrels.txt").write_text("q 0 a 1\n")
    (folder / "notes.txt").write_text("not for anybody")
    return folder.parent


def names(folder: Path) -> list[str]:
    """Every file below the folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("inside", [".", "luma"])
def test_samples_are_taken_from_a_folder(source: Path, tmp_path: Path, inside: str) -> None:
    """From the catalog's folder or the one around it; photos, feed and queries come along, as links where possible."""
    target = tmp_path / "t"
    told: list[tuple[int, int, str]] = []
    sample = get_sample("luma", target, source=source / inside, on_progress=lambda *said: told.append(said))
    assert sample.fresh
    assert names(target) == ["feed.csv", "images/a.jpg", "images/deep/b.jpg", "qrels.txt", STAMP]
    assert (target / "images" / "a.jpg").read_bytes() == b"a"
    assert not (target / "images" / "a.jpg").is_symlink()
    assert told[-1] == (4, 4, "files")
    assert json.loads((target / STAMP).read_text())["license"] == sample.license


def test_a_complete_sample_is_left_alone(source: Path, tmp_path: Path) -> None:
    """A second call does nothing; another sample, or the same from elsewhere, is refused."""
    target = tmp_path / "t"
    get_sample("luma", target, source=source)
    before = (target / "feed.csv").stat().st_mtime_ns
    assert not get_sample("luma", target, source=source).fresh
    assert (target / "feed.csv").stat().st_mtime_ns == before
    with pytest.raises(UsageError, match="another sample"):
        get_sample("drawn", target)
    with pytest.raises(UsageError, match="another sample"):
        get_sample("luma", target)


def test_an_interrupted_sample_is_made_anew(source: Path, tmp_path: Path) -> None:
    """What a kill left is replaced; until then there is no feed to read by mistake."""
    target = tmp_path / "t"
    with pytest.raises(DependencyError):
        get_sample("luma", target, url="http://127.0.0.1:9/x")
    assert names(target) == [STAMP]
    (target / "images").mkdir()
    (target / "images" / "a.jpg").write_bytes(b"half")
    assert get_sample("luma", target, source=source).fresh
    assert (target / "images" / "a.jpg").read_bytes() == b"a"


def test_foreign_folders_are_not_touched(source: Path, tmp_path: Path) -> None:
    """A folder with files of somebody's, a file, or the source itself: an error, and everything stays."""
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(UsageError, match="holds files, but no sample"):
        get_sample("drawn", foreign)
    with pytest.raises(UsageError, match="is not a folder"):
        get_sample("drawn", foreign / "holiday.jpg")
    with pytest.raises(UsageError, match="holds files"):
        get_sample("luma", source / "luma", source=source)
    assert names(foreign) == ["holiday.jpg"]


def test_wrong_requests_are_named(tmp_path: Path) -> None:
    """An unknown sample, a folder without a catalog, a source for what is drawn."""
    with pytest.raises(UsageError, match="'lama'"):
        get_sample("lama", tmp_path / "t")
    with pytest.raises(DataError, match=r"holds a feed\.csv"):
        get_sample("flat", tmp_path / "t", source=tmp_path)
    with pytest.raises(UsageError, match="not taken from a folder"):
        get_sample("drawn", tmp_path / "t", source=tmp_path)


def test_drawn_samples_are_remembered_by_size_and_seed(tmp_path: Path) -> None:
    """The same request is answered at once; another one wants another folder."""
    assert get_sample("drawn", tmp_path / "t", items=1).fresh
    assert not get_sample("drawn", tmp_path / "t", items=1).fresh
    with pytest.raises(UsageError, match="another sample"):
        get_sample("drawn", tmp_path / "t", items=1, seed=2)
