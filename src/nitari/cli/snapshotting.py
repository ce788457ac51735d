"""``nitari snapshot``: copies of the home kept elsewhere, and homes made of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn

from nitari.cli.output import CommandContext, err, is_terminal, json_option, print_error, print_json, print_table
from nitari.cli.points import parse_point
from nitari.errors import UsageError
from nitari.settings import SnapshotSettings
from nitari.snapshots.contents import CARDS, SETTINGS, Photos
from nitari.snapshots.manifest import Manifest
from nitari.snapshots.prune import Retention
from nitari.snapshots.repository import Damaged
from nitari.snapshots.verify import Problem
from nitari.wiring import open_snapshots

# Problems that are printed one by one; all of them are in --json.
_SHOWN = 50
_UNITS = ((30, "GiB"), (20, "MiB"), (10, "KiB"))
_url = click.argument("url", required=False)


@click.group("snapshot")
def snapshot_group() -> None:
    """Save the home elsewhere while it is in use, and restore it, to any change or time.

    URL is a folder, s3://BUCKET/PREFIX, or another URL that fsspec knows; without it, the setting snapshots.url.
    Credentials are taken from the environment, as the store's own tools do.
    """


@snapshot_group.command("save")
@_url
@click.option(
    "--originals",
    type=click.Choice([photos.value for photos in Photos]),
    default=Photos.UPLOADS.value,
    show_default=True,
    help="Which photos go with it: uploaded ones, of which there is no other copy, or all that are kept.",
)
@click.option("--retry", type=click.IntRange(0, 100), default=0, help="Begin anew so often where another save won.")
@click.option("--full", is_flag=True, help="Send all of it again: mends a store in which something was damaged.")
@click.option("--take-over", is_flag=True, help="Go on where another catalog was saved before.")
@json_option
@click.pass_obj
def save_command(
    context: CommandContext,
    /,
    *,
    url: str | None,
    originals: str,
    retry: int,
    full: bool,
    take_over: bool,
    as_json: bool,
) -> int:
    """Save the home as it is now: catalog, index, uploaded photos, model cards and judgments of yours, settings.

    Only what is not there yet travels. Imports and servers go on meanwhile. What nitari.toml says is saved as it is,
    with a token in it; query photos that shoppers asked to keep are not saved, as they are promised to expire.
    """
    snapshots = open_snapshots(context.settings(), url)
    with _bar("saving") as advance:
        saved = snapshots.save(
            photos=Photos(originals), full=full, take_over=take_over, retries=retry, on_progress=advance
        )
    made = saved.snapshot
    if as_json:
        print_json({"url": snapshots.url, **_plain(made), "sent_chunks": saved.sent_chunks, "lost": list(saved.lost)})
        return 0
    click.echo(f"snapshot {made.number} of change {made.catalog.seq:,} is in {snapshots.url}")
    sent = f"{saved.sent_chunks:,} chunks, {_size(saved.sent_bytes)} sent"
    click.echo(f"  {made.files:,} files, {_size(made.bytes)}: {_parts(made)}; {sent}")
    for path in saved.lost:
        print_error(f"{path} is missing in the home or damaged, and not in the snapshot", "upload the photo again")
    return 0


@snapshot_group.command("list")
@_url
@json_option
@click.pass_obj
def list_command(context: CommandContext, /, *, url: str | None, as_json: bool) -> int:
    """List the snapshots, oldest first, and from which change to which each can be restored."""
    snapshots = open_snapshots(context.settings(), url)
    found = snapshots.published()
    if as_json:
        print_json({"url": snapshots.url, "snapshots": [_plain(snapshot) for snapshot in found]})
        return 0
    headers = ("snapshot", "taken", "changes", "items", "size", "sent", "catalog")
    print_table(headers, [_row(snapshot) for snapshot in found], right=("snapshot", "items", "size", "sent"))
    click.echo(f"{len(found)} snapshots in {snapshots.url}")
    return 0


@snapshot_group.command("restore")
@_url
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    help="The new home: a folder that does not exist yet, or is empty.",
)
@click.option("--snapshot", "number", metavar="N|latest", default=None, help="Which one.  [default: latest]")
@click.option(
    "--at",
    metavar="CHANGE|TIME",
    help="As it was after this change, or at this time (2026-11-23T14:05; local, unless it has a zone).",
)
@click.option("--as-copy", is_flag=True, help="The saved home lives on: give this one an identity of its own.")
@json_option
@click.pass_obj
def restore_command(
    context: CommandContext,
    /,
    *,
    url: str | None,
    into: Path,
    number: str | None,
    at: str | None,
    as_copy: bool,
    as_json: bool,
) -> int:
    """Make a new home of a snapshot; every byte is checked.

    A home of the newest snapshot takes the place of the one that was saved. One of an older snapshot or an earlier
    point goes its own way: it gets an identity of its own, and builds its index anew.
    """
    snapshots = open_snapshots(context.settings(), url)
    with _bar("restoring") as advance:
        restored = snapshots.restore(
            into.resolve(),
            number=_number(number),
            at=None if at is None else parse_point(at, "--at"),
            as_copy=as_copy,
            on_progress=advance,
        )
    facts = restored.catalog
    if as_json:
        print_json(
            {
                "home": restored.home,
                "snapshot": restored.snapshot.number,
                "catalog": _facts(facts),
                "index": restored.index,
                "missing": list(restored.snapshot.missing),
            }
        )
        return 0
    click.echo(f"{restored.home} is snapshot {restored.snapshot.number} of {snapshots.url}")
    click.echo(f"  {facts.items:,} items, {facts.images:,} images, last change {facts.seq:,}, all bytes checked")
    click.echo(f"  index: {'restored' if restored.index else 'built from the catalog at the first start'}")
    if facts.identity != restored.snapshot.catalog.identity:
        click.echo("  it is a catalog of its own now: save it to a URL of its own, or with --take-over")
    if CARDS in restored.snapshot.parts:
        click.echo(f"  your model cards are in {restored.home / CARDS}: let models.cards in its {SETTINGS} name that")
    for digest in restored.snapshot.missing:
        print_error(f"uploaded photo {digest} was missing when it was saved", "upload the photo again with its item")
    return 0


@snapshot_group.command("verify")
@_url
@click.option("--quick", is_flag=True, help="Look only whether all is there, and as long as it was; read nothing.")
@json_option
@click.pass_obj
def verify_command(context: CommandContext, /, *, url: str | None, quick: bool, as_json: bool) -> int:
    """Read all snapshots and compare every byte with its checksum; exit code 1 where something is wrong."""
    snapshots = open_snapshots(context.settings(), url)
    with _counting("verifying") as advance:
        found = snapshots.verify(quick=quick, on_progress=advance)
    if as_json:
        print_json({"url": snapshots.url, "quick": quick, "broken": list(found.broken), **asdict(found)})
        return 1 if found.problems else 0
    for problem in found.problems[:_SHOWN]:
        _print_problem(problem)
    if len(found.problems) > _SHOWN:
        print_error(f"{len(found.problems) - _SHOWN:,} further problems", "see them all with --json")
    how = "sizes only" if quick else f"{_size(found.bytes)} read"
    click.echo(f"{found.snapshots} snapshots, {found.chunks:,} chunks ({how}), {len(found.problems):,} problems")
    if found.broken:
        print_error(
            f"snapshots that cannot be restored whole: {', '.join(map(str, found.broken))}",
            "run `nitari snapshot save URL --full` to send again what the home still has",
        )
    return 1 if found.problems else 0


@snapshot_group.command("prune")
@_url
@click.option("--keep", type=click.IntRange(1), help="Keep the newest so many.  [default: the setting snapshots.keep]")
@click.option("--keep-days", type=click.FloatRange(0), help="Keep also all that are younger than so many days.")
@json_option
@click.pass_obj
def prune_command(
    context: CommandContext, /, *, url: str | None, keep: int | None, keep_days: float | None, as_json: bool
) -> int:
    """Remove old snapshots, and what only they needed. What is younger than a day and not in use yet stays."""
    settings = context.settings()
    snapshots = open_snapshots(settings, url)
    pruned = snapshots.prune(_retention(settings.snapshots, keep, keep_days))
    if as_json:
        print_json({"url": snapshots.url, **asdict(pruned)})
        return 0
    removed = f"removed {len(pruned.snapshots)} snapshots and {pruned.chunks:,} chunks, {_size(pruned.bytes)}"
    click.echo(f"{removed}; {len(pruned.kept)} snapshots are left in {snapshots.url}")
    return 0


def _retention(settings: SnapshotSettings, keep: int | None, keep_days: float | None) -> Retention:
    return Retention(
        keep=keep if keep is not None else settings.keep,
        days=keep_days if keep_days is not None else settings.keep_days,
    )


def _number(given: str | None) -> int | None:
    """Which snapshot was asked for; ``None`` for the newest."""
    if given is None or given == "latest":
        return None
    if not given.isdecimal():
        raise UsageError(f"--snapshot {given!r} is no number", remedy="give a number of `nitari snapshot list`")
    return int(given)


def _row(snapshot: Manifest | Damaged) -> Sequence[str]:
    if isinstance(snapshot, Damaged):
        return (str(snapshot.number), snapshot.reason.message, "", "", "", "", "")
    facts = snapshot.catalog
    return (
        str(snapshot.number),
        snapshot.at.astimezone().strftime("%Y-%m-%d %H:%M:%S"),
        f"{facts.oldest:,}-{facts.seq:,}",
        f"{facts.items:,}",
        _size(snapshot.bytes),
        _size(snapshot.sent),
        facts.identity[:8],
    )


def _plain(snapshot: Manifest | Damaged) -> dict[str, Any]:
    """A snapshot as JSON."""
    if isinstance(snapshot, Damaged):
        return {"snapshot": snapshot.number, "damaged": snapshot.reason.message}
    return {
        "snapshot": snapshot.number,
        "at": snapshot.at.isoformat(),
        "nitari": snapshot.nitari,
        "parent": snapshot.parent,
        "catalog": _facts(snapshot.catalog),
        "files": snapshot.files,
        "bytes": snapshot.bytes,
        "sent_bytes": snapshot.sent,
        "parts": dict(snapshot.parts),
        "missing": list(snapshot.missing),
    }


def _facts(facts: Any) -> dict[str, Any]:
    values = asdict(facts)
    values["oldest_at"] = facts.oldest_at and facts.oldest_at.isoformat()
    return values


def _parts(snapshot: Manifest) -> str:
    return ", ".join(f"{name} {_size(size)}" for name, size in snapshot.parts.items())


def _print_problem(problem: Problem) -> None:
    where = ", ".join(problem.files[:3]) + (", ..." if len(problem.files) > 3 else "")
    click.echo(f"{problem.what}: {problem.reason}")
    click.echo(f"    breaks snapshots {', '.join(map(str, problem.snapshots))}{f' in {where}' if where else ''}")


def _size(count: int) -> str:
    """Bytes as people write them."""
    if count < 2**10:
        return f"{count} B"
    size, unit = next((count / 2**power, unit) for power, unit in _UNITS if count >= 2**power)
    return f"{size:,.1f} {unit}"


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int], None] | None]:
    """How many bytes are done, where a person is watching."""
    if not is_terminal():
        yield None
        return
    with Progress(TextColumn("{task.description}"), DownloadColumn(binary_units=True), console=err) as progress:
        task = progress.add_task(what, total=None)
        yield lambda count: progress.advance(task, count)


@contextmanager
def _counting(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """How many chunks are done, where a person is watching."""
    if not is_terminal():
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
