"""How many wrong tokens an address has sent of late, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil
from threading import Lock
from time import monotonic

BURST = 20
PER_S = 0.5
MOST = 4096
_NETWORK_BITS = 64  # what one household or one rented machine has of IPv6


class Attempts:
    """A bucket of wrong attempts for each address, that empties with time (a "leaky bucket"). Safe from any thread.

    Args:
        burst: Wrong attempts at once.
        per_s: How many are forgiven a second.
        most: Addresses remembered; beyond, the one that failed longest ago is forgotten.
        clock: Seconds.
    """

    def __init__(
        self,
        *,
        burst: int = BURST,
        per_s: float = PER_S,
        most: int = MOST,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._burst = burst
        self._per_s = per_s
        self._most = most
        self._clock = clock
        self._lock = Lock()
        self._levels: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how full, and when that was so

    def wait_s(self, client: str) -> int:
        """Whole seconds until this address may try again; 0 for now."""
        with self._lock:
            over = self._level(_network(client)) - (self._burst - 1)
        return 0 if over <= 0 else ceil(over / self._per_s)

    def failed(self, client: str) -> None:
        """Count a wrong attempt."""
        network = _network(client)
        with self._lock:
            self._levels[network] = (self._level(network) + 1, self._clock())
            self._levels.move_to_end(network)
            if len(self._levels) > self._most:
                self._levels.popitem(last=False)

    def _level(self, network: str) -> float:
        level, then = self._levels.get(network, (0.0, 0.0))
        return max(0.0, level - (self._clock() - then) * self._per_s)


def _network(client: str) -> str:
    """Addresses that one attacker has by the billion count as one."""
    try:
        address = ip_address(client.partition("%")[0])
    except ValueError:
        return client[:_NETWORK_BITS]
    if not isinstance(address, IPv6Address):
        return client
    return str(address.ipv4_mapped or int(address) >> (128 - _NETWORK_BITS))
