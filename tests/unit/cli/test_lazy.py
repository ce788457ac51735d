"""Groups that import their commands when they are used."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from nitari.cli.lazy import LazyGroup
from nitari.cli.main import cli

HOMES = {"second": ("nitari.cli.training", "train_group"), "first": ("nitari.cli.missing", "nothing")}


def test_help_imports_what_it_lists() -> None:
    """Commands stand in their own order, and one is found by its name without importing any other."""
    group = LazyGroup(name="tools", homes=HOMES)
    context = click.Context(group)
    assert group.list_commands(context) == ["second", "first"]
    found = group.get_command(context, "second")
    assert found is not None
    assert found.name == "train"
    assert group.get_command(context, "third") is None


@pytest.mark.parametrize(("arguments", "named"), [(["trian"], "train"), (["train", "heads"], "embedding, regions")])
def test_a_command_that_is_not_there(arguments: list[str], named: str) -> None:
    """A misspelled command is refused with the names of those that are there, in subgroups as well."""
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert f"no command {arguments[-1]!r}" in result.output
    assert named in result.output
