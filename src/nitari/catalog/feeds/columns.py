"""Columns to items: what a feed's columns mean, by Google Merchant Center's names.

Names are read without regard to case; spaces, hyphens and other punctuation count as underscores, ``imageLink`` as
``image_link``, and a ``g:`` prefix is dropped. Where a column is missing, these stand in for it, first one first:

==========================  =========================================================================================
``id``                      ``item_id``, ``offer_id``, ``product_id``, ``sku`` (two of them: an error, not a guess)
``item_group_id``           ``group_id``, ``item_group``
``title``                   ``name``, ``product_name``, ``product_title``
``image_link``              ``image_url``, ``image_src``, ``image_path``, ``image``, ``main_image``, ``photo_url``,
                            ``photo``, ``picture_url``, ``picture``, ``image_links``, ``image_urls``, ``images``
``additional_image_link``   ``additional_image_links``, ``additional_image_urls``, ``additional_images``,
                            ``image_links``, ``image_urls``, ``images``
``color``                   ``colour``
==========================  =========================================================================================

Every other column becomes an attribute:

- Prices (``price``, ``sale_price``, ...) are numbers, with the currency beside them: ``price_currency``.
- Counts and ratings (``quantity``, ``rating``, ...) are numbers; ``adult``, ``is_bundle``, ``published`` booleans.
- Identifiers and words (``gtin``, ``mpn``, ``brand``, ``size``, ``google_product_category``, ``custom_label_0``, all
  that end in ``_id``, ``_code``, ``_number``, ``_no``) are text, whatever they look like.
- Links to pages (``link``, ``mobile_link``, ``canonical_link``, ``ads_redirect``) are ``http(s)`` URLs.
- HTML entities in ``title`` and ``description`` of text formats (``Tee&trade;``) are the characters they stand for.
- ``color`` with slashes (``Red/Blue``) is a list, as Google reads it.
- Unknown columns: see ``values.open_value``. Objects (``{"w": 3}``) become columns of their own (``dims_w``).
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache

from nitari.catalog.feeds.records import RawValue, Record, safe, shown
from nitari.catalog.feeds.values import (
    BadValueError,
    boolean,
    is_empty,
    json_list,
    number,
    open_value,
    price,
    scalar_text,
    texts,
)
from nitari.errors import FeedError
from nitari.types import MAX_ID_LENGTH, AttributeValue, Item, Rejection, is_printable_id

MAX_ATTRIBUTES = 256
MAX_NAME = 128
MAX_TITLE = 4_096
MAX_LINK = 4_096
MAX_LINKS = 1_000

ID, GROUP, TITLE = "id", "item_group_id", "title"
IMAGE, MORE_IMAGES = "image_link", "additional_image_link"
_LISTS_OF_IMAGES = ("image_links", "image_urls", "images")
_IDS = ("item_id", "offer_id", "product_id", "sku")
_STAND_INS: dict[str, tuple[str, ...]] = {
    GROUP: ("group_id", "item_group"),
    TITLE: ("name", "product_name", "product_title"),
    IMAGE: (
        "image_url", "image_src", "image_path", "image", "main_image", "photo_url", "photo", "picture_url", "picture",
        *_LISTS_OF_IMAGES,
    ),
    MORE_IMAGES: (
        "additional_image_links", "additional_image_urls", "additional_images", *_LISTS_OF_IMAGES,
    ),
    "color": ("colour",),
}  # fmt: skip
_PRICES = frozenset({
    "price", "sale_price", "compare_at_price", "list_price", "regular_price", "original_price",
    "maximum_retail_price", "auto_pricing_min_price", "cost_of_goods_sold", "msrp", "price_max",
})  # fmt: skip
_NUMBERS = frozenset({
    "quantity", "stock", "stock_quantity", "inventory_quantity", "sell_on_google_quantity", "rating",
    "average_rating", "review_count", "rating_count", "multipack", "min_handling_time", "max_handling_time",
})  # fmt: skip
_BOOLEANS = frozenset({"adult", "is_bundle", "identifier_exists", "published"})
_WORDS = frozenset({
    "description", "product_type", "google_product_category", "brand",
    "gtin", "mpn", "ean", "upc", "isbn", "jan", "barcode", "sku", "condition", "availability", "gender", "age_group",
    "color", "material", "pattern", "size", "size_system", "size_type", "model", "style", "season", "handle",
    "postal", "zip", "phone", "price_currency", "currency",
})  # fmt: skip
# What a page may offer for clicking: nothing but http(s) may get there, `javascript:` least of all.
_PAGE_LINKS = frozenset({"link", "mobile_link", "canonical_link", "ads_redirect"})
_PAGE_LINK = re.compile(r"https?://[^\s/?#]\S*", re.IGNORECASE)
# Shops write these two in an editor of web pages, and many export them as they stand there.
_FROM_HTML = frozenset({TITLE, "description"})
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,31});", re.IGNORECASE)
_WORD_ENDINGS = re.compile(r".*_(?:id|code|number|no|currency|label_\d)")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOT_WORD = re.compile(r"\W+")
_STRAY = "\ufeff\u200b\u200e\u200f\u2060"
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NEXT_URL = re.compile(r",(?=\s*https?://)", re.IGNORECASE)
_UNPRINTABLE_LINK = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class Kind(Enum):
    """What a column's values are."""

    PRICE = "price"
    NUMBER = "number"
    BOOLEAN = "boolean"
    COLORS = "colors"
    WORD = "word"
    PAGE_LINK = "page_link"
    OPEN = "open"


@lru_cache(maxsize=4096)
def column_name(raw: str) -> str:
    """A column's name as Nitari writes it: lower case, underscores, no ``g:``."""
    name = unicodedata.normalize("NFKC", raw).strip().strip(_STRAY)
    if name[:2].lower() == "g:":
        name = name[2:]
    return _NOT_WORD.sub("_", _CAMEL.sub("_", name)).strip("_").casefold()


@lru_cache(maxsize=4096)
def kind_of(name: str) -> Kind:
    """What the values of the column of this (normalized) name are."""
    if name in _PRICES:
        return Kind.PRICE
    if name in _NUMBERS:
        return Kind.NUMBER
    if name in _BOOLEANS:
        return Kind.BOOLEAN
    if name == "color":
        return Kind.COLORS
    if name in _PAGE_LINKS:
        return Kind.PAGE_LINK
    if name in _WORDS or _WORD_ENDINGS.fullmatch(name):
        return Kind.WORD
    return Kind.OPEN


@dataclass(frozen=True, slots=True)
class Layout:
    """What the columns of a row mean.

    Args:
        names: For each raw column its name in Nitari, stand-ins replaced; empty for a column without a name.
        rival_ids: Columns that could each be the id; empty where there is no doubt.
    """

    names: tuple[str, ...]
    rival_ids: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def layout(raw: tuple[str, ...]) -> Layout:
    """What these columns mean."""
    names = [column_name(name) for name in raw]
    rivals: tuple[str, ...] = ()
    if ID not in names:
        found = tuple(name for name in _IDS if name in names)
        if len(found) == 1:
            names[names.index(found[0])] = ID
        else:
            rivals = found
    for wanted, stand_ins in _STAND_INS.items():
        if wanted not in names:
            stand_in = next((name for name in stand_ins if name in names), None)
            names = [wanted if name == stand_in else name for name in names]
    return Layout(tuple(names), rivals)


def check_header(raw: Sequence[str], feed: str) -> None:
    """See that a table has the columns that every item needs.

    Raises:
        FeedError: names what is missing, what was found, and what comes close.
    """
    meant = layout(tuple(raw))
    found = ", ".join(shown(name) for name in raw[:20]) + (f" and {len(raw) - 20} more" if len(raw) > 20 else "")
    if meant.rival_ids:
        raise FeedError(
            f"{feed} has no column 'id', and {' and '.join(meant.rival_ids)} could each be it",
            remedy="rename the column that identifies an item to id",
            code="header",
        )
    for single in (ID, GROUP, TITLE):
        if meant.names.count(single) > 1:
            raise FeedError(
                f"{feed} has {meant.names.count(single)} columns for {single!r}; columns found: {found}",
                remedy="leave one of them",
                code="header",
            )
    missing = [name for name in (ID, IMAGE) if name not in meant.names]
    if not missing:
        return
    known = {name: name for name in meant.names if name}
    close = [(name, get_close_matches(name, known, n=1, cutoff=0.6)) for name in missing]
    hints = [f"rename {match[0]} to {name}" for name, match in close if match]
    wanted = " and ".join(repr(name) for name in missing)
    none_known = not any(name in (ID, GROUP, TITLE, IMAGE, MORE_IMAGES) for name in meant.names)
    raise FeedError(
        f"{feed} has no column {wanted}; "
        + (f"its first row, taken for the header, is: {found}" if none_known else f"columns found: {found}"),
        remedy="; ".join(hints)
        or "name the columns, at least id and image_link (in a query: select img as image_link)",
        code="header",
    )


def to_item(record: Record, location: str) -> tuple[Item | None, list[Rejection]]:
    """A raw row as an item, and what is wrong with it.

    A row without a usable id or photo link is no item. A bad optional value is left out of the item and reported.

    Args:
        record: The row.
        location: Where it stands, for the rejections.
    """
    row = _Row(location)
    meant = layout(record.names)
    cells = _gather(meant.names, record.values)
    if not record.typed:
        cells.update({name: _without_entities(cells[name]) for name in _FROM_HTML & cells.keys()})
    try:
        row.item_id = _identifier(cells.pop(ID, None), ID, meant.rival_ids)
    except BadValueError as bad:
        row.reject(bad, ID)
        return None, row.problems
    links = _links(row, cells.pop(IMAGE, None), cells.pop(MORE_IMAGES, None), typed=record.typed)
    if not links:
        if not row.problems:
            row.reject(_NO_LINK, IMAGE)
        return None, row.problems
    group_id = title = ""
    try:
        group_id = _identifier(cells.pop(GROUP), GROUP) if GROUP in cells else ""
    except BadValueError as bad:
        row.reject(bad, GROUP)
    try:
        title = _title(cells.pop(TITLE, None))
    except BadValueError as bad:
        row.reject(bad, TITLE)
    attributes = _attributes(row, cells, typed=record.typed)
    return Item(row.item_id, links, title, group_id, attributes), row.problems


class _Row:
    """What is known of a row while it is read, and what was found wrong with it."""

    def __init__(self, location: str) -> None:
        self.location = location
        self.item_id: str | None = None
        self.problems: list[Rejection] = []

    def reject(self, bad: BadValueError, column: str, link: str | None = None) -> None:
        """Note that a column's value is not used."""
        self.problems.append(
            Rejection(
                bad.code,
                f"{safe(column)} holds {bad.found}; expected {bad.expected}",
                bad.remedy,
                item_id=self.item_id,
                image_link=None if link is None else safe(link),
                location=self.location,
            )
        )


_NO_LINK = BadValueError(
    "nothing", "the path or URL of a photo", "give each item at least one photo in image_link", "no-image-link"
)


def _gather(names: Sequence[str], values: Sequence[RawValue]) -> dict[str, RawValue]:
    """Cells by name: empty ones left out, repeated ones joined to a list, objects spread into columns."""
    cells: dict[str, RawValue] = {}
    for name, value in zip(names, values, strict=False):
        if not name or is_empty(value):
            continue
        if isinstance(value, dict) and kind_of(name) is not Kind.PRICE:
            for key, part in value.items():
                _collect(cells, column_name(f"{name}_{key}"), part)
        else:
            _collect(cells, name, value)
    return cells


def _collect(cells: dict[str, RawValue], name: str, value: RawValue) -> None:
    """Add a cell; a second one of the same name makes a list."""
    if is_empty(value):
        return
    if name not in cells:
        cells[name] = value
        return
    before = cells[name]
    cells[name] = [
        *(before if isinstance(before, list) else [before]),
        *(value if isinstance(value, (list, tuple)) else [value]),
    ]


def _without_entities(value: RawValue) -> RawValue:
    """A text whose characters are written out: ``&trade;`` is the sign. Nothing ever reads it as HTML."""
    if not isinstance(value, str) or "&" not in value:
        return value
    return _ENTITY.sub(lambda found: html.unescape(found[0]), value)


def _identifier(value: RawValue, column: str, rivals: tuple[str, ...] = ()) -> str:
    """An id, exact but for surrounding space.

    Raises:
        BadValueError: none, several, or one that an item cannot have.
    """
    remedy = f"give each item one {column} of 1-{MAX_ID_LENGTH} printable characters"
    if value is None and rivals:
        raise BadValueError(
            f"nothing, while {' and '.join(rivals)} could each be it", "one id", "name one of them id", "no-id"
        )
    if value is None:
        raise BadValueError("nothing", "the item's id", remedy, "no-id")
    if isinstance(value, list):
        distinct = list(dict.fromkeys(value)) if all(isinstance(entry, (str, int)) for entry in value) else value
        if len(distinct) != 1:
            raise BadValueError(f"{len(value)} values", "one", remedy, "item-id")
        value = distinct[0]
    if isinstance(value, bool):
        raise BadValueError(shown(value), "text or a whole number", remedy, "item-id")
    text = value.strip().strip(_STRAY).strip() if isinstance(value, str) else scalar_text(value)
    if not text:
        raise BadValueError("nothing", "the item's id", remedy, "no-id")
    if len(text) > MAX_ID_LENGTH:
        raise BadValueError(f"{shown(text)} ({len(text)} characters)", f"at most {MAX_ID_LENGTH}", remedy, "item-id")
    if not is_printable_id(text):
        raise BadValueError(shown(text), "printable characters only", remedy, "item-id")
    return text


def _title(value: RawValue) -> str:
    """A title on one line; the first one where there are several."""
    if isinstance(value, (list, tuple)):
        value = value[0]
    if is_empty(value):
        return ""
    text = " ".join(scalar_text(value).split("\n"))
    if len(text) > MAX_TITLE:
        raise BadValueError(f"a text of {len(text)} characters", f"at most {MAX_TITLE}", "shorten it")
    return text


def _links(row: _Row, main: RawValue, more: RawValue, *, typed: bool) -> tuple[str, ...]:
    """The links of an item's photos, main first, without repeats; bad ones are reported."""
    raw = [main] if isinstance(main, str) else list(_entries(main, typed=typed))
    raw += _entries(more, typed=typed)
    good: dict[str, None] = {}
    for value in raw:
        if is_empty(value):
            continue
        try:
            good[_link(value)] = None
        except BadValueError as bad:
            row.reject(bad, IMAGE, link=value[:MAX_LINK] if isinstance(value, str) else None)
    if len(good) > MAX_LINKS:
        row.reject(
            BadValueError(f"{len(good)} photos", f"at most {MAX_LINKS}", "leave some out", "image-link"), MORE_IMAGES
        )
        return tuple(good)[:1]
    return tuple(good)


def _entries(value: RawValue, *, typed: bool) -> list[RawValue]:
    """The links in a cell: a list, or text with commas between them. A comma inside one is written ``%2C``.

    Between URLs only a comma that another URL follows separates, since image services put commas into their URLs.
    """
    if value is None:
        return []
    if isinstance(value, (list, tuple)):
        return [entry for part in value for entry in (_entries(part, typed=typed) if not typed else [part])]
    if not isinstance(value, str):
        return [value]
    if (spelled := json_list(value.strip())) is not None:
        return spelled
    if _URL.match(value.strip()):
        return list(_NEXT_URL.split(value))
    parts = (part.strip() for part in value.split(","))
    return [part if _URL.match(part) else re.sub("%2c", ",", part, flags=re.IGNORECASE) for part in parts]


def _link(value: RawValue) -> str:
    """A link: a URL as it is, or a path with ``/`` between folders."""
    if not isinstance(value, str):
        raise BadValueError(shown(value), "the path or URL of a photo", "write links as text", "image-link")
    text = value.strip()
    if _UNPRINTABLE_LINK.search(text):
        raise BadValueError(shown(text), "a link without control characters", "correct the link", "image-link")
    if len(text) > MAX_LINK:
        raise BadValueError(f"a link of {len(text)} characters", f"at most {MAX_LINK}", "shorten it", "image-link")
    return text if _URL.match(text) else text.replace("\\", "/")


def _attributes(row: _Row, cells: dict[str, RawValue], *, typed: bool) -> dict[str, AttributeValue]:
    """All other columns, typed; bad ones are reported."""
    attributes: dict[str, AttributeValue] = {}
    if len(cells) > MAX_ATTRIBUTES:
        row.reject(BadValueError(f"{len(cells)} attributes", f"at most {MAX_ATTRIBUTES}", "leave some out"), "the row")
        return attributes
    for name, value in cells.items():
        try:
            if len(name) > MAX_NAME:
                raise BadValueError(
                    "a column whose name is too long", f"at most {MAX_NAME} characters", "rename the column"
                )
            if kind_of(name) is Kind.PRICE:
                attributes[name], currency = price(_only(value))
                if currency and f"{name}_currency" not in cells:
                    attributes[f"{name}_currency"] = currency
            else:
                converted = _value(name, value, typed=typed)
                if converted not in ("", ()):
                    attributes[name] = converted
        except BadValueError as bad:
            row.reject(bad, shown(name) if len(name) > MAX_NAME else name)
    return attributes


def _value(name: str, value: RawValue, *, typed: bool) -> AttributeValue:
    """One attribute of a column that is not a price."""
    kind = kind_of(name)
    if kind is Kind.NUMBER:
        return number(_only(value))
    if kind is Kind.BOOLEAN:
        return boolean(_only(value))
    if kind is Kind.PAGE_LINK:
        return _page_link(_only(value))
    if isinstance(value, str) and not typed and (spelled := json_list(value.strip())) is not None:
        return texts(spelled)
    if isinstance(value, (list, tuple)):
        return texts(value)
    if kind is Kind.OPEN:
        return open_value(value, typed=typed)
    text = scalar_text(value)
    if kind is Kind.COLORS and "/" in text:
        colors = tuple(part.strip() for part in text.split("/"))
        if all(len(color) > 1 for color in colors):  # "n/a" is no list of colors
            return colors
    return text


def _page_link(value: RawValue) -> str:
    """A link to a page, percent-encoded where it has spaces.

    Raises:
        BadValueError: anything but an ``http(s)`` URL.
    """
    text = scalar_text(value).replace(" ", "%20")
    if not _PAGE_LINK.fullmatch(text):
        raise BadValueError(shown(text), "an http or https URL", "write the page's whole URL, or leave it out", "link")
    return text


def _only(value: RawValue) -> RawValue:
    """The one value of a column that takes one.

    Raises:
        BadValueError: a list of several.
    """
    if isinstance(value, (list, tuple)):
        if len(value) != 1:
            raise BadValueError(f"{len(value)} values", "one", "leave one of them")
        return value[0]
    return value
