"""docs/how-to/curl.md: every example is run against a real server, and answers what the page says.

The page's ```bash blocks are one session, as a reader's terminal would be. A ```json block after one of them is its
answer: every name in it must be there with a value of the same kind, in lists the first entry counts, and `null`
stands for anything; strings of the fields below must be the same. Of a ```text block, the lines must be there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nitari.server.app import openapi_document
from support.server import FAST, PATIENCE_S, serving

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "curl.md"
SERVED_AT = "http://127.0.0.1:8321"
# What programs branch on, and what the page tells a story with.
EXACT = {"item_id", "result", "status", "state", "code", "kind", "feed_id", "alias", "serving"}
LEFT_TO_THE_PAGE = {"POST /session", "DELETE /session"}


@dataclass(frozen=True)
class Example:
    """Commands of the page, and what they print.

    Args:
        heading: The last heading before.
        commands: For bash.
        kind: ``json``, ``text``, or nothing where the page shows no answer.
        answer: As the page shows it.
    """

    heading: str
    commands: str
    kind: str
    answer: str


def examples(page: str) -> Iterator[Example]:
    """Every example of the page, in order."""
    pieces = re.finditer(
        r"^#+ (?P<heading>[^\n]+)$|^```(?P<kind>\w+)\n(?P<text>.*?)^```$", page, re.MULTILINE | re.DOTALL
    )
    heading, commands = "", ""
    for piece in pieces:
        if piece["kind"] in ("json", "text"):
            yield Example(heading, commands, piece["kind"], piece["text"])
            commands = ""
            continue
        if commands:
            yield Example(heading, commands, "", "")
        heading, commands = piece["heading"] or heading, piece["text"] or ""
    if commands:
        yield Example(heading, commands, "", "")


EXAMPLES = tuple(examples(PAGE.read_text("utf-8")))


@dataclass(frozen=True)
class Session:
    """What the commands printed, as far as they came.

    Args:
        printed: Standard output of each example that succeeded, in order.
        complaint: What the one that failed said.
    """

    printed: tuple[str, ...]
    complaint: str


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, model_store: object, missing: Callable[[str], None]) -> Session:
    """The page's commands, in one shell after the other until one fails.

    The first example makes the catalog; the server is started when it is there.
    """
    if shutil.which("bash") is None or shutil.which("curl") is None:
        missing("bash and curl are not installed")
    folder = tmp_path_factory.mktemp("curl")
    prepared = run(folder, EXAMPLES[:1], first=0)
    if prepared.returncode:
        return Session((), prepared.stderr)
    with serving(folder / "home") as server:
        done = run(folder, EXAMPLES[1:], first=1, url=server.url)
    finished = [number for number in range(len(EXAMPLES)) if (folder / f"{number}.done").exists()]
    return Session(tuple((folder / f"{number}.out").read_text("utf-8") for number in finished), done.stderr)


def run(
    folder: Path, examples: Sequence[Example], *, first: int, url: str = SERVED_AT
) -> subprocess.CompletedProcess[str]:
    """Run examples in one shell in ``folder``; what each prints goes to a file, and another says that it succeeded."""
    script = "set -euo pipefail\n" + "".join(
        f"{{\n{example.commands.replace(SERVED_AT, url)}}} > {number}.out\ntouch {number}.done\n"
        for number, example in enumerate(examples, first)
    )
    # `nitari` is that of this interpreter.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=os.environ | FAST | {"PATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE_S,
        check=False,
    )


@pytest.mark.parametrize("number", range(len(EXAMPLES)), ids=[f"{at}-{one.heading}" for at, one in enumerate(EXAMPLES)])
def test_example(session: Session, number: int) -> None:
    """It succeeds, and prints what the page says."""
    example = EXAMPLES[number]
    if number > len(session.printed):
        pytest.skip(f"not run: an example before it failed, under {EXAMPLES[len(session.printed)].heading!r}")
    assert number < len(session.printed), f"{example.commands}\n{session.complaint}"
    printed = session.printed[number]
    if example.kind == "json":
        assert list(differences(json.loads(example.answer), json.loads(printed))) == [], printed
    elif example.kind == "text":
        assert set(example.answer.splitlines()) <= set(printed.splitlines()), printed


def test_every_route_has_an_example() -> None:
    """The page's headings are the routes of the API."""
    shown = {one.heading for one in EXAMPLES if re.match("[A-Z]+ /", one.heading)}
    routes = {f"{method.upper()} {path}" for path, found in openapi_document()["paths"].items() for method in found}
    assert shown == routes - LEFT_TO_THE_PAGE


def test_commands_of_other_pages_are_among_them() -> None:
    """What docs/how-to/serve.md shows of the API is run here, letter for letter."""
    shown = re.findall(r"^    (curl .*)$", (PAGE.parent / "serve.md").read_text("utf-8"), re.MULTILINE)
    run_here = {line for example in EXAMPLES for line in example.commands.splitlines()}
    assert shown
    assert set(shown) <= run_here


@pytest.mark.parametrize(
    ("shown", "found", "count"),
    [
        ({"a": 1.5, "b": "x"}, {"a": 2, "b": "y", "c": 0}, 0),
        ({"a": None}, {"a": {"b": 1}}, 0),
        ({"a": []}, {"a": [1]}, 0),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}, {}]}, 0),
        ({"a": [{"b": 1}]}, {"a": []}, 1),
        ({"a": 1}, {}, 1),
        ({"a": True}, {"a": 1}, 1),
        ({"a": "1"}, {"a": 1}, 1),
        ({"state": "failed"}, {"state": "succeeded"}, 1),
    ],
)
def test_differences(shown: Any, found: Any, count: int) -> None:
    """The comparison lets values differ, but no name be missing and no kind be another."""
    assert len(list(differences(shown, found))) == count


def differences(shown: Any, found: Any, place: str = "the answer") -> Iterator[str]:
    """Where an answer is not of the form that the page shows."""
    if shown is None:
        return
    if kind(shown) != kind(found):
        yield f"{place} is {found!r}; the page shows {shown!r}"
    elif isinstance(shown, dict):
        for name, value in shown.items():
            if name not in found:
                yield f"{place} has no {name}"
            elif name in EXACT and isinstance(value, str | int) and value != found[name]:
                yield f"{place}.{name} is {found[name]!r}; the page shows {value!r}"
            else:
                yield from differences(value, found[name], f"{place}.{name}")
    elif isinstance(shown, list) and shown:
        if not found:
            yield f"{place} is empty; the page shows {shown!r}"
        else:
            yield from differences(shown[0], found[0], f"{place}.0")


def kind(value: object) -> str:
    """A JSON value's kind; all numbers are of one."""
    if isinstance(value, bool):
        return "boolean"
    return "number" if isinstance(value, int | float) else type(value).__name__
