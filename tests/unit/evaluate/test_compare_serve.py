"""The page on this machine: what is answered, to whom, and that judgments are kept."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread

import pytest

from nitari.errors import DataError, UsageError
from nitari.evaluate.compare_marks import MarksFile
from nitari.evaluate.compare_serve import CompareServer, CompareSite
from nitari.evaluate.qrels import read_qrels

JSON = {"Content-Type": "application/json"}


def picture(number: int) -> bytes:
    """Photo 0."""
    if number:
        raise DataError(f"there is no photo {number}")
    return b"jpeg"


def render(marks: Mapping[str, Mapping[str, int]]) -> str:
    """A page that tells the marks."""
    return f"<p>{json.dumps(marks)}</p>"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CompareServer]:
    """A server with one query."""
    marks = MarksFile(tmp_path / "marks.txt")
    site = CompareSite(render=render, picture=picture, marks=marks, queries=frozenset({"q 1"}), token="t0ken")  # noqa: S106
    with CompareServer(site) as made:
        thread = Thread(target=made.run)
        thread.start()
        try:
            yield made
        finally:
            made.stop()
            thread.join()


def ask(
    server: CompareServer, path: str, body: object = None, *, headers: Mapping[str, str] | None = None
) -> tuple[int, str, dict[str, str]]:
    """Status, text and headers of an answer; a POST where there is a body."""
    host, port = server.origin.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=20)
    try:
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = headers or {} if body is None else JSON | dict(headers or {})
        connection.request("GET" if body is None else "POST", path, body=data, headers=sent)
        response = connection.getresponse()
        return response.status, response.read().decode(), {k.lower(): v for k, v in response.getheaders()}
    finally:
        connection.close()


def test_the_page_lies_below_a_secret_path(server: CompareServer) -> None:
    """Without the token there is nothing; with it the page and its photos, never to be kept or framed elsewhere."""
    assert server.url == f"{server.origin}/t0ken/"
    status, text, headers = ask(server, "/t0ken/")
    assert (status, text) == (200, "<p>{}</p>")
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert ask(server, "/t0ken/photo/0")[:2] == (200, "jpeg")
    for path in ("/", "/t0ken", "/other/", "/t0ken/photo/1", "/t0ken/photo/x", "/t0ken/photo/0/", "/t0ken/../", "//["):
        assert ask(server, path)[0] == 404, path


def test_judgments_are_kept_and_counted_in(server: CompareServer, tmp_path: Path) -> None:
    """Each is in the file when it is answered, and the page is made anew with it."""
    assert ask(server, "/t0ken/judgments", {"query": "q 1", "item": "a", "grade": 1})[0] == 200
    status, text, _ = ask(server, "/t0ken/judgments", {"query": "q 1", "item": "b b", "grade": 0})
    assert (status, json.loads(text)) == (200, {"judgments": 2})
    assert read_qrels(tmp_path / "marks.txt") == {"q 1": {"a": 1, "b b": 0}}
    assert ask(server, "/t0ken/")[1] == '<p>{"q 1": {"a": 1, "b b": 0}}</p>'
    assert ask(server, "/t0ken/judgments", {"query": "q 1", "item": "a", "grade": None})[0] == 200
    assert read_qrels(tmp_path / "marks.txt") == {"q 1": {"b b": 0}}


@pytest.mark.parametrize(
    "body",
    [
        b"not json",
        b"[]",
        b"3",
        {},
        {"query": "q 1", "item": "a"},
        {"query": "other", "item": "a", "grade": 1},
        {"query": ["q 1"], "item": "a", "grade": 1},
        {"query": "q 1", "item": "", "grade": 1},
        {"query": "q 1", "item": "a\tb", "grade": 1},
        {"query": "q 1", "item": 7, "grade": 1},
        {"query": "q 1", "item": "a", "grade": 2},
        {"query": "q 1", "item": "a", "grade": True},
        {"query": "q 1", "item": "a", "grade": "1"},
    ],
)
def test_what_is_no_judgment_is_refused(server: CompareServer, tmp_path: Path, body: object) -> None:
    """Nothing is written, and the answer says what was expected."""
    status, text, _ = ask(server, "/t0ken/judgments", body)
    assert status == 400
    assert json.loads(text)["detail"]
    assert not (tmp_path / "marks.txt").exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Content-Type": "text/plain"},
    ],
)
def test_other_pages_cannot_judge(server: CompareServer, tmp_path: Path, headers: dict[str, str]) -> None:
    """Even one that knew the path: another name, another origin, or a form's content type is refused."""
    judgment = {"query": "q 1", "item": "a", "grade": 1}
    assert ask(server, "/t0ken/judgments", judgment, headers=headers)[0] in (403, 415, 421)
    assert not (tmp_path / "marks.txt").exists()
    own = {"Origin": server.origin, "Sec-Fetch-Site": "same-origin"}
    assert ask(server, "/t0ken/judgments", judgment, headers=own)[0] == 200


def test_too_much_is_not_read(server: CompareServer) -> None:
    """A body that is too large is refused before it is read; so is another place, and another method."""
    assert ask(server, "/t0ken/judgments", b"x" * 10_000)[0] == 413
    assert ask(server, "/other/judgments", {"query": "q 1", "item": "a", "grade": 1})[0] == 404


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """A judgment that cannot be kept is not acknowledged."""
    (tmp_path / "file").write_text("")
    marks = MarksFile(tmp_path / "file" / "marks.txt")
    site = CompareSite(render=render, picture=picture, marks=marks, queries=frozenset({"q"}))
    reply = site.post(f"/{site.token}/judgments", b'{"query": "q", "item": "a", "grade": 1}')
    assert reply.status == 503
    assert "cannot be written" in json.loads(reply.body)["detail"]


def test_a_port_that_is_taken_is_told(server: CompareServer) -> None:
    """With what to do."""
    port = int(server.origin.rsplit(":", 1)[1])
    with pytest.raises(UsageError, match=f"port {port}"):
        CompareServer(
            CompareSite(render=render, picture=picture, marks=MarksFile(Path("x")), queries=frozenset()), port
        )
