"""What a server logs."""

from __future__ import annotations

import logging
import sys

from nitari.cli.logs import FieldsFormatter


def record(message: str, **fields: object) -> logging.LogRecord:
    """A record of a warning with fields."""
    made = logging.LogRecord("nitari.server", logging.WARNING, __file__, 1, message, (), None)
    made.created = 1_795_435_200.5
    vars(made).update(fields)
    return made


def test_time_level_sentence_and_fields() -> None:
    """Each on one line, in this order."""
    line = FieldsFormatter().format(record("a photo could not be kept", photo="x y", size=3))
    assert line == '2026-11-23T12:00:00Z WARNING nitari.server a photo could not be kept photo="x y" size=3'


def test_nothing_can_pass_for_another_line() -> None:
    """Line breaks in what others wrote are escaped, in the sentence and in the fields."""
    line = FieldsFormatter().format(record("one\ntwo", item="a\n2026-11-23T12:00:00Z ERROR forged\u2028"))
    assert "\n" not in line
    assert "\u2028" not in line


def test_a_stack_follows() -> None:
    """An exception's stack comes after its line."""
    made = record("it failed", incident="5f0c")
    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        made.exc_info = sys.exc_info()
    first, *rest = FieldsFormatter().format(made).splitlines()
    assert first.endswith('it failed incident="5f0c"')
    assert rest[-1] == "ZeroDivisionError"
