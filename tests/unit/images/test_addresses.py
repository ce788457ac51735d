"""Which addresses are public."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nitari.images.addresses import why_blocked, why_port_blocked


@pytest.mark.parametrize("text", ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:4700::1111", "64:ff9b::8.8.8.8"])
def test_public(text: str) -> None:
    """Addresses of the public internet pass, also those reached through an IPv6 network's translator."""
    assert why_blocked(ipaddress.ip_address(text)) is None


@given(st.ip_addresses())
def test_agrees_with_the_standard_library(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Nothing passes that the standard library knows to be private; our list may be longer."""
    special = address.is_private or address.is_loopback or address.is_link_local or address.is_multicast
    if special or address.is_reserved or address.is_unspecified:
        carries_ipv4 = any(address in ipaddress.ip_network(net) for net in ("64:ff9b::/96", "::ffff:0:0/96"))
        assert carries_ipv4 or why_blocked(address) is not None


@given(st.ip_addresses(v=4))
def test_wrapping_hides_nothing(address: ipaddress.IPv4Address) -> None:
    """An IPv4 address is judged alike when it is mapped into IPv6 or goes through NAT64."""
    for prefix in (0xFFFF << 32, int(ipaddress.IPv6Address("64:ff9b::"))):
        assert why_blocked(ipaddress.IPv6Address(prefix | int(address))) == why_blocked(address)


def test_ports() -> None:
    """Web ports and everything from 1024 up pass."""
    assert [port for port in range(1, 1100) if why_port_blocked(port) is None][:3] == [80, 443, 1024]
