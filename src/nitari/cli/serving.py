"""``nitari serve``: the API and the page over one home."""

from __future__ import annotations

import ipaddress
import re
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from threading import Thread
from typing import Any

import click

from nitari.cli.logs import log_to_stderr
from nitari.cli.output import CommandContext
from nitari.errors import ConfigurationError
from nitari.indexes import is_large, maintainer_command
from nitari.search.searchers import Searchers
from nitari.server.app import create_app
from nitari.server.child import Child
from nitari.server.listen import serve
from nitari.server.services import ServerConfig
from nitari.settings import ServerSettings, Settings
from nitari.wiring import open_services

MIN_TOKEN = 16
_MAX_TOKEN_FILE = 10_000
_HOST_NAME = re.compile(
    r"(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?", re.IGNORECASE
)


@click.command("serve")
@click.option("--host", help="Address to bind to (default: 127.0.0.1). Beyond this machine it needs a token.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to bind to; 0 for any free one.")
@click.option(
    "--token-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with the token that callers must show; at least 16 characters.",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME",
    help="A host name that the server is reached by; *.NAME for any subdomain. May be repeated.",
)
@click.option("--open-search", is_flag=True, default=None, help="Searching and reading need no token; edits do.")
@click.option(
    "--insecure-no-token",
    "insecure",
    is_flag=True,
    default=None,
    help="Bind beyond this machine without a token: everybody who reaches the port may edit and delete the catalog.",
)
@click.option("--open/--no-open", "opens", default=False, help="Open the page in a browser (default: no).")
@click.pass_obj
def serve_command(context: CommandContext, /, *, opens: bool, **options: Any) -> int:
    """Serve the catalog: the page for people, the API for programs. Follows the catalog while others import into it.

    Ends by Ctrl-C or SIGTERM; answers under way are finished.
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    settings = context.settings(server=given) if given else context.settings()
    config = server_config(settings)
    if config.token is None and not _is_loopback(settings.server.host):
        click.echo(
            f"warning: no token is needed: everybody who reaches {settings.server.host} may search, edit and delete "
            "the catalog, and have this server fetch photos",
            err=True,
        )
    log_to_stderr()
    with open_services(settings) as services:
        searcher = services.searchers.current
        searcher.warm()
        items = searcher.stats().items
        app = create_app(services, config)

        def announce(root: str) -> None:
            page = f"{_reachable(root)}/"
            click.echo(f"serving {items} items on {root} (Ctrl-C stops)")
            click.echo(f"open the page: {page}")
            if opens:  # on a thread: some browsers keep their caller waiting
                Thread(target=webbrowser.open, args=(page,), daemon=True).start()

        with ExitStack() as stack:
            if settings.index.maintain and settings.index.engine == "auto":
                stack.enter_context(_maintainer(settings, services.searchers))
            serve(app, host=settings.server.host, port=settings.server.port, announce=announce)
    return 0


def _maintainer(settings: Settings, searchers: Searchers) -> Child:
    """The process that keeps the index on disk, once the catalog is large enough for one."""

    def is_wanted() -> bool:
        stats = searchers.current.stats()
        return is_large(settings, stats.keys, stats.dim)

    return Child(maintainer_command(settings), is_wanted=is_wanted)


def server_config(settings: Settings) -> ServerConfig:
    """How the server is to behave, checked.

    Raises:
        ConfigurationError: an address beyond this machine without a token, a token or a host name that will not do.
    """
    server = settings.server
    token = _token(server)
    if token is None and not server.insecure and not _is_loopback(server.host):
        raise ConfigurationError(
            f"address {server.host} can be reached from other machines, and there is no token",
            remedy="write a secret of at least 16 characters into a file and give it by --token-file; or bind to "
            "127.0.0.1; or add --insecure-no-token: everybody who reaches the port may then edit the catalog",
        )
    # A name that the server is told to bind to is one that it is reached by.
    names = [*server.allowed_hosts, *([] if _is_address(server.host) else [server.host])]
    for name in names:
        if not _HOST_NAME.fullmatch(name):
            raise ConfigurationError(
                f"allowed host {name!r} is not a host name",
                remedy="give the bare name, such as shop.example or *.shop.example, without http:// and port",
            )
    return ServerConfig(
        refresh_s=server.refresh_s,
        max_body_bytes=server.max_body_bytes,
        max_pixels=settings.images.max_pixels,
        workers=server.workers,
        queue=server.queue,
        token=token,
        open_search=server.open_search,
        allowed_hosts=tuple(names),
        facets=server.facets,
        keeps_query_photos=server.query_photo_days > 0 and server.query_photos > 0,
        query_photo_days=server.query_photo_days,
    )


def _token(server: ServerSettings) -> str | None:
    """The token, from its file where one is named: a file is the closer word, and does not show in a process list."""
    if server.token_file is None:
        return None if server.token is None else server.token.get_secret_value()
    path = server.token_file
    try:
        with path.open("rb") as file:
            token = file.read(_MAX_TOKEN_FILE + 1).decode().strip()
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(
            f"token file {path} cannot be read: {reason}",
            remedy="name a text file that holds the token, and nothing else",
        ) from exc
    if not MIN_TOKEN <= len(token) <= _MAX_TOKEN_FILE or any(character.isspace() for character in token):
        raise ConfigurationError(
            f"token file {path} holds {len(token)} characters; expected one word of at least {MIN_TOKEN}",
            remedy="make one: python -c 'import secrets; print(secrets.token_urlsafe(32))' > FILE",
        )
    return token


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host == "localhost"


def _reachable(root: str) -> str:
    """Where a browser on this machine finds what is bound to ``root``: nobody can visit 0.0.0.0."""
    return root.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
