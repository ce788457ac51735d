"""Getting weights: through the user's pip, over HTTP, out of folders; and every way in which that fails."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nitari.errors import ModelError
from nitari.models import sources
from nitari.models.card import Card, Source, read_card
from support.models import MEMBER, WHEEL, tiny_card, wheel_source, write_wheel

DATA = b"the weights" * 100
SHA256 = hashlib.sha256(DATA).hexdigest()


def card_with(source: str, folder: Path) -> Card:
    """A card with these weights."""
    path = folder / "tiny.toml"
    path.write_text(tiny_card(source), encoding="utf-8")
    return read_card(path)


def fetch(card: Card, folder: Path, **options: str) -> Path:
    """Fetch the card's first source."""
    place = folder / "place"
    place.mkdir()
    return sources.fetch(card, card.weights[0], place, progress=lambda _message: None, **options)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of wheels that pip's configuration points to, and no other place."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_wheel(index: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """pip, as the user has configured it, gets the wheel; one member is taken; nothing is shown, imported or run."""
    # That Python's version does not fit the wheel's code is no matter: only a file is taken.
    write_wheel(index, DATA, requires_python="<3")
    card = card_with(wheel_source(DATA), tmp_path)
    assert fetch(card, tmp_path).read_bytes() == DATA
    assert "tiny" not in sys.modules
    assert capfd.readouterr() == ("", "")


def test_wheel_that_is_not_there(index: Path, tmp_path: Path) -> None:
    """Pip's own reason is told, with what to do instead."""
    with pytest.raises(ModelError, match=f"pip could not download {WHEEL}: .*{WHEEL}") as caught:
        fetch(card_with(wheel_source(DATA), tmp_path), tmp_path)
    assert "pip download --no-deps tiny-net==1.0" in caught.value.remedy
    assert "nitari model pull tiny --from FOLDER" in caught.value.remedy


def test_wheel_offline(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An index that cannot be reached is told as such."""
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(ModelError, match="could not reach a package index"):
        fetch(card_with(wheel_source(DATA), tmp_path), tmp_path)


def test_wheel_with_other_content(index: Path, tmp_path: Path) -> None:
    """A member with another checksum, or no such member, or no zip at all, is refused."""
    card = card_with(wheel_source(DATA), tmp_path)
    write_wheel(index, DATA + b"!")
    with pytest.raises(ModelError, match=f"has SHA-256 .*, the card pins {SHA256}"):
        fetch(card, tmp_path)
    wheel = write_wheel(index, DATA, member="tiny/other.onnx")
    with pytest.raises(ModelError, match=f"tiny_net-1.0-py3-none-any.whl has no member {MEMBER}"):
        sources.unpack(card, card.weights[0], wheel, tmp_path / "out")
    wheel.write_bytes(b"no zip")
    with pytest.raises(ModelError, match="not a readable wheel"):
        sources.unpack(card, card.weights[0], wheel, tmp_path / "out")


def test_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that unpacks to more than any weights are is cut off."""
    monkeypatch.setattr(sources, "MAX_BYTES", 2**21)
    wheel = write_wheel(tmp_path, bytes(2**22))
    card = card_with(wheel_source(DATA), tmp_path)
    with pytest.raises(ModelError, match="go on beyond 2097152 bytes"):
        sources.unpack(card, card.weights[0], wheel, tmp_path / "out")
    assert (tmp_path / "out").stat().st_size <= 2**21


def test_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """This Python's pip is preferred, then one on the PATH, then uv's; without any, the remedy says what to do."""
    assert sources.pip_command()[0] == sys.executable
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    for tools, expected in (
        ({"pip3": "/bin/pip3", "uv": "/bin/uv"}, ["/bin/pip3"]),
        ({"uv": "/bin/uv"}, ["/bin/uv", "tool", "run", "pip"]),
    ):
        monkeypatch.setattr(shutil, "which", tools.get)
        assert sources.pip_command() == expected
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(ModelError, match="needs pip") as caught:
        sources.pip_command()
    assert "ensurepip" in caught.value.remedy


def test_a_folder_named_pip_is_not_pip(index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module named pip in the working folder is not run."""
    trap = tmp_path / "trap"
    trap.mkdir()
    (trap / "pip.py").write_text("raise SystemExit('trapped')")
    monkeypatch.chdir(trap)
    write_wheel(index, DATA)
    assert fetch(card_with(wheel_source(DATA), tmp_path), tmp_path).read_bytes() == DATA


class Handler(BaseHTTPRequestHandler):
    """Answers with the weights, a redirect to them, or 404."""

    def do_GET(self) -> None:
        """Answer."""
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/org/net/resolve/v1/net.onnx")
            self.end_headers()
        elif self.path == "/org/net/resolve/v1/net.onnx":
            self.send_response(200)
            self.end_headers()
            self.wfile.write(DATA)
        else:
            self.send_error(404)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """The URL of a server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_hub(server: str, tmp_path: Path) -> None:
    """A hub's file comes from its revision's address."""
    card = card_with(f'hub = "org/net@v1"\nfile = "net.onnx"\nsha256 = "{SHA256}"', tmp_path)
    assert fetch(card, tmp_path, hub=server).read_bytes() == DATA


def test_url(server: str, tmp_path: Path) -> None:
    """A URL is fetched, redirects followed, its checksum verified; failures name it."""
    card = card_with(f'url = "https://x/y"\nsha256 = "{SHA256}"', tmp_path)
    target = tmp_path / "out"
    sources._download_url(card, f"{server}/moved", target)
    assert target.read_bytes() == DATA
    with pytest.raises(ModelError, match=f"{server}/nowhere cannot be fetched: .*404") as caught:
        sources._download_url(card, f"{server}/nowhere", target)
    assert "--from FOLDER" in caught.value.remedy
    with pytest.raises(ModelError, match="cannot be fetched"):
        sources._download_url(card, "http://127.0.0.1:9/x", target)


def test_no_downgrade() -> None:
    """A redirect from https to http is not followed."""
    request = sources.urllib.request.Request("https://x/y")
    with pytest.raises(sources.urllib.error.URLError, match="not https"):
        sources._NoDowngrade().redirect_request(request, None, 302, "", None, "http://x/y")


def test_path(tmp_path: Path) -> None:
    """A path is relative to its card and is verified where it is pinned."""
    card = card_with(f'path = "net.onnx"\nsha256 = "{SHA256}"', tmp_path)
    with pytest.raises(ModelError, match="there is no file"):
        sources.fetch(card, card.weights[0], tmp_path, progress=lambda _message: None)
    (tmp_path / "net.onnx").write_bytes(DATA)
    assert fetch(card, tmp_path) == tmp_path / "net.onnx"


def given(folder: Path, kind: str) -> Path:
    """What a user may give: each holds the weights."""
    folder.mkdir()
    if kind == "wheel":
        return write_wheel(folder, DATA)
    if kind == "folder of a wheel":
        return write_wheel(folder, DATA).parent
    name = {"folder with the member's path": MEMBER, "file of any name": "any.onnx"}.get(kind, "net.onnx")
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(DATA)
    return path if "file" in kind else folder


KINDS = ["wheel", "folder of a wheel", "folder with the member's path", "folder with the file", "file of any name"]


@pytest.mark.parametrize("kind", KINDS)
def test_locate(kind: str, tmp_path: Path) -> None:
    """The user's own copy is found as a wheel, a file, or in a folder, however it is laid out."""
    card = card_with(wheel_source(DATA), tmp_path)
    place = tmp_path / "place"
    place.mkdir()
    source, path = sources.locate(card, given(tmp_path / "given", kind), place)
    assert source == card.weights[0]
    assert path.read_bytes() == DATA


def test_locate_goes_on(tmp_path: Path) -> None:
    """A wrong file does not hide the right one beside it; with none right, the first is told."""
    card = card_with(wheel_source(DATA), tmp_path)
    folder = tmp_path / "given"
    write_wheel(folder, DATA)
    (folder / "net.onnx").write_bytes(b"wrong")
    assert sources.locate(card, folder, tmp_path)[1].read_bytes() == DATA
    write_wheel(folder, b"wrong too")
    with pytest.raises(ModelError, match=f"net.onnx has SHA-256 {hashlib.sha256(b'wrong').hexdigest()}"):
        sources.locate(card, folder, tmp_path)


def test_locate_nothing(tmp_path: Path) -> None:
    """Where nothing fits, what the card wants is told."""
    card = card_with(wheel_source(DATA), tmp_path)
    with pytest.raises(ModelError, match=r"holds none of the files that its card names \(net.onnx\)"):
        sources.locate(card, tmp_path, tmp_path)
    with pytest.raises(ModelError, match="does not exist"):
        sources.locate(card, tmp_path / "nowhere", tmp_path)
    other = tmp_path / "net.pth"
    other.write_bytes(DATA)
    with pytest.raises(ModelError, match="holds none"):
        sources.locate(card, other, tmp_path)


def test_wheel_members_cannot_leave(tmp_path: Path) -> None:
    """A member's own name never becomes a path here: it is written under ours."""
    wheel = tmp_path / "evil.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("../../evil", DATA)
    card = card_with(wheel_source(DATA), tmp_path)
    evil = Source("wheel", WHEEL, "onnx", "../../evil", SHA256)
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    sources.unpack(card, evil, wheel, place / "out")
    assert [path.name for path in place.iterdir()] == ["out"]
    assert not (tmp_path / "evil").exists()
