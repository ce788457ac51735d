"""Which names the server may be addressed by.

Against DNS rebinding: a web page of evil.example can make that name point to 127.0.0.1, and its scripts are then of one
origin with this server, as far as the browser can tell. But they cannot lie about the name: it stands in ``Host``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from ipaddress import ip_address

from nitari.server.security.refusal import Refusal

_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\s]*)(?::(?P<port>[0-9]{1,5}))?")
_SHOWN = 100


class Hosts:
    """The names of this server: IP addresses (nobody can rebind those), ``localhost``, and what the operator allows.

    Args:
        allowed: Host names without port, case ignored; a leading ``*.`` stands for any subdomain.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        names = [name.strip().lower().rstrip(".") for name in allowed]
        self._names = frozenset(["localhost", *(name for name in names if not name.startswith("*."))])
        self._suffixes = tuple(name[1:] for name in names if name.startswith("*."))
        self._known = lru_cache(maxsize=256)(self._is_ours)  # callers send the same few, thousands of times

    def check(self, host: bytes | None) -> Refusal | None:
        """Whether a request with this ``Host`` header is for us."""
        if host is not None and self._known(host):
            return None
        shown = "no Host header" if host is None else f"Host {host[:_SHOWN].decode('latin-1')!r}"
        name = split_host(host)
        return Refusal(
            HTTPStatus.MISDIRECTED_REQUEST,
            "host",
            f"the request has {shown}; this server answers to IP addresses, localhost and the names it was given",
            f"start it with --allow-host {name[0] if name and name[0] else 'NAME'}, or set server.allowed_hosts",
        )

    def _is_ours(self, host: bytes) -> bool:
        split = split_host(host)
        if split is None:
            return False
        name = split[0]
        if name in self._names or name.endswith(self._suffixes):
            return True
        try:
            ip_address(name)
        except ValueError:
            return False
        return True


def split_host(host: bytes | None) -> tuple[str, int | None] | None:
    """Name (lower case, no brackets, no trailing dot) and port of a ``Host`` header; ``None`` where it is not one."""
    found = _HOST.fullmatch(host.decode("latin-1")) if host else None
    if found is None:
        return None
    port = found["port"]
    return found["name"].strip("[]").lower().removesuffix("."), None if port is None else int(port)
