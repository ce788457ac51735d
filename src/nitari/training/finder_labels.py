"""Which product types are which labels of the region finder: data, in ``garments.toml`` or a file of the user's."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nitari.errors import UsageError

BUILT_IN = Path(__file__).with_name("garments.toml")
_WORN = ("", "upper", "lower")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a product type is to the finder.

    Args:
        label: Number of the label.
        worn: ``upper`` or ``lower`` where its photos may show somebody wearing it, else empty.
    """

    label: int
    worn: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels, and the rules that lead to them.

    Args:
        names: In the order of their numbers.
        shoes: The number of shoes.
        below: The numbers of what may be worn below a top.
        rules: By the last parts of a product type, lower case.
    """

    names: tuple[str, ...]
    shoes: int
    below: tuple[int, ...]
    rules: Mapping[tuple[str, ...], Kind]

    def of(self, product_type: str) -> Kind | None:
        """What a product type is; ``None`` where no rule matches."""
        parts = _parts(product_type)
        for start in range(len(parts)):
            if (kind := self.rules.get(parts[start:])) is not None:
                return kind
        return None


def read_labels(path: Path = BUILT_IN) -> Labels:
    """Read and check such a file.

    Raises:
        UsageError: naming the file, what was found and what was expected.
    """
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise UsageError(f"the labels {path} cannot be read: {exc}", remedy="give a TOML file") from exc
    names = values.get("labels")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise _wrong(path, "labels", names, "a list of words")
    if len(set(names)) != len(names):
        raise _wrong(path, "labels", names, "no word twice")
    if values.get("shoes") not in names:
        raise _wrong(path, "shoes", values.get("shoes"), "one of labels")
    below = values.get("below")
    if not isinstance(below, list) or not below or not set(map(str, below)) <= set(names):
        raise _wrong(path, "below", below, "a list of some of labels")
    types = values.get("types")
    if not isinstance(types, dict) or not types:
        raise _wrong(path, "types", types, "a table of product types")
    rules = {_parts(name): _kind(path, name, rule, names) for name, rule in types.items()}
    return Labels(tuple(names), names.index(values["shoes"]), tuple(names.index(name) for name in below), rules)


def _kind(path: Path, name: str, rule: Any, names: list[str]) -> Kind:
    if not isinstance(rule, dict) or rule.get("label") not in names:
        raise _wrong(path, f"types.{name!r}", rule, "{ label = ... } with one of labels")
    if rule.get("worn", "") not in _WORN or set(rule) - {"label", "worn"}:
        raise _wrong(path, f"types.{name!r}", rule, "nothing but label, and worn = upper or lower")
    return Kind(names.index(rule["label"]), rule.get("worn", ""))


def _parts(product_type: str) -> tuple[str, ...]:
    return tuple(part.strip().casefold() for part in product_type.split(">"))


def _wrong(path: Path, key: str, found: object, expected: str) -> UsageError:
    return UsageError(f"the labels {path}: {key} is {found!r}, expected {expected}", remedy=f"correct {key} there")
