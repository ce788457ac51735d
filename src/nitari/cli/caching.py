"""``nitari cache``: what the home folder keeps beside the catalog, and what of it nobody needs."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain

import click

from nitari.catalog.base import Catalog
from nitari.catalog.sql import FILE_NAME
from nitari.cli.output import CommandContext, json_option, print_json, print_table
from nitari.disk import usage
from nitari.errors import ConfigurationError
from nitari.images.base import UPLOAD
from nitari.wiring import INDEXES, ORIGINALS, QUERY_PHOTOS, THUMBNAILS, open_catalog, open_originals

_KEPT = {
    ORIGINALS: "photos fetched from the web, and uploaded ones; of those there is no other copy",
    THUMBNAILS: "made anew when they are asked for",
    INDEXES: "rebuilt from the catalog when they are missing",
    QUERY_PHOTOS: "kept because a shopper asked for a link; they expire",
}


@click.group("cache")
def cache_group() -> None:
    """What the home folder keeps beside the catalog."""


@cache_group.command("show")
@json_option
@click.pass_obj
def show_command(context: CommandContext, /, *, as_json: bool) -> int:
    """Show how much originals, thumbnails, indexes and query photos take on disk."""
    home = context.settings().home
    found = {name: usage(home / name) for name in _KEPT}
    if as_json:
        print_json({"home": home, **{name: asdict(used) for name, used in found.items()}})
        return 0
    rows = [(name, f"{used.files:,}", _mib(used.bytes), _KEPT[name]) for name, used in found.items()]
    print_table(("what", "files", "size", ""), rows, right=("files", "size"))
    return 0


@cache_group.command("prune")
@json_option
@click.pass_obj
def prune_command(context: CommandContext, /, *, as_json: bool) -> int:
    """Delete originals that no item refers to and that nobody has used for an hour.

    Items that `nitari catalog rollback` can bring back count, too.

    Safe beside a running server or import. A photo from the web that is deleted here is fetched again when an item
    names it again; an uploaded one must then be uploaded again.
    """
    settings = context.settings()
    if not (settings.home / FILE_NAME).is_file():
        raise ConfigurationError(
            f"{settings.home} holds no catalog, so nothing says which originals are needed",
            remedy="give the right folder with --home",
        )
    with open_catalog(settings) as catalog:
        gone = open_originals(settings).prune(referenced(catalog))
    if as_json:
        print_json({"deleted": asdict(gone)})
    else:
        click.echo(f"deleted {gone.files:,} originals, {_mib(gone.bytes)}")
    return 0


def referenced(catalog: Catalog) -> set[str]:
    """The digests of all originals that an item refers to, or did as far back as a rollback reaches.

    They are those of its photos, and uploads that its links name.
    """
    links = chain(catalog.image_links(UPLOAD), catalog.past_image_links(UPLOAD))
    uploads = (link.removeprefix(UPLOAD) for link in links)
    return {*catalog.digests(), *catalog.past_digests(), *uploads}


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"
