"""``nitari index``: the index on disk: how it is, keeping it, building and checking it. No model is needed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict
from threading import Event, Thread
from types import FrameType

import click

from nitari.catalog.sql import SqlCatalog
from nitari.cli.logs import log_to_stderr
from nitari.cli.output import CommandContext, json_option, print_json, print_table
from nitari.errors import ConfigurationError
from nitari.index.segments.maintain import Maintainer
from nitari.index.segments.status import IndexStatus
from nitari.indexes import chosen, collections, index_status, maintain_once, open_index_store, open_maintainer
from nitari.settings import Settings
from nitari.wiring import open_catalog

_TURN_S = 0.5
# How often to look whether there are further collections, seconds.
_COLLECTIONS_S = 5.0
_NICE = 10


@click.group("index")
def index_group() -> None:
    """The index on disk. It is derived from the catalog: it may be deleted, and is built again."""


@index_group.command("status")
@json_option
@click.pass_obj
def status_command(context: CommandContext, /, *, as_json: bool) -> int:
    """Show what the index of each collection consists of, and what is wrong with it."""
    settings = context.settings()
    with open_catalog(settings) as catalog:
        found = index_status(settings, catalog)
    if as_json:
        print_json([asdict(status) for status in found])
    for status in () if as_json else found:
        _show(status)
    return 7 if any(status.problem or any(part.problem for part in status.segments) for status in found) else 0


@index_group.command("maintain")
@click.option("--follow", is_flag=True, help="Go on until Ctrl-C or SIGTERM, and check for damage in the background.")
@click.option("--settle", is_flag=True, help="Also merge what is not urgent, as after a quiet minute.")
@click.option("--until-stdin-closes", "guarded", is_flag=True, hidden=True)
@click.pass_obj
def maintain_command(context: CommandContext, /, *, follow: bool, settle: bool, guarded: bool) -> int:
    """Seal what is new, merge segments, drop what is dead, build again what is damaged.

    One process does so at a time; others wait for it. A server runs it by itself (index.maintain = true).
    """
    settings = context.settings()
    if settings.index.engine != "auto":
        raise ConfigurationError(
            f"index.engine is {settings.index.engine}, which keeps nothing on disk", remedy="set index.engine to auto"
        )
    with open_catalog(settings) as catalog:
        if follow:
            log_to_stderr()
            _be_nice()
            _follow(settings, catalog, _stopped_by(guarded=guarded))
            return 0
        for collection, done in maintain_once(settings, catalog, settle=settle).items():
            click.echo(f"{collection}: {'; '.join(done) or 'nothing to do'}")
    return 0


@index_group.command("rebuild")
@click.argument("collections", nargs=-1, metavar="[COLLECTION]...")
@click.pass_obj
def rebuild_command(context: CommandContext, /, *, collections: Sequence[str]) -> int:
    """Build the index of all collections, or of those named, again from the catalog. Searches go on meanwhile."""
    settings = context.settings()
    with open_catalog(settings) as catalog:
        for spec in chosen(catalog, collections):
            open_index_store(settings, catalog, spec).ask_to_rebuild()
            with closing(open_maintainer(settings, catalog, spec)) as maintainer:
                done = maintainer.run_once()
            click.echo(f"{spec.name}: {'; '.join(done) or 'the process that maintains it was asked to'}")
    return 0


@index_group.command("scrub")
@click.argument("collections", nargs=-1, metavar="[COLLECTION]...")
@click.pass_obj
def scrub_command(context: CommandContext, /, *, collections: Sequence[str]) -> int:
    """Check every byte of the index; what is damaged is set aside and built again. Not beside a maintainer."""
    settings = context.settings()
    with open_catalog(settings) as catalog:
        for spec in chosen(catalog, collections):
            with closing(open_maintainer(settings, catalog, spec)) as maintainer:
                for damage in maintainer.scrub():
                    click.echo(f"{spec.name}: damaged: {damage.reason}")
                done = maintainer.run_once()
            click.echo(f"{spec.name}: {'; '.join(done) or 'all is as it was written'}")
    return 0


def _follow(settings: Settings, catalog: SqlCatalog, stopped: Event) -> None:
    """Maintain the indexes of all collections, also of those that come, until ``stopped``."""
    with ExitStack() as stack:
        maintainers: dict[str, Maintainer] = {}
        rounds = 0
        while not stopped.is_set():
            if rounds % int(_COLLECTIONS_S / _TURN_S) == 0:
                wanted = {spec.name: spec for spec in collections(catalog)}
                for name in wanted.keys() - maintainers.keys():
                    maintainers[name] = open_maintainer(settings, catalog, wanted[name])
                    stack.callback(maintainers[name].close)
                for name in maintainers.keys() - wanted.keys():
                    maintainers.pop(name).close()
            rounds += 1
            for maintainer in maintainers.values():
                if not stopped.is_set():
                    maintainer.turn()
            stopped.wait(_TURN_S)


def _stopped_by(*, guarded: bool) -> Event:
    """Set by SIGINT and SIGTERM. ``guarded`` ends the process at once when standard input is closed.

    At once, as whoever started it is gone or in a hurry, and a build may take minutes: to be killed at any line is
    what maintaining is made for.
    """
    stopped = Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    if guarded:

        def guard() -> None:
            while sys.stdin.buffer.read(4096):
                pass
            os._exit(0)

        Thread(target=guard, daemon=True).start()
    return stopped


def _be_nice() -> None:
    """Leave the processor to those who answer queries."""
    if hasattr(os, "nice"):
        os.nice(_NICE)


def _show(status: IndexStatus) -> None:
    live = f"{status.live:,} of them in memory only"
    click.echo(f"{status.collection}: {status.rows:,} vectors, {live}, {status.bytes / 2**20:,.1f} MiB on disk")
    if status.problem:
        click.echo(f"  cannot be used: {status.problem}")
    if status.number:
        table = "no saved table" if status.table_behind is None else f"saved table {status.table_behind:,} behind"
        click.echo(f"  manifest {status.number}, {status.behind:,} changes behind; {table}")
    if status.segments:
        rows = [
            (part.name, f"{part.rows:,}", f"{part.dead:,}", part.engine or "scan", part.problem)
            for part in status.segments
        ]
        print_table(("segment", "rows", "dead", "engine", ""), rows, right=("rows", "dead"))
    for name in status.rejected:
        click.echo(f"  set aside because it was damaged: {name}")
    noted = status.maintainer
    if noted:
        click.echo(f"  maintained at {noted.get('at')}: {noted.get('problem') or noted.get('done')}")
