"""Wrong tokens by address, in bounded memory."""

from __future__ import annotations

import pytest

from nitari.server.security.attempts import Attempts


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_a_burst_and_then_slowly() -> None:
    """A few may be wrong at once, then one for each second that passes; others are not held up."""
    clock = Clock()
    attempts = Attempts(burst=3, per_s=0.5, clock=clock)
    for _ in range(3):
        assert attempts.wait_s("10.0.0.1") == 0
        attempts.failed("10.0.0.1")
    assert attempts.wait_s("10.0.0.1") == 2
    assert attempts.wait_s("10.0.0.2") == 0
    clock.now += 2
    assert attempts.wait_s("10.0.0.1") == 0
    attempts.failed("10.0.0.1")
    assert attempts.wait_s("10.0.0.1") == 2
    clock.now += 3600
    for _ in range(3):
        assert attempts.wait_s("10.0.0.1") == 0
        attempts.failed("10.0.0.1")
    assert attempts.wait_s("10.0.0.1") > 0


def test_bounded() -> None:
    """Beyond so many addresses, the one that failed longest ago is forgotten."""
    attempts = Attempts(burst=1, per_s=0.001, most=10, clock=Clock())
    for number in range(100):
        attempts.failed(f"10.0.0.{number}")
    assert attempts.wait_s("10.0.0.99") > 0
    assert attempts.wait_s("10.0.0.90") > 0
    assert attempts.wait_s("10.0.0.89") == 0
    assert len(attempts._levels) == 10


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True),
        ("fe80::1%eth0", "fe80::2", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("", "", True),
    ],
)
def test_networks(first: str, second: str, same: bool) -> None:
    """One machine's IPv6 addresses are without number, and count as one."""
    attempts = Attempts(burst=1, clock=Clock())
    attempts.failed(first)
    assert (attempts.wait_s(second) > 0) == same
