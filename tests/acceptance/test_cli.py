"""The command line as a user meets it: real processes, real exit codes, real output."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.shop import make_shop, write_photo

FAST = {
    "NITARI__MODELS__EMBEDDER": "mobilenet-v2",
    "NITARI__EXTRACT__REGIONS": "whole",
    "NITARI__EXTRACT__VIEWS": "whole",
}


@dataclass(frozen=True)
class Terminal:
    """Runs commands over one home."""

    home: Path
    shop: Path

    def run(self, *words: str | Path, code: int = 0) -> str:
        """Run a command, check its exit code, return what it printed (errors too)."""
        command = [sys.executable, "-m", "nitari", "--home", str(self.home), *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | FAST, check=False)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def json(self, *words: str | Path, code: int = 0) -> Any:
        """Run a command with ``--json`` and parse its output."""
        return json.loads(self.run(*words, "--json", code=code))


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory, model_store: object) -> Terminal:
    """A home with a small shop imported into it; tests that change it put it back."""
    folder = tmp_path_factory.mktemp("cli")
    made = Terminal(folder / "home", make_shop(folder / "shop", 12).folder)
    made.run("import", made.shop)
    return made


def test_import_again_changes_nothing(terminal: Terminal) -> None:
    """The second import of the same feed is all unchanged, and says so in JSON, too."""
    assert "12 unchanged" in terminal.run("import", terminal.shop)
    report = terminal.json("import", terminal.shop)
    assert (report["unchanged"], report["photos"], report["complete"]) == (12, 0, True)


def test_photo_finds_its_item(terminal: Terminal) -> None:
    """A catalog photo finds its own item first, as a table and in the promised JSON."""
    photo = terminal.shop / "images" / "0003-0.jpg"
    assert "i0003" in terminal.run("search", photo, "-k", "3").splitlines()[1]
    answer = terminal.json("search", photo, "-k", "3")
    assert len(answer["hits"]) == 3
    first = answer["hits"][0]
    assert first["item_id"] == "i0003"
    assert first["score"] == pytest.approx(1, abs=1e-3)
    assert {"item_id", "score", "image", "box", "attributes"} <= set(first)
    assert {"decode", "embed", "search", "total"} <= set(answer["timing_ms"])


def test_filter_box_group_and_paging(terminal: Terminal) -> None:
    """Options of a search do what they say."""
    photo = terminal.shop / "images" / "0003-0.jpg"
    red = terminal.json("search", photo, "--filter", '{"color": "red"}', "-k", "12")
    assert {hit["attributes"]["color"] for hit in red["hits"]} == {"red"}
    both = terminal.json("similar", "i0003", "-k", "6")["hits"]
    second = terminal.json("similar", "i0003", "-k", "3", "--offset", "3")["hits"]
    assert both[3:] == second
    boxed = terminal.json("search", photo, "--box", "0.1,0.1,0.9,0.9", "-k", "1")
    assert boxed["query_box"] == [0.1, 0.1, 0.9, 0.9]
    (step,) = terminal.json("similar", "i0003", "--explain")["plan"]
    assert (step["rows"], step["part"]) == (12, "live")
    assert "in memory" in terminal.run("similar", "i0003", "--explain")
    assert terminal.json("search", photo, "--min-score", "0.999")["hits"][0]["item_id"] == "i0003"
    why = terminal.json("search", photo, "--why", "-k", "1")["hits"][0]["why"]
    assert abs(sum(why["contributions"].values()) - why["similarity"]) < 1e-4
    assert "= similar" in terminal.run("similar", "i0003", "--why")
    said = ("--emphasis", "1", "--worn", "0.5", "--category", "off", "--no-collapse")
    assert terminal.json("search", photo, *said, "-k", "1")["hits"][0]["item_id"] == "i0003"


def test_recommendation(terminal: Terminal) -> None:
    """Liked and disliked items are left out of what they recommend."""
    hits = terminal.json("similar", "i0001", "i0002", "--unlike", "i0003", "-k", "12")["hits"]
    assert {hit["item_id"] for hit in hits} == {f"i{n:04}" for n in range(12)} - {"i0001", "i0002", "i0003"}


def test_contact_sheet(terminal: Terminal, tmp_path: Path) -> None:
    """The sheet shows the query and each hit, from files of the feed, and runs no script."""
    sheet = tmp_path / "sheet.html"
    terminal.run("search", terminal.shop / "images" / "0003-0.jpg", "-k", "4", "--sheet", sheet)
    page = sheet.read_text("utf-8")
    assert page.count("<figure>") == 5
    assert (terminal.shop / "images" / "0003-0.jpg").as_uri() in page
    assert "default-src 'none'" in page


def test_mistakes_get_messages_and_codes(terminal: Terminal, tmp_path: Path) -> None:
    """What is wrong, what was expected, what to do; never a traceback."""
    photo = terminal.shop / "images" / "0003-0.jpg"
    assert "did you mean gt" in terminal.run("search", photo, "--filter", '{"price": {"gtr": 1}}', code=2)
    assert "not JSON" in terminal.run("search", photo, "--filter", "{color: red}", code=2)
    assert "not in the catalog" in terminal.run("similar", "nope", code=2)
    assert "not four numbers" in terminal.run("search", photo, "--box", "1,2", code=2)
    assert "neither auto, off nor" in terminal.run("search", photo, "--worn", "on", code=2)
    assert "a strength, 0-1" in terminal.run("search", photo, "--worn", "2", code=2)
    assert "commands are" in terminal.run("serch", code=2)
    (tmp_path / "page.jpg").write_text("<html>404</html>")
    assert "HTML" in terminal.run("search", tmp_path / "page.jpg", code=4)
    assert "cannot be read" in terminal.run("search", tmp_path / "absent.jpg", code=4)
    assert "does not exist" in terminal.run("import", tmp_path / "absent.csv", code=4)


def test_rejections_are_listed(tmp_path: Path, model_store: object) -> None:
    """Exit 3, and `nitari rejects` names item, photo, place, reason and remedy."""
    shop = make_shop(tmp_path / "shop", 3)
    (shop.folder / "images" / "0001-0.jpg").write_bytes(b"")
    terminal = Terminal(tmp_path / "home", shop.folder)
    assert "1 rejected" in terminal.run("import", shop.folder, code=3)
    (rejection,) = terminal.json("rejects")
    assert (rejection["item_id"], rejection["image_link"]) == ("i0001", "images/0001-0.jpg")
    assert rejection["code"] == "empty-file"
    assert rejection["reason"]
    assert rejection["remedy"]
    write_photo(shop.folder / "images" / "0001-0.jpg", 77)
    terminal.run("import", shop.folder)
    assert terminal.json("rejects") == []


def test_sync_guard(tmp_path: Path, model_store: object) -> None:
    """A feed that lost most of its items deletes nothing unless told to."""
    shop = make_shop(tmp_path / "shop", 10)
    terminal = Terminal(tmp_path / "home", shop.folder)
    terminal.run("import", shop.folder)
    for item_id in list(shop.rows)[3:]:
        del shop.rows[item_id]
    shop.write()
    assert "nothing was deleted" in terminal.run("import", shop.folder, "--sync", code=4)
    assert terminal.json("stats")["items"] == 10
    terminal.run("import", shop.folder, "--sync", "--allow-delete")
    assert terminal.json("stats")["items"] == 3


def test_delete_and_import_again(terminal: Terminal) -> None:
    """Deleted items are gone from answers; unknown ones are named; the next import brings them back."""
    assert terminal.json("delete", "i0005", "nope", code=2) == {"deleted": ["i0005"], "unknown": ["nope"]}
    assert "i0005" not in {hit["item_id"] for hit in terminal.json("similar", "i0003", "-k", "20")["hits"]}
    assert terminal.json("import", terminal.shop)["indexed"] == 1


def test_other_settings_over_the_same_home_are_refused(terminal: Terminal) -> None:
    """Vectors of two kinds never meet: another way to extract is an error that says so."""
    words = [sys.executable, "-m", "nitari", "--home", str(terminal.home), "import", str(terminal.shop)]
    changed = os.environ | FAST | {"NITARI__EXTRACT__REGIONS": "saliency", "NITARI__EXTRACT__VIEWS": "box"}
    done = subprocess.run(words, capture_output=True, text=True, env=changed, check=False)
    assert done.returncode == 5
    assert "do:" in done.stderr


def test_doctor_model_and_stats(terminal: Terminal) -> None:
    """They answer as text and as JSON; doctor finds nothing bad here."""
    assert {finding["state"] for finding in terminal.json("doctor")} <= {"ok", "note"}
    assert "tuning" in {finding["what"] for finding in terminal.json("doctor", "--tune")}
    assert (terminal.home / "index" / "tuning.json").is_file()
    assert "mobilenet-v2" in terminal.run("model", "list")
    assert terminal.json("model", "show", "mobilenet-v2")["license"] == "BSD-3-Clause"
    assert terminal.json("stats")["vectors"] == {"mobilenet-v2": 12}


def test_drawn_sample_can_be_evaluated(tmp_path: Path, model_store: object) -> None:
    """A drawn sample, its queries and judgments, through `nitari eval`, with the run written beside."""
    terminal = Terminal(tmp_path / "home", tmp_path / "drawn")
    terminal.run("sample", "drawn", terminal.shop, "--items", "16")
    run = tmp_path / "run.txt"
    found = terminal.json("eval", "qrels", terminal.shop, "--run", run)
    assert found["protocol"] == "qrels"
    assert found["queries"] == found["judged"] > 0
    success = found["measures"]["Success@5"]
    assert 0.5 < success["low"] <= success["value"] <= success["high"] <= 1
    assert len(run.read_text().splitlines()[0].split()) == 6


def test_help_names_every_exit_code(terminal: Terminal) -> None:
    """The codes that commands end with are documented where users look."""
    text = terminal.run("--help")
    assert all(f"  {code}  " in text for code in (0, 1, 2, 3, 4, 5, 6, 7))
