"""Session cookies: ours, in time, not signed out; anything else is nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nitari.server.security.sessions import LASTS_S, Sessions

SESSIONS = Sessions()


def test_a_session_holds_until_it_expires() -> None:
    """Twelve hours, by the clock."""
    now = 1_000_000.0
    sessions = Sessions(clock=lambda: now)
    value = sessions.open()
    assert sessions.holds(value)
    now += LASTS_S - 1
    assert sessions.holds(value)
    now += 2
    assert not sessions.holds(value)


def test_signed_out() -> None:
    """Ending one ends that one, for everybody who has it; memory of it goes when it would have expired."""
    now = 1_000_000.0
    sessions = Sessions(clock=lambda: now)
    first, second = sessions.open(), sessions.open()
    assert first != second
    sessions.end(first)
    assert not sessions.holds(first)
    assert sessions.holds(second)
    sessions.end("nonsense")
    now += LASTS_S + 1
    third = sessions.open()
    sessions.end(third)
    assert list(sessions._ended) == [third]


def test_of_another_process() -> None:
    """Keys are random: what another process signed is worth nothing here."""
    assert not SESSIONS.holds(Sessions().open())


def test_tampered() -> None:
    """No part of a cookie can be changed."""
    expiry, nonce, signature = SESSIONS.open().split(".")
    for value in (
        f"{int(expiry) + 1}.{nonce}.{signature}",
        f"{expiry}.{nonce}x.{signature}",
        f"{expiry}.{nonce}.{signature[:-2]}",
        f"{expiry}.{nonce}",
        f"{expiry}..{signature}",
        f".{signature}",
        "",
        "é.é.é",
        "1" * 10_000,
    ):
        assert not SESSIONS.holds(value)


@given(st.text())
def test_never_raises(value: str) -> None:
    """Whatever a browser sends is no session."""
    assert not SESSIONS.holds(value)
