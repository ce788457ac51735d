"""Links that are paths: nothing outside the folder, nothing that blocks, and errors that name the link."""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.errors import BlockedError, ConfigurationError, FetchError
from nitari.images.base import Original, Validators
from nitari.images.files import FileSource

SECRET = b"outside"
INSIDE = b"a photo"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A feed's folder beside a secret."""
    base = tmp_path_factory.mktemp("files")
    (base / "secret.jpg").write_bytes(SECRET)
    folder = base / "feed"
    (folder / "sub").mkdir(parents=True)
    for name in ("a.jpg", "sub/b.jpg", "sp ace%20.jpg", "服.jpg"):
        (folder / name).write_bytes(INSIDE)
    return folder


def code_of(source: FileSource, link: str) -> str:
    """The code that fetching this link fails with; the message names the link."""
    with pytest.raises(FetchError) as caught:
        source.fetch(link)
    assert caught.value.remedy
    assert repr(link)[1:50] in caught.value.message
    return caught.value.code


def test_reads_a_file(root: Path) -> None:
    """The bytes with their digest; what was known of a file never keeps it from being read."""
    expected = Original(INSIDE, hashlib.sha256(INSIDE).hexdigest())
    assert FileSource(root).fetch("a.jpg") == expected
    assert FileSource(root).fetch("a.jpg", known=Validators("x", "y")) == expected


@pytest.mark.parametrize("link", ["./a.jpg", "sub/../a.jpg", "sub/b.jpg", "sub\\b.jpg", "sp ace%20.jpg", "服.jpg"])
def test_ways_to_write_a_path(root: Path, link: str) -> None:
    """Dots, either slash, spaces, percent signs and other scripts are read as they stand."""
    assert isinstance(FileSource(root).fetch(link), Original)


def test_absolute_paths(root: Path) -> None:
    """An absolute path is followed inside the folder, also under another name of the folder, and refused outside it."""
    source = FileSource(root)
    assert isinstance(source.fetch(str(root / "a.jpg")), Original)
    assert code_of(source, str(root.parent / "secret.jpg")) == "outside-folder"
    assert code_of(source, str(root.parent / "feed-not" / "x.jpg")) == "outside-folder"


@pytest.mark.parametrize(
    "link",
    ["../secret.jpg", "sub/../../secret.jpg", "..\\secret.jpg", "sub\\..\\..\\secret.jpg", "/etc/passwd", "../x"],
)
def test_nothing_outside(root: Path, link: str) -> None:
    """A path out of the folder is refused whether or not something is there."""
    with pytest.raises(BlockedError) as caught:
        FileSource(root).fetch(link)
    assert caught.value.code == "outside-folder"


@given(st.lists(st.sampled_from(["..", ".", "sub", "a.jpg", "secret.jpg", "feed", "", "~"]), max_size=8))
def test_no_path_gets_out(root: Path, parts: list[str]) -> None:
    """Whatever a path is put together from, it never brings bytes from outside."""
    for separator in ("/", "\\"):
        try:
            got = FileSource(root).fetch(separator.join(parts))
        except FetchError:
            continue
        assert isinstance(got, Original)
        assert got.data == INSIDE


@given(st.text(max_size=50))
def test_any_text_is_answered(root: Path, link: str) -> None:
    """Any text at all is a file or a ``FetchError``."""
    try:
        FileSource(root).fetch(link)
    except FetchError as exc:
        assert exc.code != FetchError.default_code  # noqa: PT017 - either way is right


def test_bad_paths(root: Path) -> None:
    """Nothing, a zero byte, too long a name, a missing file, a file used as a folder, a folder."""
    source = FileSource(root)
    assert code_of(source, " ") == "bad-path"
    assert code_of(source, "a\x00.jpg") == "bad-path"
    assert code_of(source, "x" * 100_000) == "file-unreadable"
    assert code_of(source, "missing.jpg") == "file-missing"
    assert code_of(source, "a.jpg/b.jpg") == "file-missing"
    assert code_of(source, "sub") == "not-a-file"
    assert code_of(source, ".") == "not-a-file"


def test_byte_cap(root: Path) -> None:
    """A file at the cap is read, one above it is not."""
    assert isinstance(FileSource(root, max_bytes=len(INSIDE)).fetch("a.jpg"), Original)
    assert code_of(FileSource(root, max_bytes=len(INSIDE) - 1), "a.jpg") == "too-many-bytes"


def test_a_huge_sparse_file(root: Path) -> None:
    """A file of a terabyte costs no more than any other."""
    with (root / "huge.jpg").open("wb") as file:
        file.truncate(2**40)
    assert code_of(FileSource(root), "huge.jpg") == "too-many-bytes"
    (root / "huge.jpg").unlink()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX file types")
def test_what_is_no_file(root: Path, tmp_path: Path) -> None:
    """Pipes, sockets and devices are refused without waiting for them."""
    folder = tmp_path / "odd"
    folder.mkdir()
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as listening:
        here = Path.cwd()
        os.chdir(folder)  # the path of a socket is limited to some hundred bytes
        try:
            listening.bind("socket.jpg")
        finally:
            os.chdir(here)
        assert code_of(FileSource(folder), "pipe.jpg") == "not-a-file"
        assert code_of(FileSource(folder), "socket.jpg") == "not-a-file"
    assert code_of(FileSource(Path("/dev")), "zero") == "not-a-file"


@pytest.mark.skipif(sys.platform == "win32", reason="symlinks need a privilege on Windows")
def test_symlinks(root: Path, tmp_path: Path) -> None:
    """Symlinks are followed inside the folder; those that lead out, dangle or run in circles are not."""
    folder = tmp_path / "feed"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "a.jpg").write_bytes(INSIDE)
    (tmp_path / "secret.jpg").write_bytes(SECRET)
    for name, target in {
        "good.jpg": "deep/a.jpg",
        "out.jpg": "../secret.jpg",
        "up": "..",
        "dangling.jpg": "gone.jpg",
        "circle.jpg": "circle.jpg",
        "deep/back.jpg": "../out.jpg",
    }.items():
        (folder / name).symlink_to(target)
    other_name = tmp_path / "other-name"
    other_name.symlink_to(folder)
    source = FileSource(other_name)
    assert isinstance(source.fetch("good.jpg"), Original)
    assert isinstance(source.fetch(str(other_name / "good.jpg")), Original)
    for link in ("out.jpg", "up/secret.jpg", "deep/back.jpg"):
        assert code_of(source, link) == "outside-folder"
    assert code_of(source, "dangling.jpg") == "file-missing"
    assert code_of(source, "circle.jpg") == "file-unreadable"


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="needs permissions that bind")
def test_unreadable(tmp_path: Path) -> None:
    """A file that this user may not read says so."""
    (tmp_path / "a.jpg").write_bytes(INSIDE)
    (tmp_path / "a.jpg").chmod(0)
    assert code_of(FileSource(tmp_path), "a.jpg") == "file-unreadable"


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_a_pipe_in_a_files_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe that takes a file's place after it was looked at does not block the reader."""
    (tmp_path / "a.jpg").write_bytes(INSIDE)
    real = os.open

    def swapped(path: str | os.PathLike[str], flags: int, *rest: int) -> int:
        Path(path).unlink()
        os.mkfifo(path)
        return real(path, flags, *rest)

    monkeypatch.setattr(os, "open", swapped)
    codes: list[str] = []
    reader = threading.Thread(target=lambda: codes.append(code_of(FileSource(tmp_path), "a.jpg")), daemon=True)
    reader.start()
    reader.join(10)
    assert codes == ["not-a-file"]


def test_the_folder_itself(tmp_path: Path) -> None:
    """A folder that is missing, or is a file, is the operator's mistake."""
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "missing", tmp_path / "file"):
        with pytest.raises(ConfigurationError, match=path.name):
            FileSource(path)
