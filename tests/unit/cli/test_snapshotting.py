"""``nitari snapshot``: what people and programs are told."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nitari.cli import output
from nitari.cli.main import cli
from nitari.cli.snapshotting import _size
from nitari.errors import NitariError, UsageError
from nitari.wiring import open_snapshots
from support.snapshots import edit_to, seq_of, upload


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with 12 changes."""
    return edit_to(tmp_path / "home", 12)


def run(home: Path, *words: str, code: int = 0) -> str:
    """What a command of the group prints."""
    done = CliRunner().invoke(cli, ["--home", str(home), "snapshot", *words], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    assert done.return_value == code
    return done.stdout


def shown(home: Path, *words: str, code: int = 0) -> Any:
    """What a command of the group prints as JSON."""
    return json.loads(run(home, *words, "--json", code=code))


def test_save_list_restore(home: Path, tmp_path: Path) -> None:
    """The way there and back, as people see it."""
    url = str(tmp_path / "store")
    assert f"snapshot 1 of change 12 is in {url}" in run(home, "save", url)
    again = run(home, "save", url)
    assert "snapshot 2 of change 12" in again
    assert "0 chunks, 0 B sent" in again
    listed = run(home, "list", url)
    assert f"2 snapshots in {url}" in listed
    assert "0-12" in listed
    restored = run(home, "restore", url, "--into", str(tmp_path / "new"))
    assert f"{tmp_path / 'new'} is snapshot 2 of {url}" in restored
    assert "a catalog of its own" not in restored
    assert seq_of(tmp_path / "new") == 12
    back = run(home, "restore", url, "--into", str(tmp_path / "back"), "--at", "5", "--snapshot", "1")
    assert "a catalog of its own now" in back
    assert "2 snapshots" in run(home, "verify", url)


def test_json(home: Path, tmp_path: Path) -> None:
    """Programs get all of it, and no password."""
    url = str(tmp_path / "store")
    saved = shown(home, "save", f"file://{url}")
    assert saved["url"] == url
    assert saved["catalog"]["seq"] == 12
    assert saved["lost"] == saved["missing"] == []
    (listed,) = shown(home, "list", url)["snapshots"]
    assert listed == {name: value for name, value in saved.items() if name not in {"url", "sent_chunks", "lost"}}
    assert datetime.fromisoformat(listed["at"]).tzinfo is not None
    restored = shown(home, "restore", url, "--into", str(tmp_path / "new"), "--snapshot", "latest")
    assert restored["home"] == str(tmp_path / "new")
    assert restored["catalog"] == saved["catalog"]
    assert shown(home, "verify", url, "--quick") == {
        "url": url,
        "quick": True,
        "broken": [],
        "snapshots": 1,
        "chunks": 3,
        "bytes": 0,
        "problems": [],
    }


def test_cards_are_told(home: Path, tmp_path: Path) -> None:
    """Where the user's own model cards went is said: the settings still name where they were."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "card.toml").write_text("x")
    (home / "nitari.toml").write_text(f"[models]\ncards = {json.dumps(str(tmp_path / 'mine'))}\n")
    run(home, "save", str(tmp_path / "store"))
    said = run(home, "restore", str(tmp_path / "store"), "--into", str(tmp_path / "new"))
    assert f"your model cards are in {tmp_path / 'new' / 'cards'}" in said
    assert (tmp_path / "new" / "cards" / "card.toml").is_file()


def test_damage(home: Path, tmp_path: Path) -> None:
    """Damage is told with what it breaks, exit code 1, and mended by sending all again."""
    url = tmp_path / "store"
    digest = upload(home, "shoe", b"photo")
    run(home, "save", str(url))
    (chunk,) = url.glob(f"chunks/*/{digest}")
    chunk.write_bytes(b"pPHOTO")
    said = run(home, "verify", str(url), code=1)
    assert "breaks snapshots 1 in originals/" in said
    assert "1 problems" in said
    assert shown(home, "verify", str(url), code=1)["broken"] == [1]
    run(home, "save", str(url), "--full")
    assert shown(home, "verify", str(url))["problems"] == []
    (url / "manifests" / "00000001.json").write_text("{")
    assert "snapshot 1 is damaged" in run(home, "list", str(url))
    assert "damaged" in shown(home, "list", str(url))["snapshots"][0]


def test_prune_by_the_settings(home: Path, tmp_path: Path) -> None:
    """URL and retention come from the settings where the command does not say."""
    url = str(tmp_path / "store")
    (home / "nitari.toml").write_text(f"[snapshots]\nurl = {json.dumps(url)}\nkeep = 2\n")
    for _ in range(4):
        run(home, "save")
    pruned = shown(home, "prune")
    assert (pruned["url"], pruned["snapshots"], pruned["kept"]) == (url, [1, 2], [3, 4])
    assert "removed 1 snapshots and 0 chunks, 0 B; 1 snapshots are left" in run(home, "prune", "--keep", "1")
    assert shown(home, "prune", "--keep", "1", "--keep-days", "1")["snapshots"] == []


def test_lost_uploads_are_told(home: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A photo that could not be saved is named at the save and at the restore."""
    digest = upload(home, "shoe", b"photo")
    (path,) = (home / "originals").rglob(digest)
    path.unlink()
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(output.err, "print", lambda text, **_: said.append(text))
        run(home, "save", str(tmp_path / "store"))
        assert any(digest in text for text in said)
        said.clear()
        run(home, "restore", str(tmp_path / "store"), "--into", str(tmp_path / "new"))
        assert any(digest in text for text in said)
    assert shown(home, "list", str(tmp_path / "store"))["snapshots"][0]["missing"] == [digest]


@pytest.mark.parametrize(
    "words", [["save"], ["list", "nonsense://x"], ["restore", "x", "--into", "y", "--snapshot", "newest"]]
)
def test_wrong_usage(home: Path, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """No URL, an unknown scheme and a number that is none are the caller's mistakes, with what to do."""
    monkeypatch.chdir(home)
    with pytest.raises(UsageError) as error:
        run(home, *words)
    assert error.value.remedy


def test_sizes() -> None:
    """Sizes as people write them."""
    assert [_size(count) for count in (0, 1023, 1536, 2**20, 5 * 2**30)] == [
        "0 B",
        "1023 B",
        "1.5 KiB",
        "1.0 MiB",
        "5.0 GiB",
    ]


def test_no_password_is_printed(home: Path) -> None:
    """A URL's user and password are in no message."""
    from nitari.settings import load_settings

    with pytest.raises(NitariError) as error:
        open_snapshots(load_settings(home=home), "ftp://user:hunter2@127.0.0.1:1/x")
    assert "hunter2" not in f"{error.value.message} {error.value.remedy}"
