"""``nitari import``: a feed in, with a progress bar, resumable."""

from __future__ import annotations

from dataclasses import asdict

import click

from nitari.catalog.base import Catalog
from nitari.cli.output import CommandContext, err, json_option, print_json
from nitari.cli.progress import Tally, counting, per_second
from nitari.errors import NitariError
from nitari.indexes import maintain_once
from nitari.ingest.worker import ImportReport
from nitari.settings import Settings
from nitari.wiring import open_catalog, open_feed, open_ingester


@click.command("import")
@click.argument("source")
@click.option("--feed", "feed_id", metavar="NAME", help="Name of the feed (default: where it is).")
@click.option("--query", metavar="SQL", help="The query, where SOURCE is a database URL.")
@click.option("--encoding", metavar="NAME", help="Encoding of a text feed, where guessing (UTF-8, CP932) goes wrong.")
@click.option("--sync", is_flag=True, help="Also delete this feed's items that are no longer in it.")
@click.option("--allow-delete", is_flag=True, help="With --sync: delete even more than 20 % of the feed's items.")
@click.option("--allow-private", is_flag=True, help="Let image links lead to private and loopback addresses.")
@click.option("--workers", type=click.IntRange(1, 256), help="Photos embedded at a time (default: one a core).")
@json_option
@click.pass_obj
def import_command(
    context: CommandContext,
    source: str,
    *,
    feed_id: str | None,
    query: str | None,
    encoding: str | None,
    sync: bool,
    allow_delete: bool,
    allow_private: bool,
    workers: int | None,
    as_json: bool,
) -> int:
    """Import SOURCE: a feed file, a folder, a URL, or a database URL with --query.

    CSV, TSV, JSONL, Parquet, RSS/XML with Google Merchant Center names, Shopify's product export, each also gzipped.
    A folder with a feed.* in it is that feed; any other folder is a catalog of its photos. Run it again to bring the
    catalog up to date: what has not changed is skipped. Interrupted, it resumes.
    """
    settings = context.settings()
    if allow_private:
        settings = settings.model_copy(update={"http": settings.http.model_copy(update={"allow_private": True})})
    if workers:
        settings = settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"workers": workers})})
    feed = open_feed(settings, source, feed_id=feed_id, query=query, encoding=encoding)
    with open_ingester(settings) as ingester, counting("importing", "rows", quiet=as_json) as show:
        report = ingester.run(
            feed, sync=sync, allow_delete=allow_delete, on_progress=lambda report: show(_tally(report))
        )
    if as_json:
        print_json(asdict(report))
    else:
        _summarize(report)
        with open_catalog(settings) as catalog:
            _warn_of_lacks(catalog)
    if settings.index.maintain:
        maintain_index(settings)
    return 3 if report.rejections else 0


def maintain_index(settings: Settings) -> None:
    """Bring the index on disk up to date, so that what searches next need not read every vector.

    What is imported is imported: a full disk is no reason to say that it is not.
    """
    try:
        with open_catalog(settings) as catalog:
            done = maintain_once(settings, catalog)
        for collection, steps in done.items():
            if steps:
                err.print(f"index of {collection}: {'; '.join(steps)}")
    except NitariError as exc:
        err.print(f"the index on disk is not up to date: {exc.message}")


def _tally(report: ImportReport) -> Tally:
    """How far an import has come."""
    note = (
        f"[green]{report.indexed + report.updated} indexed[/] {report.unchanged} unchanged "
        f"[red]{report.rejected} rejected[/]"
    )
    return Tally(report.rows, report.total, report.seconds, note)


def _warn_of_lacks(catalog: Catalog) -> None:
    """Say where a collection that an alias leads to has fewer photos than the catalog."""
    led_to = {name for alias in catalog.aliases() for name in (alias.collection, alias.previous)}
    for info in catalog.collections():
        if info.name in led_to and info.lacking:
            click.echo(
                f"collection {info.name} lacks {info.lacking} photos, see `nitari collection status {info.name}`; "
                f"to try again: nitari reembed --name {info.name}"
            )


def _summarize(report: ImportReport) -> None:
    rate = per_second(report.photos, report.seconds)
    click.echo(
        f"{report.rows} rows in {report.seconds:.1f} s: {report.indexed} indexed, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.rejected} rejected, {report.deleted} deleted "
        f"({report.photos} photos embedded, {rate:.0f}/s)"
    )
    if report.kept:
        click.echo(f"{report.kept} items keep an older photo whose new version cannot be used")
    if report.rejections:
        click.echo(f"{report.rejections} rejections, with reasons and remedies: nitari rejects")
