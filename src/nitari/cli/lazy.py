"""Groups of commands whose modules are imported when they are used, so that help and doctor are quick."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used.

    Args:
        homes: For each command, in the order of help, its module and the name that it has there.
        more: As ``click.Group``.
    """

    def __init__(self, *, homes: Mapping[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(**more)
        self._homes = homes

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names."""
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command; ``None`` where there is none of this name."""
        if cmd_name not in self._homes:
            return None
        module, name = self._homes[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that arguments begin with; for one that is not there the error names those that are."""
        if args and args[0] not in self._homes and not args[0].startswith("-"):
            raise click.UsageError(f"no command {args[0]!r}; commands are: {', '.join(self._homes)}", ctx)
        return super().resolve_command(ctx, args)
