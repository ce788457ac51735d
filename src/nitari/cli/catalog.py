"""``nitari delete``, ``rejects`` and ``stats``: what the catalog holds and what it does not."""

from __future__ import annotations

from dataclasses import asdict

import click

from nitari.catalog.base import DEFAULT_ALIAS
from nitari.cli.output import CommandContext, json_option, print_error, print_json, print_table
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
