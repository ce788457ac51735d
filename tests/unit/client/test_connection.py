"""Retries and failures of the wire, each as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from nitari.client.connection import Connection
from nitari.client.errors import ApiBusyError, ApiError, ApiServerError, UnreachableError
from nitari.errors import UsageError

BUSY = {"title": "Busy", "status": 503, "detail": "64 requests wait", "code": "busy", "remedy": "send it again"}


class Script:
    """Answers requests from a list, the last answer for ever; remembers requests and pauses."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The next answer."""
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


Connect = Callable[[Script], Connection]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes connections that answer by a script and do not wait."""
    made: list[Connection] = []

    def make(script: Script) -> Connection:
        made.append(
            Connection(
                "http://shop.example/nitari/",
                token="secret-secret-secret",  # noqa: S106  # of nothing
                timeout=2.5,
                retries=3,
                transport=httpx.MockTransport(script),
                pause=script.pauses.append,
            )
        )
        return made[-1]

    yield make
    for connection in made:
        connection.close()


def test_what_is_sent(connect: Connect) -> None:
    """The path below the base URL, the token, the query and the body."""
    script = Script(httpx.Response(200, content=b"{}"))
    assert connect(script).send("POST", "/v1/a%2Fb", params={"size": 5, "link": "ä&b"}, json=b"{}") == b"{}"
    (request,) = script.requests
    assert str(request.url) == "http://shop.example/nitari/v1/a%2Fb?size=5&link=%C3%A4%26b"
    assert request.headers["Authorization"] == "Bearer secret-secret-secret"
    assert request.headers["Content-Type"] == "application/json"


def test_busy_servers_are_asked_again_when_they_say(connect: Connect) -> None:
    """503 with Retry-After is waited out, also for requests that must not be carried out twice."""
    busy = httpx.Response(503, json=BUSY, headers={"Retry-After": "7"})
    script = Script(busy, busy, httpx.Response(200, content=b"done"))
    assert connect(script).send("POST", "/v1/jobs", repeatable=False) == b"done"
    assert script.pauses == [7.0, 7.0]


def test_busy_for_too_long(connect: Connect) -> None:
    """After all retries the server's own problem comes through; a wait of an hour is not obeyed in full."""
    script = Script(httpx.Response(503, json=BUSY, headers={"Retry-After": "3600"}))
    with pytest.raises(ApiBusyError, match="64 requests wait"):
        connect(script).send("GET", "/v1/stats")
    assert len(script.requests) == 4
    assert max(script.pauses) <= 30


@pytest.mark.parametrize("after", [None, "soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_failures_that_are_not_asked_again(connect: Connect, after: str | None) -> None:
    """Without a number of seconds in Retry-After a 503 is final, and so are other statuses."""
    script = Script(httpx.Response(503, json=BUSY, headers={"Retry-After": after} if after else {}))
    with pytest.raises(ApiBusyError):
        connect(script).send("GET", "/v1/stats")
    assert len(script.requests) == 1


def test_redirects_are_not_followed(connect: Connect) -> None:
    """A token goes nowhere but to the server that was named."""
    script = Script(httpx.Response(302, headers={"Location": "http://elsewhere.example/"}))
    with pytest.raises(ApiError, match="302"):
        connect(script).send("GET", "/v1/stats")
    assert len(script.requests) == 1


def test_no_connection(connect: Connect) -> None:
    """Tried again with growing pauses, then told with what to look at."""
    script = Script(httpx.ConnectError("connection refused"))
    with pytest.raises(
        UnreachableError, match=r"no connection to http://shop\.example/nitari: connection refused"
    ) as e:
        connect(script).send("POST", "/v1/jobs", repeatable=False)
    assert "nitari serve" in e.value.remedy
    assert len(script.requests) == 4
    assert all(earlier < later for earlier, later in zip(script.pauses, script.pauses[2:], strict=False))


def test_lost_answers(connect: Connect) -> None:
    """Sent again only where that does no harm."""
    lost = httpx.RemoteProtocolError("server disconnected")
    script = Script(lost, httpx.Response(200, content=b"done"))
    assert connect(script).send("PUT", "/v1/x") == b"done"
    script = Script(lost, httpx.Response(200, content=b"done"))
    with pytest.raises(UnreachableError, match="broke during POST /v1/jobs: server disconnected"):
        connect(script).send("POST", "/v1/jobs", repeatable=False)
    assert len(script.requests) == 1


def test_timeouts_are_not_repeated(connect: Connect) -> None:
    """The server may be at work on the request: sending it again would only add to its load."""
    script = Script(httpx.ReadTimeout("timed out"))
    with pytest.raises(UnreachableError, match=r"no answer to GET /v1/stats within 2\.5 s") as error:
        connect(script).send("GET", "/v1/stats")
    assert error.value.code == "timeout"
    assert len(script.requests) == 1


def test_a_form_is_whole_at_every_try(connect: Connect, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An open file is sent from its beginning again."""
    path = tmp_path_factory.mktemp("feed") / "feed.csv"
    path.write_bytes(b"id,image_link\n")
    script = Script(httpx.Response(503, json=BUSY, headers={"Retry-After": "0"}), httpx.Response(200))
    with path.open("rb") as file:
        connect(script).send("POST", "/v1/jobs", files=[("feed", ("feed.csv", file, "text/csv"))])
    assert all(b"id,image_link\n" in request.content for request in script.requests)
    assert len(script.requests) == 2


def test_server_errors_keep_their_class(connect: Connect) -> None:
    """A problem of the server's own is an error of its own."""
    with pytest.raises(ApiServerError, match="begins 'oops'"):
        connect(Script(httpx.Response(500, content=b"oops"))).send("GET", "/v1/stats")


@pytest.mark.parametrize("base_url", ["", "127.0.0.1:8321", "ftp://x", "file:///etc"])
def test_base_urls_that_are_none(base_url: str) -> None:
    """Said at once, with an example of a good one."""
    with pytest.raises(UsageError, match="base_url") as error:
        Connection(base_url, token=None, timeout=1, retries=0)
    assert "http://127.0.0.1:8321" in error.value.remedy


@pytest.mark.parametrize("token", ["secret\n", " secret", "geheimnis-ä", "a\x00b"])
def test_tokens_that_no_header_can_carry(token: str) -> None:
    """A token read from a file often ends with a line end; the message does not show the token."""
    with pytest.raises(UsageError, match="the token has") as error:
        Connection("http://127.0.0.1:8321", token=token, timeout=1, retries=0)
    assert token.strip() not in error.value.message + error.value.remedy


def test_a_base_url_that_cannot_be_parsed() -> None:
    """Said at the first request."""
    connection = Connection("http://[::1", token=None, timeout=1, retries=0)
    with pytest.raises(UsageError, match="base_url"):
        connection.send("GET", "/livez")
    connection.close()
