"""``nitari serve``: the HTTP API over one home."""

from __future__ import annotations

import ipaddress
import socket

import click
import uvicorn

from nitari.cli.output import CommandContext
from nitari.errors import ConfigurationError
from nitari.server.app import create_app
from nitari.wiring import open_searcher


class _Server(uvicorn.Server):
    """A server that says where it is once it is bound (with port 0 nobody knows before)."""

    def __init__(self, config: uvicorn.Config, *, items: int) -> None:
        super().__init__(config)
        self._items = items

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for bound in self.servers:
            host, port = bound.sockets[0].getsockname()[:2]
            root = f"http://{f'[{host}]' if ':' in host else host}:{port}"
            click.echo(f"serving {self._items} items on {root} (Ctrl-C stops)")
            click.echo(f"try: curl -H 'Content-Type: image/jpeg' --data-binary @photo.jpg {root}/v1/search")


@click.command("serve")
@click.option("--host", help="Address to bind to (default: loopback).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port to bind to; 0 for any free one.")
@click.pass_obj
def serve_command(context: CommandContext, *, host: str | None, port: int | None) -> int:
    """Serve the catalog over HTTP: POST a photo to /v1/search. Follows the catalog while others import into it."""
    settings = context.settings()
    host = host or settings.server.host
    if not _is_loopback(host):
        raise ConfigurationError(
            f"address {host} can be reached from other machines, and there is no authentication yet",
            remedy="bind to 127.0.0.1, behind a proxy that authenticates",
        )
    with open_searcher(settings) as searcher:
        searcher.warm()
        app = create_app(searcher, refresh_s=settings.server.refresh_s, max_body_bytes=settings.server.max_body_bytes)
        config = uvicorn.Config(
            app,
            host=host,
            port=settings.server.port if port is None else port,
            log_level="warning",
            server_header=False,
        )
        _Server(config, items=searcher.stats().items).run()
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
