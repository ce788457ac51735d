"""``nitari train``: models of one's own, from feeds. Each command has a module, imported when it is used."""

from __future__ import annotations

from importlib import import_module

import click

_COMMANDS = {
    "embedding": ("nitari.cli.training_embedding", "embedding_command"),
    "regions": ("nitari.cli.training_regions", "regions_command"),
}


class _LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group("train", cls=_LazyGroup)
def train_group() -> None:
    """Train models on your own feeds."""
