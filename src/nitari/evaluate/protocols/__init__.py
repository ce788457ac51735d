"""Protocols: which photos ask, which items may answer, and what counts as right.

A protocol is made from feeds and is plain data; ``nitari.evaluate.runner`` carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from nitari.errors import UsageError
from nitari.evaluate.protocols.base import (
    CATEGORY,
    ITEM_ID,
    EvalProtocol,
    EvalQuery,
    GalleryFeed,
    Lens,
    Materials,
    Sweep,
)
from nitari.evaluate.protocols.garments import color, worn
from nitari.evaluate.protocols.general import general
from nitari.evaluate.protocols.plain import flat, luma, qrels
from nitari.evaluate.protocols.strangers import unrelated

__all__ = [
    "CATEGORY",
    "ITEM_ID",
    "PROTOCOLS",
    "EvalProtocol",
    "EvalQuery",
    "GalleryFeed",
    "Lens",
    "Materials",
    "Sweep",
    "color",
    "flat",
    "general",
    "luma",
    "make_protocol",
    "qrels",
    "unrelated",
    "worn",
]

PROTOCOLS: Mapping[str, Callable[[Path, Materials], EvalProtocol]] = {
    "luma": luma,
    "flat": flat,
    "qrels": qrels,
    "worn": worn,
    "color": color,
    "unrelated": unrelated,
    "general": general,
}


def make_protocol(name: str, folder: Path, materials: Materials) -> EvalProtocol:
    """The protocol called ``name`` over what ``folder`` holds.

    Args:
        name: One of ``PROTOCOLS``.
        folder: Where the feed is, or the feeds are.
        materials: What protocols are made with.

    Raises:
        UsageError: there is no protocol of that name.
        DataError: the folder does not hold what the protocol needs; the message says what is missing.
    """
    if name not in PROTOCOLS:
        raise UsageError(f"there is no protocol {name!r}", remedy=f"give one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name](folder, materials)
