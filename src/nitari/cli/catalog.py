"""``nitari delete``, ``rejects``, ``stats`` and ``catalog``: what the catalog holds, does not hold, and once held."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from nitari.catalog.base import DEFAULT_ALIAS
from nitari.cli.output import CommandContext, json_option, print_error, print_json, print_table
from nitari.cli.points import parse_point, show_time
from nitari.ingest.edit import delete_items
from nitari.wiring import open_catalog


@click.command("delete")
@click.argument("item_ids", nargs=-1, required=True)
@json_option
@click.pass_obj
def delete_command(context: CommandContext, item_ids: tuple[str, ...], *, as_json: bool) -> int:
    """Delete items by id. An item that is still in its feed comes back with the next import."""
    settings = context.settings()
    with open_catalog(settings) as catalog:
        named = catalog.resolve(DEFAULT_ALIAS) or settings.models.embedder
        deleted = delete_items(catalog, item_ids, collection=named)
    unknown = [item_id for item_id in dict.fromkeys(item_ids) if item_id not in deleted]
    if as_json:
        print_json({"deleted": deleted, "unknown": unknown})
    else:
        click.echo(f"deleted {len(deleted)} of {len(deleted) + len(unknown)} items")
        for item_id in unknown:
            print_error(f"item {item_id!r} is not in the catalog", "see `nitari stats` for what is")
    return 2 if unknown else 0


@click.command("rejects")
@click.option("--feed", "feed_id", metavar="NAME", help="Only this feed's.")
@json_option
@click.pass_obj
def rejects_command(context: CommandContext, *, feed_id: str | None, as_json: bool) -> int:
    """List what could not be used at the last import of each feed: item, photo, reason and remedy."""
    with open_catalog(context.settings()) as catalog:
        found = list(catalog.rejections(feed_id=feed_id))
    if as_json:
        print_json([{"feed": feed, **asdict(rejection)} for feed, rejection in found])
        return 0
    for feed, rejection in found:
        what = " ".join(part for part in (rejection.item_id, rejection.image_link) if part) or "row"
        place = f" ({rejection.location})" if rejection.location else ""
        click.echo(f"{what}{place}  [{rejection.code}]{'  older photo kept' if rejection.kept else ''}")
        click.echo(f"    {rejection.reason}")
        if rejection.remedy:
            click.echo(f"    do: {rejection.remedy}")
        click.echo(f"    feed: {feed}")
    click.echo(f"{len(found)} rejections")
    return 0


@click.command("stats")
@json_option
@click.pass_obj
def stats_command(context: CommandContext, *, as_json: bool) -> int:
    """Count what the catalog holds."""
    settings = context.settings()
    with open_catalog(settings) as catalog:
        stats = catalog.stats()
    if as_json:
        print_json({"home": settings.home, **asdict(stats)})
        return 0
    rows = [("home", str(settings.home)), ("items", str(stats.items)), ("groups", str(stats.groups))]
    rows += [("images", str(stats.images)), ("rejections", str(stats.rejections)), ("last change", str(stats.seq))]
    rows += [(f"vectors of {name}", str(count)) for name, count in stats.vectors.items()]
    rows += [(f"items of {name}", str(count)) for name, count in stats.feeds.items()]
    print_table(("what", "found"), rows)
    return 0


@click.group("catalog")
def catalog_group() -> None:
    """What the catalog was, and the way back to it."""


@catalog_group.command("history")
@json_option
@click.pass_obj
def history_command(context: CommandContext, *, as_json: bool) -> int:
    """Show from where to where the catalog can be taken back."""
    settings = context.settings()
    with open_catalog(settings) as catalog:
        span = catalog.history_range()
    days = settings.catalog.history_days
    if as_json:
        at = {"oldest_at": _iso(span.oldest_at), "newest_at": _iso(span.newest_at)}
        print_json({**asdict(span), **at, "history_days": days})
        return 0
    rows = [
        ("oldest", str(span.oldest), show_time(span.oldest_at)),
        ("newest", str(span.newest), show_time(span.newest_at)),
    ]
    print_table(("", "change", "made at"), rows, right=("change",))
    click.echo(f"catalog.history_days = {days}: older changes are forgotten after imports, and by a server every hour")
    return 0


@catalog_group.command("rollback")
@click.option("--to", "point", required=True, metavar="SEQ|TIME", help="A change's number, or a time (ISO 8601).")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def rollback_command(context: CommandContext, *, point: str, yes: bool, as_json: bool) -> int:
    """Take all items back to what they were after a change, or at a time.

    Safe beside a running server, which follows. Imports and edits wait until it is done. A time without a zone is of
    this machine's own. Nothing is lost: rolling back to the change that is the newest now undoes it.
    """
    to = parse_point(point, "--to")
    with open_catalog(context.settings()) as catalog:
        newest = catalog.history_range().newest
        if not yes:
            when = to if isinstance(to, int) else show_time(to)
            click.confirm(f"Take the catalog back from change {newest} to {when}?", abort=True, err=True)
        last = catalog.rollback(to)
    if as_json:
        print_json({"undo": newest, "items": last - newest, "seq": last})
    else:
        click.echo(f"took {last - newest} items back; the catalog is at change {last}")
        click.echo(f"to undo this: nitari catalog rollback --to {newest}")
    return 0


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
