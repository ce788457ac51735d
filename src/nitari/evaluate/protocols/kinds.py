"""What garments of one catalog are called in another: a file, so that whoever disagrees can read and change it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from nitari.errors import DataError
from nitari.evaluate.protocols.base import category_of
from nitari.types import Item

FILE_NAME = "worn_types.toml"
COLOR = "color"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of garment under its names in both catalogs.

    Args:
        name: Its names in the flat catalog, joined.
        worn: Last parts of ``product_type`` in the worn one.
        flat: The ``product_type`` in the flat one.
        except_title: A word; worn items with it in their title are something else.
    """

    name: str
    worn: frozenset[str]
    flat: frozenset[str]
    except_title: str = ""


@dataclass(frozen=True, slots=True)
class Kinds:
    """All kinds, and the folders of the two catalogs.

    Args:
        worn: Folder of the catalog of worn photos.
        flat: Folder of that of flat ones.
        kinds: The kinds.
        colors: Colors that count as another.
    """

    worn: str
    flat: str
    kinds: tuple[Kind, ...]
    colors: Mapping[str, str]

    def of_worn(self, item: Item) -> str:
        """The kind of an item of the worn catalog, by its last category; empty for none of these."""
        last = category_of(item).rsplit(" > ", 1)[-1]
        for kind in self.kinds:
            if last in kind.worn:
                exception = kind.except_title and re.search(rf"\b{re.escape(kind.except_title)}\b", item.title)
                return "" if exception else kind.name
        return ""

    def of_flat(self, item: Item) -> str:
        """The kind of an item of the flat catalog; empty for none of these."""
        category = category_of(item)
        return next((kind.name for kind in self.kinds if category in kind.flat), "")

    def color_of(self, item: Item) -> frozenset[str]:
        """An item's colors as shoppers call them; a feed may give several, as a list or with ``/`` between."""
        value = item.attributes.get(COLOR, "")
        named = value if isinstance(value, tuple) else str(value).split("/")
        colors = {color.strip().lower() for color in named} - {""}
        return frozenset(self.colors.get(color, color) for color in colors)


def read_kinds(folder: Path) -> Kinds:
    """The kinds that ``worn_types.toml`` in the folder names or, without it, those of the two sample catalogs.

    Raises:
        DataError: a file that cannot be read; the message names it and says why.
    """
    own = folder / FILE_NAME
    return read_kinds_file(own if own.is_file() else files("nitari.evaluate") / "data" / FILE_NAME)


def read_kinds_file(source: Path | Traversable) -> Kinds:
    """The kinds that a file names.

    Raises:
        DataError: a file that cannot be read; the message names it and says why.
    """
    try:
        return _kinds(tomllib.loads(source.read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValueError, KeyError, TypeError) as exc:
        raise DataError(
            f"{source} cannot be used: {exc}",
            remedy="write it as src/nitari/evaluate/data/worn_types.toml is written, or take it away",
            code="worn-types",
        ) from exc


def _kinds(told: Mapping[str, Any]) -> Kinds:
    """The content of a file.

    Raises:
        ValueError: of another format, or with a name of the same catalog in two kinds.
        KeyError, TypeError: something is missing, or is no list of texts.
    """
    if told.get("format") != FORMAT:
        raise ValueError(f"its format is {told.get('format')!r}, expected {FORMAT}")
    kinds = tuple(
        Kind(
            "/".join(entry["flat"]),
            frozenset(map(str, entry["worn"])),
            frozenset(map(str, entry["flat"])),
            str(entry.get("except_title", "")),
        )
        for entry in told["types"]
    )
    for side in ("worn", "flat"):
        names = [name for kind in kinds for name in getattr(kind, side)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"{side} type {twice[0]!r} stands in two kinds")
    catalogs = told["catalogs"]
    colors = {str(name).lower(): str(color).lower() for name, color in told.get("colors", {}).items()}
    return Kinds(str(catalogs["worn"]), str(catalogs["flat"]), kinds, colors)
