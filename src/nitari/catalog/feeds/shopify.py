"""Shopify's product export: several rows a product, grouped by handle into items that look alike.

The export has one row a variant and one a further photo. What a shopper sees as one thing, a color with its photo, is
neither, so:

- Variants that share a photo of their own (``Variant Image``) are one item, ``HANDLE:RED``, named by the options that
  tell it from the others; its attributes hold what its variants have (``size`` then lists all sizes).
- Photos of the product that are no variant's, and variants without a photo, are the item ``HANDLE``.
- A product whose variants have fewer than two photos between them is the one item ``HANDLE``.
- All items of a product are one group, ``HANDLE``.

Columns become Merchant Center's (``Vendor`` is ``brand``, ``Type`` is ``product_type``); ``price`` is the lowest of an
item's variants; ``availability`` follows the stock. Options and metafields become attributes of their own name. What
concerns only stock-keeping, tax and shipping is left out, and so is ``Cost per item``, which is nobody's business.
Both the older names (``Handle``, ``Image Src``) and those since 2025 (``URL handle``, ``Product image URL``) are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from nitari.catalog.feeds.columns import GROUP, ID, IMAGE, MORE_IMAGES, TITLE, column_name
from nitari.catalog.feeds.records import RawValue, Record
from nitari.catalog.feeds.tabular import Row, TableReader
from nitari.catalog.feeds.values import BadValueError, price
from nitari.types import Rejection

MAX_ROWS = 10_000
"""Most rows of one product (Shopify allows 2,048 variants and 250 photos)."""

_PHOTO, _POSITION, _VARIANT_PHOTO = "image_src", "image_position", "variant_image"
_RENAMED = {
    "url_handle": "handle", "body_html": "description", "vendor": "brand", "type": "product_type",
    "published_on_online_store": "published", "sku": "variant_sku", "price": "variant_price",
    "compare_at_price": "variant_compare_at_price", "barcode": "variant_barcode",
    "inventory_quantity": "variant_inventory_qty", "inventory_tracker": "variant_inventory_tracker",
    "continue_selling_when_out_of_stock": "variant_inventory_policy", "product_image_url": _PHOTO,
    "variant_image_url": _VARIANT_PHOTO,
    "google_shopping_gender": "gender", "google_shopping_age_group": "age_group",
    "google_shopping_condition": "condition", "google_shopping_google_product_category": "google_product_category",
    "google_shopping_mpn": "mpn", "google_shopping_manufacturer_part_number_mpn": "mpn",
    **{f"google_shopping_custom_label_{n}": f"custom_label_{n}" for n in range(5)},
}  # fmt: skip
_LEFT_OUT = re.compile(
    r"cost_per_item|charge_tax|tax_code|unit_price_.*|weight_.*|requires_shipping|fulfillment_service|gift_card"
    r"|image_alt_text|variant_.*|option\d.*|google_shopping_ad.*|google_shopping_custom_product"
)
_METAFIELD = re.compile(r"(.+?)\s*\(product\.metafields\..+\)\s*", re.IGNORECASE)
_OPTIONS = (1, 2, 3)


def is_shopify(header: Sequence[str]) -> bool:
    """Whether these are the columns of Shopify's product export."""
    names = {_RENAMED.get(column_name(name), column_name(name)) for name in header}
    return {"handle", "title"} <= names and bool(names & {_PHOTO, _VARIANT_PHOTO}) and IMAGE not in names


@dataclass(slots=True)
class _Product:
    """The rows of one handle."""

    handle: str
    line: int
    rows: list[dict[str, str]] = field(default_factory=list)


class ShopifyReader(TableReader):
    """Reads an export of products."""

    def records(self) -> Iterator[Record | Rejection]:
        """The items."""
        names = tuple(_renamed(name) for name in self._table.header())
        for found in _products(names, self._table.rows()):
            if isinstance(found, Rejection):
                yield found
            else:
                yield from _items(found)


def _products(names: Sequence[str], rows: Iterable[Row | Rejection]) -> Iterator[_Product | Rejection]:
    """Rows gathered by handle; one that names no product, or one too many of it, is a rejection."""
    product: _Product | None = None
    for row in rows:
        if isinstance(row, Rejection):
            yield row
            continue
        cells = _cells(names, row)
        handle = cells.get("handle", "")
        if not handle and (product is None or cells.get("title")):
            yield Rejection(
                "no-id",
                "Handle holds nothing; expected the product's handle",
                "export the products from Shopify again",
                location=f"line {row.line}",
            )
        elif product is None or handle not in ("", product.handle):
            if product is not None:
                yield product
            product = _Product(handle, row.line, [cells])
        elif len(product.rows) < MAX_ROWS:
            product.rows.append(cells)
        else:
            yield Rejection(
                "row-count",
                f"product {product.handle!r} has more than {MAX_ROWS} rows",
                "split the product",
                location=f"line {row.line}",
            )
    if product is not None:
        yield product


def _renamed(raw: str) -> str:
    if match := _METAFIELD.fullmatch(raw.strip()):
        return "metafield_" + column_name(match[1])
    name = column_name(raw)
    return _RENAMED.get(name, name)


def _cells(names: Sequence[str], row: Row) -> dict[str, str]:
    """What a row holds, empty cells left out."""
    cells: dict[str, str] = {}
    for name, cell in zip(names, row.cells, strict=True):
        if name and (value := cell.strip()):
            cells.setdefault(name, value)
    return cells


def _items(product: _Product) -> Iterator[Record]:
    """The items that a product is."""
    photos = _photos(product.rows)
    variants = [row for row in product.rows if "variant_price" in row or "variant_sku" in row or "option1_value" in row]
    looks: dict[str, list[dict[str, str]]] = {}
    for variant in variants:
        looks.setdefault(variant.get(_VARIANT_PHOTO, ""), []).append(variant)
    own = [photo for photo in looks if photo]
    if len(own) < 2:
        yield _record(product, product.handle, photos + [photo for photo in own if photo not in photos], variants)
        return
    rest = [photo for photo in photos if photo not in looks]
    if rest or "" in looks:
        yield _record(product, product.handle, rest or photos[:1] or own[:1], looks.get("") or variants)
    names = _look_names({photo: looks[photo] for photo in own})
    for photo in own:
        yield _record(product, f"{product.handle}:{names[photo]}", [photo], looks[photo])


def _photos(rows: Sequence[dict[str, str]]) -> list[str]:
    """The product's photos, in the merchant's order."""
    found: dict[str, int] = {}
    for row in rows:
        if photo := row.get(_PHOTO):
            position = row.get(_POSITION, "")
            found.setdefault(photo, int(position) if position.isdecimal() else len(rows))
    return sorted(found, key=lambda photo: found[photo])


def _look_names(looks: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """For each photo, what tells its variants from the others: their color, else a SKU, else the photo's file name.

    As few options as will do, so that an item keeps its id when its last size but one is sold out.
    """
    steady = [n for n in _OPTIONS if all(len(_distinct(shown, f"option{n}_value")) == 1 for shown in looks.values())]
    for chosen in (*([n] for n in steady), steady):
        names = {
            photo: "/".join(_distinct(shown, f"option{n}_value")[0] for n in chosen) for photo, shown in looks.items()
        }
        if len(set(names.values())) == len(looks):
            return names
    return {
        photo: next(iter(_distinct(shown, "variant_sku")), PurePosixPath(urlsplit(photo).path).name)
        for photo, shown in looks.items()
    }


def _record(product: _Product, item_id: str, photos: Sequence[str], variants: Sequence[dict[str, str]]) -> Record:
    """One item, in Merchant Center's columns."""
    fields: dict[str, RawValue] = {ID: item_id, GROUP: product.handle}
    for row in product.rows:
        for name, value in row.items():
            if name not in ("handle", _PHOTO, _POSITION) and not _LEFT_OUT.fullmatch(name):
                fields.setdefault(name, value)
    if "tags" in fields:
        fields["tags"] = [tag.strip() for tag in fields["tags"].split(",")]
    for name in [name for name in fields if name.startswith("metafield_")]:
        values = [part.strip() for part in fields.pop(name).split(";")]
        fields.setdefault(name.removeprefix("metafield_"), values if len(values) > 1 else values[0])
    fields.update(_variant_fields(product, variants))
    fields[IMAGE] = photos[0] if photos else None
    fields[MORE_IMAGES] = list(photos[1:])
    fields.setdefault(TITLE, None)
    return Record(product.line, tuple(fields), tuple(fields.values()))


def _variant_fields(product: _Product, variants: Sequence[dict[str, str]]) -> dict[str, RawValue]:
    """What an item's variants have: options, codes, the lowest price, whether any is in stock."""
    fields: dict[str, RawValue] = {}
    for n in _OPTIONS:
        name = next(iter(_distinct(product.rows, f"option{n}_name")), "")
        values = [value for value in _distinct(variants, f"option{n}_value") if value != "Default Title"]
        if name and values:
            fields[column_name(name)] = values if len(values) > 1 else values[0]
    for name in ("sku", "barcode"):
        if codes := [code.lstrip("'") for code in _distinct(variants, f"variant_{name}")]:
            fields[name] = codes if len(codes) > 1 else codes[0]
    for name in ("price", "compare_at_price"):
        if prices := _distinct(variants, f"variant_{name}"):
            fields[name] = min(prices, key=_amount)
    if stock := _distinct(variants, "variant_inventory_qty"):
        sold_anyway = any(row.get("variant_inventory_policy", "").lower() in ("continue", "true") for row in variants)
        untracked = not any("variant_inventory_tracker" in row for row in variants)
        left = any(count.lstrip("-").isdecimal() and int(count) > 0 for count in stock)
        fields["availability"] = "in_stock" if left or sold_anyway or untracked else "out_of_stock"
    return fields


def _distinct(rows: Sequence[dict[str, str]], name: str) -> list[str]:
    """The values that a column has in these rows, in order."""
    return list(dict.fromkeys(row[name] for row in rows if name in row))


def _amount(text: str) -> float:
    """What a price sorts by; one that cannot be read comes first, so that it is seen and reported."""
    try:
        return price(text)[0]
    except BadValueError:
        return -1.0
