"""JSON filters: parsed into a small frozen tree, with a canonical token to remember answers under.

A filter is an object whose keys are names of attributes (or ``item_id``, ``item_group_id``, ``title``), all of which
must hold::

    {"gender": "female", "price": {"gte": 10, "lt": 50}, "color": ["red", "blue"], "not": {"brand": "x"}}

- A text, number or boolean: the attribute equals it (exactly; types do not mix: ``"10"`` is not ``10``). A list
  attribute equals what any of its elements equals.
- A list: the attribute equals any of its values.
- An object of operators, all of which must hold: ``eq ne in``; ``gt gte lt lte`` (numbers with numbers, texts with
  texts by code point, so ISO dates work); ``prefix`` (exact case, for paths such as ``Apparel > Shoes``); ``contains``
  (part of the text, case ignored); ``exists`` (true or false).
- ``and`` and ``or`` with a list of filters, ``not`` with one filter.
- A leading ``@`` is taken off a name and keeps it from being read as an operator: ``{"@not": "x"}`` asks about the
  attribute ``not``, ``{"@@id": "x"}`` about ``@id``.

An attribute that an item does not have (or has as an empty list) makes every test of it false; so ``not`` of the test
is true, and so are ``ne``, which is short for ``not`` ``eq``, and ``{"exists": false}``.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from reprlib import Repr
from typing import Any, Literal, TypeAlias

from nitari.errors import FilterError

MAX_DEPTH = 8
MAX_CONDITIONS = 256
MAX_VALUES = 10_000
MAX_TEXT = 2_048

RESERVED = ("item_id", "item_group_id", "title")
"""Names that every item answers to beside its attributes."""

Scalar: TypeAlias = str | float | bool
Order: TypeAlias = Literal["gt", "gte", "lt", "lte"]

_ORDERS: tuple[Order, ...] = ("gt", "gte", "lt", "lte")
OPERATORS = ("eq", "ne", "in", *_ORDERS, "prefix", "contains", "exists")
COMBINATORS = ("and", "or", "not")
_ESCAPE = "@"
_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = 60


@dataclass(frozen=True, slots=True)
class OneOf:
    """The attribute equals one of ``values`` (at least one, no repeats, in canonical order)."""

    name: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """The attribute is of ``bound``'s type (text or number) and greater or less than it."""

    name: str
    order: Order
    bound: str | float


@dataclass(frozen=True, slots=True)
class Prefix:
    """The attribute is a text that starts with ``text``."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Contains:
    """The attribute is a text with ``text`` (casefolded) somewhere in it, whatever the case."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The item has the attribute, and not as an empty list."""

    name: str


@dataclass(frozen=True, slots=True)
class And:
    """All of ``parts``; without parts, everything."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of ``parts``, at least two."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not ``part``."""

    part: Node


Test: TypeAlias = OneOf | Compare | Prefix | Contains | Exists
Node: TypeAlias = Test | And | Or | Not

EVERYTHING = And(())


@dataclass(frozen=True, slots=True)
class Filter:
    """A parsed filter.

    Args:
        node: What must hold of an item.
        token: 32 hex digits, the same for filters that differ only in order, repeats and nesting.
    """

    node: Node
    token: str

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the filter asks about, sorted: compare them with the known attributes for a hint."""
        return tuple(sorted(set(_names(self.node))))

    def without(self, name: str) -> Filter:
        """This filter, its conditions on the attribute ``name`` set aside.

        Those are the conditions that the filter requires beside others and that ask about ``name`` and nothing else,
        in whatever form (``ne``, ``not``, or an ``or`` of two colors are such); a condition in which ``name`` is one
        of several attributes stays.
        """
        parts = self.node.parts if isinstance(self.node, And) else (self.node,)
        kept = [part for part in parts if set(_names(part)) != {name}]
        return self if len(kept) == len(parts) else _filter(_all_of(kept))


def attribute_name(name: str) -> str:
    """The attribute that is meant where it is asked for by name: without one leading ``@``, as in a filter."""
    return name.removeprefix(_ESCAPE)


def parse_filter(document: Mapping[str, Any]) -> Filter:
    """Parse a filter that came as JSON.

    Raises:
        FilterError: naming the place (``filter.price.gtr``), what was found there and what was expected.
    """
    return _filter(_Parser().filter(document, "filter", depth=1))


def narrowed(wanted: Filter | None, name: str, value: Scalar) -> Filter:
    """``wanted`` and, beside it, that the attribute ``name`` (without ``@``) equals ``value``."""
    test = OneOf(name, (value,))
    return _filter(test if wanted is None else _all_of([wanted.node, test]))


def _filter(node: Node) -> Filter:
    """A filter of a canonical node."""
    return Filter(node, hashlib.blake2b(_text(node).encode(), digest_size=16).hexdigest())


class _Parser:
    """One parse: counts conditions against the cap."""

    def __init__(self) -> None:
        self._conditions = 0

    def filter(self, found: object, path: str, *, depth: int) -> Node:
        """A filter object: all of its entries."""
        if not isinstance(found, Mapping):
            raise _wrong(path, found, 'a filter object such as {"color": "red"}')
        if depth > MAX_DEPTH:
            raise FilterError(
                f"{path} is nested {depth} deep, more than the {MAX_DEPTH} levels that are allowed",
                remedy="flatten it: entries of one object are all required, so an inner 'and' is rarely needed",
            )
        self._count(path)
        return _all_of(self._entry(name, value, path, depth) for name, value in found.items())

    def _entry(self, name: object, value: object, path: str, depth: int) -> Node:
        """One entry of a filter object: a combinator or a name."""
        if not isinstance(name, str) or not name or len(name) > MAX_TEXT:
            raise FilterError(f"{path} has the name {str(name)[:80]!r}; names are texts of 1-{MAX_TEXT} characters")
        here = _step(path, name)
        if name == "not":
            return _negated(self.filter(value, here, depth=depth + 1))
        if name in ("and", "or"):
            if not isinstance(value, list | tuple) or not value:
                raise _wrong(here, value, "a list of at least one filter object")
            parts = [self.filter(part, f"{here}[{at}]", depth=depth + 1) for at, part in enumerate(value)]
            return _all_of(parts) if name == "and" else _any_of(parts)
        if name in OPERATORS:
            raise FilterError(
                f"{here}: {name!r} is an operator, but stands where the name of an attribute is expected",
                remedy=f'write {{"price": {{"{name}": ...}}}}, or "{_ESCAPE}{name}" for an attribute of that name',
            )
        return self._attribute(attribute_name(name), value, here)

    def _attribute(self, name: str, value: object, path: str) -> Node:
        """What is asked about one attribute: a value, a list of values, or operators."""
        if isinstance(value, Mapping):
            if not value:
                raise _wrong(path, value, f"at least one operator of {', '.join(OPERATORS)}")
            return _all_of(self._operation(name, operator, operand, path) for operator, operand in value.items())
        self._count(path)
        if isinstance(value, list | tuple):
            return OneOf(name, _values(value, path))
        return OneOf(name, (_scalar(value, path),))

    def _operation(self, name: str, operator: object, operand: object, path: str) -> Node:
        """One operator with its operand."""
        here = _step(path, str(operator))
        self._count(here)
        if operator in ("eq", "ne"):
            node = OneOf(name, (_scalar(operand, here),))
            return node if operator == "eq" else Not(node)
        if operator == "in":
            if not isinstance(operand, list | tuple):
                raise _wrong(here, operand, "a list of values")
            return OneOf(name, _values(operand, here))
        if operator in _ORDERS:
            bound = _scalar(operand, here)
            if isinstance(bound, bool):
                raise _wrong(here, operand, "a number or a text")
            return Compare(name, operator, bound)
        if operator in ("prefix", "contains"):
            if not isinstance(operand, str):
                raise _wrong(here, operand, "a text")
            text = str(_scalar(operand, here))
            return Prefix(name, text) if operator == "prefix" else Contains(name, text.casefold())
        if operator == "exists":
            if not isinstance(operand, bool):
                raise _wrong(here, operand, "true or false")
            return Exists(name) if operand else Not(Exists(name))
        raise _unknown_operator(str(operator), here)

    def _count(self, path: str) -> None:
        """One more condition."""
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            raise FilterError(
                f"{path} is beyond the {MAX_CONDITIONS} conditions that a filter may have",
                remedy=f"use lists of values: one condition can name {MAX_VALUES} of them",
            )


def _values(found: Iterable[object], path: str) -> tuple[Scalar, ...]:
    """The values of a list, without repeats, in canonical order."""
    items = list(found)
    if not items:
        raise FilterError(
            f"{path} is an empty list, which no item can match; expected at least one value",
            remedy="leave the attribute out to allow every value",
        )
    if len(items) > MAX_VALUES:
        raise FilterError(f"{path} has {len(items)} values; at most {MAX_VALUES} are allowed")
    values = {}
    for at, item in enumerate(items):
        value = _scalar(item, f"{path}[{at}]")
        values[json.dumps(value)] = value  # 1.0, True and "1" differ as JSON, though not all of them as dict keys
    return tuple(values[text] for text in sorted(values))


def _scalar(found: object, path: str) -> Scalar:
    """A text, a boolean, or a number as float."""
    if isinstance(found, bool):
        return found
    if isinstance(found, str):
        if len(found) > MAX_TEXT:
            raise FilterError(f"{path} is a text of {len(found)} characters; at most {MAX_TEXT} are allowed")
        return found
    if isinstance(found, int | float):
        try:
            number = float(found)
        except OverflowError:  # an integer of more than 308 digits
            number = math.inf
        if not math.isfinite(number):
            raise FilterError(f"{path} is not a finite number ({number}); expected one below 1.8e308")
        return number + 0.0  # -0.0 becomes 0.0, as they are equal
    error = _wrong(path, found, "a text, number or boolean")
    if found is None:
        error.remedy = 'to find items without the attribute write {"exists": false}'
    raise error


def _all_of(parts: Iterable[Node]) -> Node:
    """``And`` in canonical form: flat, sorted, no repeats; one part stands for itself."""
    flat = _canonical(inner for part in parts for inner in (part.parts if isinstance(part, And) else (part,)))
    return flat[0] if len(flat) == 1 else And(flat)


def _any_of(parts: Iterable[Node]) -> Node:
    """``Or`` in canonical form; anything or everything is everything."""
    flat = _canonical(inner for part in parts for inner in (part.parts if isinstance(part, Or) else (part,)))
    if EVERYTHING in flat:
        return EVERYTHING
    return flat[0] if len(flat) == 1 else Or(flat)


def _negated(part: Node) -> Node:
    """``Not`` in canonical form."""
    return part.part if isinstance(part, Not) else Not(part)


def _canonical(parts: Iterable[Node]) -> tuple[Node, ...]:
    """Parts in the order of their texts, each once."""
    texts = {_text(part): part for part in parts}
    return tuple(texts[text] for text in sorted(texts))


def _text(node: Node) -> str:
    """A node as JSON: equal exactly for equal nodes."""
    return json.dumps(_plain(node), ensure_ascii=True, separators=(",", ":"))


def _plain(node: Node) -> list[Any]:
    """A node as nested lists, headed by what it is."""
    match node:
        case And(parts):
            return ["and", *map(_plain, parts)]
        case Or(parts):
            return ["or", *map(_plain, parts)]
        case Not(part):
            return ["not", _plain(part)]
        case OneOf(name, values):
            return ["in", name, *values]
        case Compare(name, order, bound):
            return [order, name, bound]
        case Prefix(name, text):
            return ["prefix", name, text]
        case Contains(name, text):
            return ["contains", name, text]
        case Exists(name):
            return ["exists", name]


def _names(node: Node) -> Iterable[str]:
    """The names below a node, with repeats."""
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _names(part)
        case Not(part):
            yield from _names(part)
        case _:
            yield node.name


def _step(path: str, name: str) -> str:
    """``path.name``, or ``path["na me"]`` where that would be hard to read."""
    short = name if len(name) <= 80 else f"{name[:77]}..."
    return f"{path}.{short}" if short.isidentifier() else f"{path}[{json.dumps(short, ensure_ascii=False)}]"


def _wrong(path: str, found: object, expected: str) -> FilterError:
    """The error for a value of the wrong kind."""
    return FilterError(f"{path} is {_described(found)}; expected {expected}")


def _described(found: object) -> str:
    """A value in JSON's words, shortened."""
    if found is None:
        return "null"
    try:
        shown = _SHORT.repr(found)
    except ValueError:  # an integer with more digits than Python prints
        shown = "beyond printing"
    if isinstance(found, Mapping):
        return f"the object {shown}"
    if isinstance(found, list | tuple):
        return f"the list {shown}"
    words = {bool: "boolean", int: "number", float: "number", str: "text"}
    return f"the {words.get(type(found), type(found).__name__)} {shown}"


def _unknown_operator(operator: str, path: str) -> FilterError:
    """The error for an operator that does not exist, with the one that was probably meant."""
    near = get_close_matches(operator.lower(), OPERATORS, n=2, cutoff=0.5)
    remedy = f"did you mean {' or '.join(near)}?" if near else ""
    if operator in COMBINATORS:
        remedy = f'put {operator!r} outside: {{"{operator}": ...}} takes whole filters'
    return FilterError(
        f"{path}: there is no operator {operator[:80]!r}; expected one of {', '.join(OPERATORS)}", remedy=remedy
    )
