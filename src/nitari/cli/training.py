"""``nitari train``: models of one's own, from feeds. Each command has a module, imported when it is used."""

from __future__ import annotations

import click

from nitari.cli.lazy import LazyGroup

_COMMANDS = {
    "embedding": ("nitari.cli.training_embedding", "embedding_command"),
    "regions": ("nitari.cli.training_regions", "regions_command"),
}


@click.group("train", cls=LazyGroup, homes=_COMMANDS)
def train_group() -> None:
    """Train models on your own feeds."""
