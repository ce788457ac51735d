"""Points in a catalog's history, as commands read and print them: the number of a change, or a time."""

from __future__ import annotations

from datetime import datetime

from nitari.errors import UsageError


def parse_point(text: str, option: str) -> int | datetime:
    """The change or time that an option gave; a time without a zone is local.

    Raises:
        UsageError: where it is neither.
    """
    try:
        return int(text) if text.isdecimal() else datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as exc:
        raise UsageError(
            f"{option} {text!r} is neither the number of a change nor a time",
            remedy="write a number that `nitari catalog history` shows, or a time: 2026-11-23T14:05, "
            "2026-11-23T14:05+09:00",
        ) from exc


def show_time(at: datetime | None) -> str:
    """A time in the zone of whoever reads it, to the second; nothing for none."""
    return "" if at is None else at.astimezone().isoformat(sep=" ", timespec="seconds")
