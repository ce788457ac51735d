"""What a server logs, to standard error: time, level, a constant sentence, and the fields that go with it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


class FieldsFormatter(logging.Formatter):
    """``2026-11-23T12:00:00Z ERROR nitari.server a request failed incident="5f0c3a9e1b77"``.

    Values are written as JSON, so that nothing in them can pass for a line of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the stack where there is one."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        message = _quoted(record.getMessage())[1:-1]
        fields = "".join(f" {name}={_quoted(value)}" for name, value in vars(record).items() if name not in _STANDARD)
        line = f"{at} {record.levelname} {record.name} {message}{fields}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _quoted(value: object) -> str:
    """JSON, with escapes for what a terminal would act on, and letters of every script as they are."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def log_to_stderr() -> None:
    """Log warnings and errors of every library to standard error. For commands that run on; others print."""
    handler = logging.StreamHandler()
    handler.setFormatter(FieldsFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
