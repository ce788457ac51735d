"""Names that the server answers to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.server.security.hosts import Hosts, split_host

HOSTS = Hosts(["shop.example", "*.Search.example."])


@pytest.mark.parametrize(
    "host",
    [
        b"localhost",
        b"localhost:8321",
        b"LOCALHOST",
        b"localhost.",
        b"127.0.0.1:8321",
        b"192.168.1.5",
        b"[::1]:8321",
        b"[2001:db8::1]",
        b"shop.example",
        b"Shop.Example:443",
        b"shop.example.",
        b"a.search.example",
        b"a.b.search.example:80",
    ],
)
def test_ours(host: bytes) -> None:
    """Addresses, localhost and allowed names, with or without a port."""
    assert HOSTS.check(host) is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        b"",
        b":8321",
        b"evil.example",
        b"search.example",
        b"xsearch.example",
        b"shop.example.evil.example",
        b"evil.example@127.0.0.1",
        b"127.0.0.1.evil.example",
        b"localhost.evil.example",
        b"127.1",
        b"0x7f000001",
        b"localhost, evil.example",
        b"localhost:8321:1",
        b"localhost/",
        b"[::1",
        b"\xff\xfe",
        b" localhost",
        b"localhost\n",
    ],
)
def test_not_ours(host: bytes | None) -> None:
    """Anything else is misdirected, and the answer says how to allow it."""
    refusal = HOSTS.check(host)
    assert refusal is not None
    assert refusal.status == 421
    assert "--allow-host" in refusal.remedy


@given(st.binary(max_size=60))
def test_never_raises(host: bytes) -> None:
    """No Host header is more than refused."""
    Hosts([]).check(host)
    split_host(host)
