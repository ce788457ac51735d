"""Nitari: visual product search. A photo in, the products that look alike out.

The names below are the public API. They are loaded on first use, so that ``import nitari`` stays cheap and needs
neither a model runtime nor a database driver.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "Answer": "nitari.types",
    "Box": "nitari.types",
    "Client": "nitari.client",
    "Hit": "nitari.types",
    "Item": "nitari.types",
    "NitariError": "nitari.errors",
    "Query": "nitari.search.query",
    "Settings": "nitari.settings",
    "open_ingester": "nitari.wiring",
    "open_searcher": "nitari.wiring",
}

__all__ = [
    "Answer",
    "Box",
    "Client",
    "Hit",
    "Item",
    "NitariError",
    "Query",
    "Settings",
    "__version__",
    "open_ingester",
    "open_searcher",
]

if TYPE_CHECKING:
    from nitari.client import Client
    from nitari.errors import NitariError
    from nitari.search.query import Query
    from nitari.settings import Settings
    from nitari.types import Answer, Box, Hit, Item
    from nitari.wiring import open_ingester, open_searcher


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for (PEP 562)."""
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'nitari' has no attribute {name!r}")
