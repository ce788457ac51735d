"""Connections by checked addresses (what links can do with them is shown in ``test_http``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpcore
import pytest

from nitari.errors import FetchError
from nitari.images.network import Network, Target, system_resolve

ADDRESSES = ("93.184.216.34", "93.184.216.35", "2606:4700::1111")
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Name: v\r\n\r\nok"


class Choosy(httpcore.NetworkBackend):
    """Connects to one address only; all others are dead."""

    def __init__(self, alive: str | None) -> None:
        self.alive = alive
        self.asked: list[str] = []

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        """As the library asks a backend to."""
        self.asked.append(host)
        if host != self.alive:
            raise httpcore.ConnectError(f"{host} is dead")
        return httpcore.MockStream([PAGE])


def get(network: Network, host: str = "shop.example") -> tuple[int, str, bytes]:
    """Status, a header and body of an answer."""
    with network.get(Target("http", host, 80, "/a.jpg", host), {"Accept": "*/*"}, within_s=5) as reply:
        return reply.status, reply.headers["x-name"], b"".join(reply.body)


def names(addresses: Sequence[str]) -> Any:
    """A resolver that always gives these."""
    return lambda _host, _port: list(addresses)


@pytest.mark.parametrize("alive", ADDRESSES)
def test_addresses_are_tried_in_turn(alive: str) -> None:
    """A dead address does not hide a living one behind it, IPv4 or IPv6."""
    backend = Choosy(alive)
    network = Network(resolve=names(ADDRESSES), backend=backend)
    assert get(network) == (200, "v", b"ok")
    assert backend.asked == list(ADDRESSES[: ADDRESSES.index(alive) + 1])
    network.close()


@pytest.mark.parametrize(("addresses", "code"), [(ADDRESSES, "connection"), ((), "dns"), (("nonsense",), "dns")])
def test_no_address_works(addresses: Sequence[str], code: str) -> None:
    """All dead, none at all, or something that is no address."""
    with pytest.raises(FetchError) as caught:
        get(Network(resolve=names(addresses), backend=Choosy(None)))
    assert caught.value.code == code


def test_not_endlessly_many() -> None:
    """A name with a hundred dead addresses costs four tries."""
    backend = Choosy(None)
    with pytest.raises(FetchError):
        get(Network(resolve=names([f"93.184.216.{i}" for i in range(100)]), backend=backend))
    assert len(backend.asked) == 4


def test_a_private_address_behind_many_public_ones() -> None:
    """Every address is looked at, also those that would not be tried."""
    addresses = [f"93.184.216.{i}" for i in range(9)] + ["127.0.0.1"]
    with pytest.raises(FetchError) as caught:
        get(Network(resolve=names(addresses), backend=Choosy(addresses[0])))
    assert caught.value.code == "blocked-address"


def test_the_systems_resolver() -> None:
    """Literal addresses and this machine's name are known without a network."""
    assert system_resolve("127.0.0.1", 80) == ["127.0.0.1"]
    assert set(system_resolve("localhost", 80)) <= {"127.0.0.1", "::1"}
