"""``nitari reembed``, ``collection`` and ``alias``: another model beside the one in use, and the switch to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from nitari.catalog.base import DEFAULT_ALIAS, Alias, Catalog, CollectionInfo, Lack
from nitari.cli.importing import maintain_index
from nitari.cli.output import CommandContext, json_option, print_error, print_json, print_table
from nitari.cli.progress import Tally, counting, per_second
from nitari.errors import NotFoundError, UsageError
from nitari.indexes import remove_index
from nitari.ingest.reembed import ReembedReport
from nitari.settings import Settings
from nitari.wiring import open_catalog, open_reembedder

SHOWN = 20
"""Photos listed for people; JSON has all."""
_ALLOW_MISSING = "Switch even where photos are missing in the collection: they are not found then."


@click.command("reembed")
@click.argument("card", required=False)
@click.option("--views", type=click.Choice(["whole", "box", "mean", "both"]), help="Default: what settings say.")
@click.option("--regions", type=click.Choice(["whole", "saliency", "garments"]), help="Default: what settings say.")
@click.option("--name", metavar="NAME", help="Name of the new collection (default: the card's).")
@click.option("--refetch", is_flag=True, help="Follow the links of photos whose originals are not kept.")
@click.option("--switch", is_flag=True, help=f"Let the alias {DEFAULT_ALIAS!r} name it when it is complete.")
@click.option("--allow-missing", is_flag=True, help=_ALLOW_MISSING)
@click.option("--workers", type=click.IntRange(1, 256), help="Photos embedded at a time (default: one a core).")
@json_option
@click.pass_obj
def reembed_command(
    context: CommandContext,
    card: str | None,
    *,
    views: str | None,
    regions: str | None,
    name: str | None,
    refetch: bool,
    switch: bool,
    allow_missing: bool,
    workers: int | None,
    as_json: bool,
) -> int:
    """Embed the whole catalog with CARD, into a collection beside the one in use, from the kept originals.

    What is in use goes on being searched and edited; what changes meanwhile gets into both. Interrupted or killed, the
    same command goes on where it was. Without CARD, the collection NAME is filled as it was begun.
    """
    settings = context.settings()
    if workers:
        settings = settings.model_copy(update={"ingest": settings.ingest.model_copy(update={"workers": workers})})
    if card is None and (name is None or views or regions):
        raise UsageError(
            "no model card is given",
            remedy="nitari reembed CARD (`nitari model list` shows all); or --name of a collection that was begun",
        )
    if card is not None:
        settings = _with(settings, card, views, regions)
    with (
        open_reembedder(settings, name=name, refetch=refetch, as_settings=card is not None) as reembedder,
        counting("embedding", "photos", quiet=as_json) as show,
    ):
        report = reembedder.run(on_progress=lambda report: show(_tally(report)))
    if settings.index.maintain:  # so that the switch finds the index ready
        maintain_index(settings)
    with open_catalog(settings) as catalog:
        lacking = _info(catalog, report.collection).lacking
        if switch and (allow_missing or not lacking):
            catalog.point(DEFAULT_ALIAS, report.collection)
        in_use = catalog.resolve(DEFAULT_ALIAS) == report.collection
    if as_json:
        print_json({**asdict(report), "lacking": lacking, "in_use": in_use})
    else:
        _summarize(report, lacking=lacking, in_use=in_use)
    return 3 if lacking else 0


@click.group("collection")
def collection_group() -> None:
    """The collections: all vectors of one model each, side by side in one catalog."""


@collection_group.command("list")
@json_option
@click.pass_obj
def list_command(context: CommandContext, /, *, as_json: bool) -> int:
    """List every collection: what names it, how much is in it, and what it lacks."""
    with open_catalog(context.settings()) as catalog:
        found, aliases = catalog.collections(), catalog.aliases()
    if as_json:
        print_json([_as_dict(info, aliases) for info in found])
        return 0
    rows = [
        (
            info.name,
            _state(info, aliases),
            str((info.spec.recipe or {}).get("embedder", "unknown")),
            str(info.spec.dim),
            str(info.photos),
            str(info.vectors),
            str(info.lacking),
        )
        for info in found
    ]
    headers = ("collection", "state", "model", "dim", "photos", "vectors", "lacking")
    print_table(headers, rows, right=headers[3:])
    return 0


@collection_group.command("status")
@click.argument("name", required=False)
@json_option
@click.pass_obj
def status_command(context: CommandContext, /, *, name: str | None, as_json: bool) -> int:
    """Tell all about the collection or alias NAME (default: the one in use), with the photos that it lacks, and why."""
    with open_catalog(context.settings()) as catalog:
        aliases = catalog.aliases()
        info = _info(catalog, name or DEFAULT_ALIAS)
        lacks = list(catalog.lacks(info.name))
    if as_json:
        print_json({**_as_dict(info, aliases), "lacks": [asdict(lack) for lack in lacks]})
        return 0
    rows = [("collection", info.name), ("state", _state(info, aliases))]
    rows += [(setting, str(value)) for setting, value in (info.spec.recipe or {"recipe": "unknown"}).items()]
    rows += [("dim", str(info.spec.dim)), ("fingerprint", info.spec.fingerprint), ("photos", str(info.photos))]
    rows += [("vectors", str(info.vectors)), ("photos lacking", str(info.lacking))]
    print_table(("what", "found"), rows)
    _list(lacks)
    untried = info.lacking - len(lacks)
    if untried > 0:
        click.echo(f"{untried} photos are still to be embedded: nitari reembed --name {info.name}")
    return 0


@collection_group.command("drop")
@click.argument("name")
@json_option
@click.pass_obj
def drop_command(context: CommandContext, /, *, name: str, as_json: bool) -> int:
    """Delete the collection NAME with its vectors. Items and photos stay; what an alias names is not deleted."""
    settings = context.settings()
    with open_catalog(settings) as catalog:
        vectors = next((info.vectors for info in catalog.collections() if info.name == name), 0)
        catalog.drop_collection(name)
    remove_index(settings, name)
    if as_json:
        print_json({"dropped": name, "vectors": vectors})
    else:
        click.echo(f"dropped collection {name} with {vectors} vectors")
    return 0


@click.group("alias")
def alias_group() -> None:
    """The names that clients use for collections."""


@alias_group.command("list")
@json_option
@click.pass_obj
def aliases_command(context: CommandContext, /, *, as_json: bool) -> int:
    """List every alias: what it names, and what one step back leads to."""
    with open_catalog(context.settings()) as catalog:
        aliases = catalog.aliases()
    if as_json:
        print_json([_alias(alias) for alias in aliases])
        return 0
    rows = [(a.name, a.collection, a.previous or "", f"{a.at:%Y-%m-%d %H:%M:%S} UTC") for a in aliases]
    print_table(("alias", "collection", "before", "since"), rows)
    return 0


@alias_group.command("set")
@click.argument("alias")
@click.argument("collection")
@click.option("--allow-missing", is_flag=True, help=_ALLOW_MISSING)
@json_option
@click.pass_obj
def set_command(context: CommandContext, /, *, alias: str, collection: str, allow_missing: bool, as_json: bool) -> int:
    """Let ALIAS name COLLECTION from now on, in one step."""
    with open_catalog(context.settings()) as catalog:
        _show(_switch(catalog, alias, collection, allow_missing=allow_missing), as_json=as_json)
    return 0


@alias_group.command("back")
@click.argument("alias", default=DEFAULT_ALIAS)
@json_option
@click.pass_obj
def back_command(context: CommandContext, /, *, alias: str, as_json: bool) -> int:
    """Let ALIAS (default: the one in use) name what it named before."""
    with open_catalog(context.settings()) as catalog:
        _show(catalog.point_back(alias), as_json=as_json)
    return 0


def _with(settings: Settings, card: str, views: str | None, regions: str | None) -> Settings:
    chosen: dict[str, Any] = {"views": views or settings.extract.views, "regions": regions or settings.extract.regions}
    models = settings.models.model_copy(update={"embedder": card})
    return settings.model_copy(update={"models": models, "extract": settings.extract.model_copy(update=chosen)})


def _switch(catalog: Catalog, alias: str, collection: str, *, allow_missing: bool) -> Alias:
    """Point an alias to a collection in which nothing is missing.

    Raises:
        UsageError: something is.
    """
    lacking = 0 if allow_missing else _info(catalog, collection).lacking
    if lacking:
        raise UsageError(
            f"collection {collection!r} lacks {lacking} photos, which would not be found; "
            f"alias {alias!r} names what it named",
            remedy=f"see `nitari collection status {collection}`; fill it by `nitari reembed --name {collection}`; "
            f"or do without them: nitari alias set {alias} {collection} --allow-missing",
            code="collection-lacking",
        )
    return catalog.point(alias, collection)


def _info(catalog: Catalog, name: str) -> CollectionInfo:
    """A collection by its name, or by an alias."""
    wanted = catalog.resolve(name) or name
    for info in catalog.collections():
        if info.name == wanted:
            return info
    raise NotFoundError(f"there is no collection {name!r}", remedy="`nitari collection list` shows what is there")


def _state(info: CollectionInfo, aliases: Sequence[Alias]) -> str:
    """Why a collection is there, for people."""
    named = [alias.name for alias in aliases if alias.collection == info.name]
    before = [alias.name for alias in aliases if alias.previous == info.name]
    if named:
        return f"in use as {', '.join(named)}"
    if before:
        return f"one step back from {', '.join(before)}"
    return "being built" if info.maintained else "not kept up"


def _as_dict(info: CollectionInfo, aliases: Sequence[Alias]) -> dict[str, Any]:
    return {
        "name": info.name,
        "dim": info.spec.dim,
        "fingerprint": info.spec.fingerprint,
        "recipe": None if info.spec.recipe is None else dict(info.spec.recipe),
        "aliases": [alias.name for alias in aliases if alias.collection == info.name],
        "previous_of": [alias.name for alias in aliases if alias.previous == info.name],
        "maintained": info.maintained,
        "photos": info.photos,
        "vectors": info.vectors,
        "lacking": info.lacking,
    }


def _alias(alias: Alias) -> dict[str, Any]:
    return {**asdict(alias), "at": alias.at.isoformat()}


def _show(alias: Alias, *, as_json: bool) -> None:
    if as_json:
        print_json(_alias(alias))
        return
    back = f"; back to {alias.previous}: nitari alias back {alias.name}" if alias.previous else ""
    click.echo(f"{alias.name} is {alias.collection} now{back}")


def _list(lacks: Sequence[Lack]) -> None:
    for lack in lacks[:SHOWN]:
        click.echo(f"{lack.item_id} {lack.link}  [{lack.code}]")
        click.echo(f"    {lack.reason}")
        if lack.remedy:
            click.echo(f"    do: {lack.remedy}")
    if len(lacks) > SHOWN:
        click.echo(f"and {len(lacks) - SHOWN} more: --json lists all")


def _summarize(report: ReembedReport, *, lacking: int, in_use: bool) -> None:
    rate = per_second(report.photos, report.seconds)
    click.echo(
        f"{report.photos} photos in {report.seconds:.1f} s ({rate:.0f}/s) into collection {report.collection}; "
        f"{len(report.lacks)} cannot be had"
    )
    _list(report.lacks)
    if in_use:
        click.echo(f"{report.collection} is in use now; back to the one before: nitari alias back")
    elif lacking:
        print_error(
            f"{report.collection} lacks {lacking} photos",
            f"mend them and repeat, or do without: nitari alias set {DEFAULT_ALIAS} {report.collection} "
            "--allow-missing",
        )
    else:
        click.echo(f"complete, and kept up from now on; to use it: nitari alias set {DEFAULT_ALIAS} "
                   f"{report.collection}")  # fmt: skip


def _tally(report: ReembedReport) -> Tally:
    """How far a re-embedding has come."""
    done = report.photos + len(report.lacks)
    return Tally(done, max(report.total, done), report.seconds, f"[red]{len(report.lacks)} cannot be had[/]")
