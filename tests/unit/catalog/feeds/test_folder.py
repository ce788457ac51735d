"""A folder of photos: which files, in which order, under which ids."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nitari.catalog.base import FeedRow
from nitari.catalog.feed import open_feed
from nitari.catalog.feeds.folder import FolderFeed
from nitari.errors import FeedError
from support.feeds import read


def touch(root: Path, *paths: str) -> Path:
    """Make empty files."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


def ids(root: Path) -> list[str]:
    """The items' ids; nothing may be rejected."""
    items, rejections = read(open_feed(root))
    assert rejections == []
    return [item.item_id for item in items]


def test_photos_are_items_in_the_order_of_their_paths(tmp_path: Path) -> None:
    """By extension in any case, recursively, and as a plain sort of the paths would have them."""
    paths = ["b.JPG", "a/2.png", "a/10.webp", "a.jpg", "a/b/c.HEIC", "a-b.avif", "ü/赤 い.jpeg"]
    assert ids(touch(tmp_path, *paths, "notes.txt", "a/list.csv", "noext")) == sorted(paths)


def test_an_item_is_its_path(tmp_path: Path) -> None:
    """Id and link are the path; folder lists the folders above, outermost first."""
    feed = open_feed(touch(tmp_path, "women/shoes/red.jpg", "top.jpg"))
    top, red = [row for row in feed.read() if isinstance(row, FeedRow)]
    assert (red.item.item_id, red.item.image_links, red.location) == (
        "women/shoes/red.jpg",
        ("women/shoes/red.jpg",),
        "women/shoes/red.jpg",
    )
    assert red.item.attributes == {"folder": ("women", "women/shoes")}
    assert top.item.attributes == {}
    assert feed.image_base == str(tmp_path.resolve())
    assert feed.feed_id == tmp_path.resolve().as_posix()
    assert feed.size_hint == 2


def test_hidden_files_and_litter_are_left_out(tmp_path: Path) -> None:
    """What starts with a dot, and thumbnails that systems leave behind."""
    assert ids(touch(tmp_path, "a.jpg", ".b.jpg", ".git/c.jpg", "__MACOSX/d.jpg", "@eaDir/e.jpg", "._a.jpg")) == [
        "a.jpg"
    ]


def test_linked_photos_are_photos_and_linked_folders_are_reported(tmp_path: Path) -> None:
    """A link to a file is listed (who follows it decides whether it may); links to folders could loop."""
    touch(tmp_path, "shop/a.jpg", "else/b.jpg")
    (tmp_path / "shop" / "link.jpg").symlink_to(tmp_path / "else" / "b.jpg")
    (tmp_path / "shop" / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "shop" / "loop").symlink_to(tmp_path / "shop", target_is_directory=True)
    items, (rejection,) = read(open_feed(tmp_path / "shop"))
    assert [item.item_id for item in items] == ["a.jpg", "gone.jpg", "link.jpg"]
    assert (rejection.code, rejection.location) == ("folder-link", "loop")


def test_a_linked_root_is_resolved(tmp_path: Path) -> None:
    """The feed is the folder that the link leads to."""
    touch(tmp_path, "real/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    assert open_feed(tmp_path / "link").feed_id == (tmp_path / "real").resolve().as_posix()


@pytest.mark.parametrize("name", ["a\nb.jpg", "x" * 250 + "/" + "y" * 250 + "/" + "z" * 20 + ".jpg"])
def test_names_that_are_no_ids_are_rejected(name: str, tmp_path: Path) -> None:
    """Control characters and paths too long are said, and the others read."""
    items, (rejection,) = read(open_feed(touch(tmp_path, name, "good.jpg")))
    assert [item.item_id for item in items] == ["good.jpg"]
    assert (rejection.code, rejection.remedy) == ("item-id", "rename the file")


def test_names_that_are_no_text_are_rejected(tmp_path: Path) -> None:
    """A name in another encoding than the system's is spelled out, so that it can be stored and printed."""
    try:
        (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    touch(tmp_path, "good.jpg")
    items, (rejection,) = read(open_feed(tmp_path))
    assert len(items) == 1
    str(rejection).encode()
    assert rejection.location == "caf\\udce9.jpg"


def test_folders_that_cannot_be_read_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One closed folder does not end the walk."""
    touch(tmp_path, "closed/a.jpg", "good.jpg")
    scandir = os.scandir

    def refuse(path: Path) -> os.ScandirIterator[str]:  # type: ignore[name-defined]
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    items, (rejection,) = read(FolderFeed(tmp_path))
    assert [item.item_id for item in items] == ["good.jpg"]
    assert (rejection.code, rejection.location) == ("folder", "closed/")


def test_no_photos_says_what_is_there(tmp_path: Path) -> None:
    """The error names what was found instead."""
    with pytest.raises(FeedError, match=r"2 with \.txt, 1 with no extension"):
        read(open_feed(touch(tmp_path, "a.txt", "b/c.txt", "d")))
