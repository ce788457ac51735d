"""How commands speak: one place for errors, JSON, tables and the settings they all start from."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from nitari.settings import Settings, load_settings
from nitari.types import AttributeValue

_Command = TypeVar("_Command", bound=Callable[..., Any])

# A file or a pipe has no width: tables there are not folded to that of a terminal nobody looks at.
_PIPE_WIDTH = 240

out = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
err = Console(stderr=True, highlight=False, emoji=False, width=None if sys.stderr.isatty() else _PIPE_WIDTH)


@dataclass(frozen=True, slots=True)
class CommandContext:
    """What the global options said."""

    home: Path | None

    def settings(self, **sections: Any) -> Settings:
        """The settings, with the global options on top."""
        return load_settings(home=self.home.resolve() if self.home else None, **sections)


def json_option(command: _Command) -> _Command:
    """Add ``--json`` to a command that answers."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(command)


def print_json(value: Any) -> None:
    """Print JSON on standard output: indented for people, with every character as it is."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def print_error(message: str, remedy: str = "") -> None:
    """Print an error and what to do about it on standard error."""
    err.print(f"[bold red]error:[/] {escape(message)}", soft_wrap=True)
    if remedy:
        err.print(f"[bold]   do:[/] {escape(remedy)}", soft_wrap=True)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Print a plain table; the columns named in ``right`` are aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, justify="right" if header in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    out.print(table)


def is_terminal() -> bool:
    """Whether a person is watching (a progress bar makes sense)."""
    return sys.stderr.isatty()


def show_value(value: AttributeValue) -> str:
    """An attribute as people write it."""
    if isinstance(value, tuple):
        return ", ".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else value


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
