"""Options as they are sent, and answers as they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from nitari.client.connection import Connection
from nitari.client.errors import ApiServerError
from nitari.client.exchange import Exchange
from nitari.server.schemas import HealthModel, ReadyModel


@contextmanager
def exchange(body: bytes, sent: list[httpx.Request] | None = None) -> Iterator[Exchange]:
    """With a server that answers all requests with ``body``."""

    def handle(request: httpx.Request) -> httpx.Response:
        request.read()
        if sent is not None:
            sent.append(request)
        return httpx.Response(200, content=body)

    transport = httpx.MockTransport(handle)
    connection = Connection("http://nitari.example", token=None, timeout=5, retries=0, transport=transport)
    try:
        yield Exchange(connection)
    finally:
        connection.close()


def test_questions() -> None:
    """JSON, or a form where a photo goes with it, with options where there are any."""
    sent: list[httpx.Request] = []
    with exchange(b'{"status": "ok"}', sent) as api:
        for options, photo in (({"k": 3, "url": None}, None), ({"k": 3}, b"jpeg"), ({}, b"jpeg")):
            assert api.ask(HealthModel, "/ask", options, photo).status == "ok"
    plain, form, bare = sent
    assert plain.content == b'{"k": 3}'
    assert [b'name="options"' in one.content for one in (form, bare)] == [True, False]
    assert all(b"jpeg" in one.content for one in (form, bare))


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"status": "well"}'])
def test_answers_that_are_none(body: bytes) -> None:
    """200 from something that is no Nitari server is an error that says so."""
    with exchange(body) as api, pytest.raises(ApiServerError, match="not a ReadyModel") as error:
        api.get(ReadyModel, "/readyz")
    assert "base_url" in error.value.remedy
