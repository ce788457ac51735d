"""Reading a TOML file key by key, with errors that name the file, the key, what was found and what was expected."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nitari.errors import ModelError


def read_toml(path: Path) -> Table:
    """The file's top table.

    Raises:
        ModelError: where it is not there, cannot be read, or is not TOML.
    """
    try:
        return Table(path, "", tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as exc:
        raise ModelError(f"model card {path} does not exist", remedy="`nitari model list` shows what there is") from exc
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ModelError(f"model card {path} cannot be read as TOML: {exc}", remedy="correct the file") from exc


class Table:
    """One table of a card. Each getter takes a key out; ``finish`` complains about what nobody asked for.

    Args:
        path: The file, for messages.
        where: Dotted name of the table in it, ``""`` for the top.
        values: Its content; ``None`` for a table that is not there.
    """

    def __init__(self, path: Path, where: str, values: dict[str, Any] | None) -> None:
        self._path = path
        self._where = where
        self._values = values or {}
        self._asked: set[str] = set()
        self.absent = values is None

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def error(self, key: str, found: object, expected: str) -> ModelError:
        """The error to raise about a value."""
        return self.complaint(key, repr(found), expected)

    def complaint(self, key: str, found: str, expected: str) -> ModelError:
        """The error to raise about a key, where what was found is told in words."""
        name = ".".join(part for part in (self._where, key) if part) or "the card"
        return ModelError(
            f"model card {self._path}: {name} is {found}, expected {expected}", remedy=f"correct {name} in that file"
        )

    def get(self, key: str, types: tuple[type, ...], expected: str, default: Any = None) -> Any:
        """A value of one of these types (``True`` is no number); ``default`` where it is absent, unless ``None``."""
        self._asked.add(key)
        value = self._values.get(key)
        if value is None:
            if default is None:
                raise self.complaint(key, "missing here", expected)
            return default
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            raise self.error(key, value, expected)
        return value

    def text(
        self, key: str, default: str | None = None, *, pattern: re.Pattern[str] | None = None, expected: str = ""
    ) -> str:
        """Text that is not empty (unless that is the default) and matches ``pattern`` in full."""
        expected = expected or "text"
        value = str(self.get(key, (str,), expected, default))
        if key in self and (not value.strip() or (pattern is not None and not pattern.fullmatch(value))):
            raise self.error(key, value, expected)
        return value

    def choice(self, key: str, options: Sequence[str], default: str | None = None) -> str:
        """One of ``options``."""
        expected = "one of " + ", ".join(options)
        value = str(self.get(key, (str,), expected, default))
        if value not in options:
            raise self.error(key, value, expected)
        return value

    def boolean(self, key: str, default: bool) -> bool:
        """``true`` or ``false``."""
        return bool(self.get(key, (bool,), "true or false", default))

    def integer(self, key: str, *, low: int, high: int = 2**31) -> int:
        """A whole number in ``low`` to ``high``."""
        expected = f"a whole number, at least {low}"
        value = int(self.get(key, (int,), expected))
        if not low <= value <= high:
            raise self.error(key, value, expected + f" and at most {high}")
        return value

    def number(self, key: str, default: float | None = None, *, expected: str = "a number") -> float:
        """A finite number."""
        value = float(self.get(key, (int, float), expected, default))
        if not math.isfinite(value):
            raise self.error(key, value, "a finite number")
        return value

    def numbers(self, key: str, *, count: int | None = None, whole: bool = False) -> tuple[float, ...]:
        """A list of finite numbers, ``count`` of them if that is given."""
        kinds = (int,) if whole else (int, float)
        expected = f"a list of {count or 'some'} {'whole ' if whole else ''}numbers"
        value = self.get(key, (list,), expected)
        right = all(isinstance(v, kinds) and not isinstance(v, bool) and math.isfinite(v) for v in value)
        if not right or (count is not None and len(value) != count):
            raise self.error(key, value, expected)
        return tuple(float(v) for v in value)

    def table(self, key: str, *, optional: bool = False) -> Table:
        """A table inside this one."""
        value = self.get(key, (dict,), f"a table [{key}]", {} if optional else None)
        return Table(self._path, key, value if key in self else None)

    def tables(self, key: str) -> list[Table]:
        """A list of tables, perhaps empty."""
        expected = f"tables [[{key}]]"
        value = self.get(key, (list,), expected, [])
        if not all(isinstance(v, dict) for v in value):
            raise self.error(key, value, expected)
        return [Table(self._path, f"{key}[{number}]", v) for number, v in enumerate(value)]

    def finish(self) -> None:
        """Complain about keys that mean nothing here: mostly misspelled ones."""
        for key in self._values:
            if key not in self._asked:
                known = ", ".join(sorted(self._asked))
                raise self.complaint(key, "a key that means nothing here", f"only {known}")
