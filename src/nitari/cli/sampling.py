"""``nitari sample``: a catalog to try Nitari with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from nitari.cli.output import CommandContext, err, is_terminal, json_option, print_json
from nitari.samples.drawn.catalog import ITEMS
from nitari.samples.sample import get_sample


@click.command("sample")
@click.argument("name", type=click.Choice(["drawn", "luma", "flat"]))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
@click.option("--from", "source", type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="luma, flat: a folder that holds the catalog already.")  # fmt: skip
@click.option("--url", help="luma, flat: download the archive from here, not from its public origin.")
@click.option("--items", type=click.IntRange(1, 100_000), default=ITEMS, show_default=True, help="drawn: how many.")
@click.option("--seed", type=int, default=0, show_default=True, help="drawn: another seed, another shop.")
@json_option
@click.pass_obj
def sample_command(
    context: CommandContext,
    /,
    name: str,
    folder: Path,
    *,
    source: Path | None,
    url: str | None,
    items: int,
    seed: int,
    as_json: bool,
) -> int:
    r"""Make DIR hold a sample catalog, to import and to evaluate with.

    \b
    drawn  garments drawn by program; needs no network
    luma   a fashion shop's studio photos, worn by models (Magento sample data, AFL-3.0 or OSL-3.0)
    flat   people's own photos of clothes laid flat (clothing-dataset, CC0-1.0)
    """
    workers = context.settings().ingest.workers
    with _progress(quiet=as_json) as show:
        sample = get_sample(
            name, folder, source=source, url=url, items=items, seed=seed, workers=workers, on_progress=show
        )
    if as_json:
        told = {"name": sample.name, "folder": sample.folder, "origin": sample.origin, "license": sample.license}
        print_json({**told, "fresh": sample.fresh})
    else:
        state = "is ready" if sample.fresh else "was there already"
        click.echo(f"sample {sample.name} {state} in {sample.folder} ({sample.origin}, {sample.license})")
        click.echo(f"next: nitari import {sample.folder}")
    return 0


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int, str], None] | None]:
    """A progress bar on a terminal, nothing elsewhere."""
    if quiet or not is_terminal():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total, unit: progress.update(task, completed=done, total=total or None, description=unit)
