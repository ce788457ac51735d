"""Shopify's export: which rows are one item, and what it is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.catalog.feeds.shopify import MAX_ROWS, is_shopify
from nitari.types import Item
from support.feeds import read_text

OLD = (
    "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,"
    "Variant SKU,Variant Inventory Tracker,Variant Inventory Qty,Variant Inventory Policy,Variant Price,Image Src,"
    "Image Position,Variant Image,Cost per item,Google Shopping / Gender,Fit (product.metafields.custom.fit)"
)
NEW = (
    "Title,URL handle,Description,Vendor,Type,Tags,Published on online store,Option1 name,Option1 value,Option2 name,"
    "Option2 value,SKU,Inventory tracker,Inventory quantity,Continue selling when out of stock,Price,"
    "Product image URL,Image position,Variant image URL,Cost per item,Google Shopping / Gender,"
    "Fit (product.metafields.custom.fit)"
)
TEE = (
    ("tee", "Tee", "<p>x</p>", "Acme", "Tops", '"a, b"', "TRUE", "Color", "Red", "Size", "S", "r-s", "shopify", "0",
     "deny", "20.00", "https://c/red.jpg", "1", "https://c/red.jpg", "3.00", "female", "slim; long"),
    ("tee", "", "", "", "", "", "", "", "Red", "", "M", "r-m", "shopify", "2",
     "deny", "21.00", "https://c/detail.jpg", "3", "https://c/red.jpg", "", "", ""),
    ("tee", "", "", "", "", "", "", "", "Blue", "", "S", "b-s", "shopify", "0",
     "deny", "19.00", "https://c/blue.jpg", "2", "https://c/blue.jpg", "", "", ""),
)  # fmt: skip
MUG = (
    ("mug", "Mug", "", "Acme", "Mugs", "", "TRUE", "Title", "Default Title", "", "", "m", "", "", "deny", "9.00",
     "https://c/mug-2.jpg", "2", "", "", "", ""),
    ("mug", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "", "https://c/mug-1.jpg", "1", "", "", "", ""),
)  # fmt: skip


def old(*rows: tuple[str, ...]) -> str:
    """An export with the older names."""
    return "\n".join((OLD, *(",".join(row) for row in rows), ""))


def new(*rows: tuple[str, ...]) -> str:
    """An export with the names since 2025, which has the title before the handle."""
    return "\n".join((NEW, *(",".join((row[1], row[0], *row[2:])) for row in rows), ""))


@pytest.mark.parametrize("export", [old, new])
def test_a_color_with_its_photo_is_an_item(export: type[str], tmp_path: Path) -> None:
    """Both generations of the export yield the same items: what no variant shows, and one item a color."""
    items, rejections = read_text(tmp_path, export(*TEE))
    assert rejections == []
    shared = {
        "description": "<p>x</p>", "brand": "Acme", "product_type": "Tops", "tags": ("a", "b"), "published": True,
        "gender": "female", "fit": ("slim", "long"),
    }  # fmt: skip
    assert items == [
        Item("tee", ("https://c/detail.jpg",), "Tee", "tee", {
            **shared, "color": ("Red", "Blue"), "size": ("S", "M"), "sku": ("r-s", "r-m", "b-s"), "price": 19.0,
            "availability": "in_stock",
        }),
        Item("tee:Red", ("https://c/red.jpg",), "Tee", "tee", {
            **shared, "color": "Red", "size": ("S", "M"), "sku": ("r-s", "r-m"), "price": 20.0,
            "availability": "in_stock",
        }),
        Item("tee:Blue", ("https://c/blue.jpg",), "Tee", "tee", {
            **shared, "color": "Blue", "size": "S", "sku": "b-s", "price": 19.0, "availability": "out_of_stock",
        }),
    ]  # fmt: skip


def test_a_product_without_variant_photos_is_one_item(tmp_path: Path) -> None:
    """Its photos come in the merchant's order; the default option is no attribute."""
    (item,), rejections = read_text(tmp_path, old(*MUG))
    assert item == Item(
        "mug",
        ("https://c/mug-1.jpg", "https://c/mug-2.jpg"),
        "Mug",
        "mug",
        {"brand": "Acme", "product_type": "Mugs", "published": True, "sku": "m", "price": 9.0},
    )
    assert rejections == []


def test_one_variant_photo_does_not_split_a_product(tmp_path: Path) -> None:
    """Where all variants look the same, they are one item with all its photos."""
    rows = [[*row[:18], "https://c/own.jpg", *row[19:]] for row in TEE]
    (item,), _ = read_text(tmp_path, old(*map(tuple, rows)))
    assert item.item_id == "tee"
    assert item.image_links == ("https://c/red.jpg", "https://c/blue.jpg", "https://c/detail.jpg", "https://c/own.jpg")


def test_variants_without_a_photo_are_the_products_item(tmp_path: Path) -> None:
    """They can be found by the product's first photo."""
    green = ("tee", "", "", "", "", "", "", "", "Green", "", "L", "g-l", "", "", "deny", "5.00", "", "", "", "", "", "")
    rows = (TEE[0], TEE[2], green)
    product, red, blue = read_text(tmp_path, old(*rows))[0]
    assert (product.item_id, product.image_links) == ("tee", ("https://c/red.jpg",))
    assert (product.attributes["color"], product.attributes["price"]) == ("Green", 5.0)
    assert (red.item_id, blue.item_id) == ("tee:Red", "tee:Blue")


def test_looks_that_no_option_tells_apart_go_by_their_sku(tmp_path: Path) -> None:
    """Two photos within one color still are two items with ids of their own."""
    rows = (TEE[0], (*TEE[1][:18], "https://c/other.jpg", *TEE[1][19:]))
    ids = [item.item_id for item in read_text(tmp_path, old(*rows))[0]]
    assert ids == ["tee", "tee:S", "tee:M"]
    same_size = (rows[0], (*rows[1][:10], "S", *rows[1][11:]))
    ids = [item.item_id for item in read_text(tmp_path, old(*same_size))[0]]
    assert ids == ["tee", "tee:r-s", "tee:r-m"]


def test_bad_rows_are_rejected(tmp_path: Path) -> None:
    """No photo, no handle, a bad price, a handle that comes back later, a broken row: each by itself."""
    none = ("none", "None", *[""] * 20)
    nameless = ("", "Nameless", *[""] * 20)
    cheap = (*MUG[0][:15], "cheap", *MUG[0][16:])
    text = old(none, nameless, cheap, *TEE, MUG[0]) + "ragged,row\n"
    items, rejections = read_text(tmp_path, text)
    assert [item.item_id for item in items] == ["mug", "tee", "tee:Red", "tee:Blue"]
    assert [(r.code, r.item_id, r.location) for r in rejections] == [
        ("no-id", None, "line 3"),
        ("no-image-link", "none", "line 2"),
        ("attribute", "mug", "line 4"),
        ("ragged-row", None, "line 9"),
        ("duplicate-id", "mug", "line 8"),
    ]


def test_a_row_without_a_handle_goes_on_with_the_product(tmp_path: Path) -> None:
    """Some exports name the product once."""
    rows = [MUG[0], ("", *MUG[1][1:])]
    assert len(read_text(tmp_path, old(*rows))[0][0].image_links) == 2


def test_a_product_without_end_is_cut_off(tmp_path: Path) -> None:
    """Rows of one handle are held in memory, so there is a cap, and going over it is said."""
    text = old(*MUG) + f"mug{',' * 21}\n" * MAX_ROWS
    items, rejections = read_text(tmp_path, text)
    assert [item.item_id for item in items] == ["mug"]
    assert {(r.code, r.item_id) for r in rejections} == {("row-count", None)}


@pytest.mark.parametrize(
    ("header", "yes"),
    [
        (OLD, True),
        (NEW, True),
        ("Handle,Title,Image Src", True),
        ("handle,title,image_link", False),
        ("Handle,Title,Variant SKU", False),
        ("id,title,image_link", False),
    ],
)
def test_exports_are_known_by_their_header(header: str, yes: bool) -> None:
    """Handle, title and one of Shopify's photo columns, and none of Google's."""
    assert is_shopify(header.split(",")) is yes
