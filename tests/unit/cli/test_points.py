"""Points in a history: read from what was typed, printed for who reads it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nitari.cli.points import parse_point, show_time
from nitari.errors import UsageError


def test_points() -> None:
    """A change, a time with its zone, a local time."""
    assert parse_point("12", "--at") == 12
    assert parse_point("2026-11-23T14:05+09:00", "--at") == datetime(2026, 11, 23, 5, 5, tzinfo=UTC)
    local = parse_point("2026-11-23 14:05", "--at")
    assert isinstance(local, datetime)
    assert local == datetime(2026, 11, 23, 14, 5).astimezone()


@pytest.mark.parametrize("text", ["yesterday", "", "-3", "2026-13-01", "1" * 5000])
def test_what_is_no_point(text: str) -> None:
    """The message names the option and shows how to write one."""
    with pytest.raises(UsageError, match=r"--to .* is neither the number of a change nor a time") as caught:
        parse_point(text, "--to")
    assert "2026-11-23T14:05" in caught.value.remedy


def test_times_are_shown_where_the_reader_is() -> None:
    """To the second, with their zone; nothing for none."""
    at = datetime(2026, 11, 23, 5, 5, 1, 999, tzinfo=UTC)
    assert datetime.fromisoformat(show_time(at)) == at.replace(microsecond=0)
    assert show_time(None) == ""
