"""From the origins' own tables to rows of a feed."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import DataError
from nitari.samples.origin import FLAT, FLAT_COLUMNS, LUMA, LUMA_COLUMNS, ORIGINS, flat_rows, luma_rows

GEAR = Path("app/code/Magento/CatalogSampleData/fixtures/SimpleProduct")
APPAREL = Path("app/code/Magento/ConfigurableSampleData/fixtures/products.csv")


def write(path: Path, text: str) -> None:
    """A table of the origin."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A shop of two pieces of gear, one without a photo, and a style in two colors and two sizes."""
    write(tmp_path / GEAR / "images_x.csv", "sku,image\n24-B1,/b/1/b1.jpg\n24-B1,/b/1/b1.jpg\n24-B1,/b/1/b1_alt1.jpg\n")
    write(
        tmp_path / GEAR / "products_x.csv",
        'category,name,sku,price,description,material\n"Gear\nBags\nNew","Bag&reg; ",24-B1,34,"<p>Big.<p>\n<li>Blue",'
        '"Nylon\nMesh"\n"Gear\nBags",No photo,24-B2,1,x,\n',
    )
    columns = "sku,product_type,categories,name,description,price,base_image,additional_images,additional_attributes"
    sizes = '"sku=H1-XS-Red,size=XS,color=Red|sku=H1-S-Red,color=Red|sku=H1-XS-Blue,color=Blue|sku=gone,color=X"'
    rows = [
        f"{columns},configurable_variations",
        'H1-XS-Red,simple,"Default Category/Men/Tops",Hood-XS-Red,d,52,/h/1/h1-red_main.jpg,,"size=XS,color=Red",',
        'H1-S-Red,simple,"Default Category/Men/Tops",Hood-S-Red,d,52,/h/1/h1-red_main.jpg,,"size=S,color=Red",',
        'H1-XS-Blue,simple,"Default Category/Men/Tops",Hood,d,52,/h/1/h1-blue_main.jpg,"/h/1/h1-blue_back.jpg",x,',
        'H1,configurable,"Default Category/Men/Tops,Default",The Hood,<b>Warm</b>,52.5,,,"material=Wool|Silk",' + sizes,
    ]
    write(tmp_path / APPAREL, "\n".join(rows) + "\n")
    return tmp_path


def test_luma_rows(tables: Path) -> None:
    """Gear is an item each, apparel an item for each style and color; markup and absent photos are gone."""
    photos = frozenset({"b1.jpg", "b1_alt1.jpg", "h1-red_main.jpg", "h1-blue_main.jpg", "h1-blue_back.jpg"})
    bag, blue, red = luma_rows(tables, photos)
    assert tuple(bag) == LUMA_COLUMNS
    assert (bag["id"], bag["item_group_id"], bag["title"], bag["description"]) == (
        "24-b1",
        "24-b1",
        "Bag®",
        "Big. Blue",
    )
    assert (bag["product_type"], bag["gender"], bag["price"]) == ("Gear > Bags", "unisex", "34.00 USD")
    assert (bag["image_link"], bag["additional_image_link"]) == ("images/b1.jpg", "images/b1_alt1.jpg")
    assert (blue["id"], blue["item_group_id"], blue["title"], blue["color"]) == (
        "h1-blue",
        "h1",
        "The Hood (Blue)",
        "blue",
    )
    assert (blue["material"], blue["price"], blue["gender"]) == ("Wool, Silk", "52.50 USD", "male")
    assert blue["link"].endswith("/the-hood")
    assert blue["additional_image_link"] == "images/h1-blue_back.jpg"
    assert (red["id"], red["product_type"]) == ("h1-red", "Men > Tops")


def test_flat_rows(tmp_path: Path) -> None:
    """Photos without a telling label, and rows without a photo, are left out."""
    lines = ["image,sender_id,label,kids", "a,1,Hat,False", "b,1,Not sure,False", "c,2,Shoes,True", "d,3,Hat,False"]
    write(tmp_path / "images.csv", "\n".join(lines))
    rows = list(flat_rows(tmp_path, frozenset({"a.jpg", "b.jpg", "c.jpg"})))
    assert tuple(rows[0]) == FLAT_COLUMNS
    assert [(row["id"], row["seller_id"], row["age_group"]) for row in rows] == [
        ("a", "1", "adult"),
        ("c", "2", "kids"),
    ]


def test_changed_tables_are_named(tmp_path: Path) -> None:
    """A table that lacks a column, or that is not there, is an error that names it."""
    with pytest.raises(DataError, match=r"images\.csv.*cannot be read"):
        list(flat_rows(tmp_path, frozenset()))
    write(tmp_path / "images.csv", "image,label\n")
    with pytest.raises(DataError, match="no column 'sender_id'"):
        list(flat_rows(tmp_path, frozenset()))


def test_origins_are_pinned() -> None:
    """Commits and digests are whole, and the addresses name the commits."""
    assert {"luma": LUMA, "flat": FLAT} == ORIGINS
    for origin in ORIGINS.values():
        assert (len(origin.commit), len(origin.digest)) == (40, 64)
        assert origin.url.endswith(origin.commit)
