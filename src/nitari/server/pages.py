"""The page and its files, as the package brings them: read once, sent from memory.

Nothing of a request becomes a path: it is looked up among the names that were read at the start, or is not there.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response

from nitari.server import problems
from nitari.server.security.headers import PAGE_CSP

WEB = Path(__file__).parent / "web"
PAGE = "index.html"
ICON = "icons/icon.svg"

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_INCOMPRESSIBLE = {".ico", ".jpg", ".png", ".woff2"}
# A newer Nitari brings newer files under the same names: browsers keep them, and ask each time whether they still hold.
_CACHING = "no-cache"


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page.

    Args:
        kind: Its media type.
        data: Its bytes.
        packed: The same by gzip, where that is shorter.
    """

    kind: str
    data: bytes
    packed: bytes | None

    @classmethod
    def of(cls, path: Path) -> Asset:
        """The file at ``path``."""
        data = path.read_bytes()
        packed = None if path.suffix in _INCOMPRESSIBLE else gzip.compress(data, mtime=0)
        kind = _TYPES.get(path.suffix, "application/octet-stream")
        return cls(kind, data, packed if packed and len(packed) < len(data) else None)


def read_assets(folder: Path) -> Mapping[str, Asset]:
    """All files under a folder, by their paths in it, with slashes; hidden ones and Python's left out."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        hidden = any(part.startswith((".", "__")) for part in name.parts)
        if path.is_file() and not hidden and path.suffix != ".py":
            found[name.as_posix()] = Asset.of(path)
    return found


def router(folder: Path = WEB) -> APIRouter:
    """``/``, ``/assets/...`` and the icon that browsers ask for unasked."""
    assets = read_assets(folder)
    tags = {name: _tags(asset) for name, asset in assets.items()}
    routes = APIRouter(include_in_schema=False)

    def answer(request: Request, name: str) -> Response:
        asset = assets.get(name)
        if asset is None:
            return problems.problem(
                HTTPStatus.NOT_FOUND, detail=f"the page has no file {name[:200]!r}", code="not-found"
            )
        packed = asset.packed if "gzip" in request.headers.get("accept-encoding", "") else None
        headers = {"ETag": tags[name][packed is not None], "Cache-Control": _CACHING, "Vary": "Accept-Encoding"}
        if name.endswith(".html"):
            headers["Content-Security-Policy"] = PAGE_CSP
        if is_known(request.headers.get("if-none-match"), headers["ETag"]):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        if packed is not None:
            headers["Content-Encoding"] = "gzip"
        return Response(packed or asset.data, media_type=asset.kind, headers=headers)

    async def page(request: Request) -> Response:
        return answer(request, PAGE)

    async def asset(request: Request) -> Response:
        return answer(request, request.path_params["path"])

    async def icon(request: Request) -> Response:
        return answer(request, ICON) if ICON in assets else Response(status_code=HTTPStatus.NO_CONTENT)

    for path, endpoint in (("/", page), ("/assets/{path:path}", asset), ("/favicon.ico", icon)):
        routes.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_class=Response)
    return routes


def is_known(given: str | None, tag: str) -> bool:
    """Whether an ``If-None-Match`` header names an entity tag, or any (``*``)."""
    if given is None:
        return False
    known = {one.strip().removeprefix("W/") for one in given.split(",")}
    return "*" in known or tag in known


def _tags(asset: Asset) -> tuple[str, str]:
    """Strong entity tags: of the file as it is, and by gzip."""
    digest = sha256(asset.data).hexdigest()[:32]
    return f'"{digest}"', f'"{digest}-gzip"'
