"""An answer as one HTML file: the query beside its hits. Everything from a feed is escaped."""

from __future__ import annotations

import base64
from collections.abc import Callable
from html import escape
from pathlib import Path

from nitari.catalog.base import Catalog
from nitari.types import Answer, Hit

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2rem;color:#1c1c1e;background:#fff}
h1{font-size:1.2rem;font-weight:600}main{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;width:11rem}figure img{width:100%;height:13rem;object-fit:contain;background:#f4f4f5;border-radius:8px}
figcaption b{display:block;overflow-wrap:anywhere}small{color:#6b6b70}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161618}figure img{background:#2a2a2e}small{color:#a0a0a6}}
"""
_POLICY = "default-src 'none'; img-src data: file: http: https:; style-src 'unsafe-inline'"


def contact_sheet(answer: Answer, *, title: str, photo: bytes | None, link_of: Callable[[Hit], str | None]) -> str:
    """A self-contained page without scripts.

    Args:
        answer: What to show.
        title: What was asked.
        photo: The query photo, shown first, embedded in the page.
        link_of: Where a hit's photo can be seen (``file:`` or ``http(s):`` URL), ``None`` if it cannot.
    """
    figures = [_query(photo)] if photo else []
    figures += [_figure(rank, hit, link_of(hit)) for rank, hit in enumerate(answer.hits, start=1)]
    body = "\n".join(figures) if answer.hits else "<p>Nothing looks like this.</p>"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)} - Nitari</title><style>{_STYLE}</style></head>"
        f"<body><h1>{escape(title)}</h1><main>\n{body}\n</main></body></html>\n"
    )


def locate(catalog: Catalog, hit: Hit) -> str | None:
    """Where a hit's photo can be seen: its own URL, or a ``file:`` URL inside its feed's folder."""
    if hit.image.startswith(("http://", "https://")):
        return hit.image
    stored = catalog.get(hit.item_id)
    if stored is None or stored.image_base is None:
        return None
    return Path(stored.image_base, hit.image).as_uri()


def _query(photo: bytes) -> str:
    kind = "png" if photo.startswith(b"\x89PNG") else "webp" if photo[8:12] == b"WEBP" else "jpeg"
    data = base64.b64encode(photo).decode("ascii")
    image = f'<img alt="query photo" src="data:image/{kind};base64,{data}">'
    return f"<figure>{image}<figcaption><b>query</b></figcaption></figure>"


def _figure(rank: int, hit: Hit, link: str | None) -> str:
    image = '<img alt="no photo">'
    if link is not None and link.startswith(("file:", "http:", "https:")):
        image = f'<img alt="{escape(hit.title or hit.item_id)}" loading="lazy" src="{escape(link)}">'
    return (
        f"<figure>{image}<figcaption><b>{rank}. {escape(hit.title or hit.item_id)}</b>"
        f"<small>{hit.score:.3f} · {escape(hit.item_id)}</small></figcaption></figure>"
    )
