"""Which addresses an image link may lead to: those of the public internet, however they are written.

A feed, or a shopper's query by URL, could otherwise make this process read what only this machine or its network can:
administration pages, metadata services of clouds, databases (server-side request forgery).
"""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Spelled out, since what ``is_global`` says differs between versions of Python. From the IANA special-purpose
# registries (RFC 6890 and its updates), plus what stands behind each.
_BLOCKED_V4 = tuple(
    (ipaddress.IPv4Network(network), name)
    for network, name in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's metadata service"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_BLOCKED_V6 = tuple(
    (ipaddress.IPv6Network(network), name)
    for network, name in (
        ("::1/128", "loopback"),
        ("::/96", "unspecified or IPv4-compatible"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard-only"),
        ("2001::/23", "Teredo or reserved"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def why_blocked(address: Address) -> str | None:
    """Why this address is none of the public internet's: ``"loopback"``; ``None`` where it is public.

    IPv6 addresses that carry an IPv4 address to be reached through a translator are judged by that one.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return next((name for network, name in _BLOCKED_V4 if address in network), None)
    if address.ipv4_mapped is not None:
        return why_blocked(address.ipv4_mapped)
    if address in _NAT64:
        return why_blocked(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    found = next((name for network, name in _BLOCKED_V6 if address in network), None)
    return found or (None if address in _GLOBAL_UNICAST else "reserved")


def why_port_blocked(port: int) -> str | None:
    """Why an image cannot be fetched from this port; ``None`` where it can.

    Below 1024 live mail, shells, printers and the like, which read an HTTP request as commands.
    """
    if port in (80, 443) or port >= 1024:
        return None
    return "ports below 1024 other than 80 and 443 belong to other services"
