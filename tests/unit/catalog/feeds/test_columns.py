"""What columns mean: names, stand-ins, links, attributes, caps."""

from __future__ import annotations

from typing import Any

import pytest

from nitari.catalog.feeds.columns import (
    MAX_ATTRIBUTES,
    MAX_LINKS,
    MAX_NAME,
    MAX_TITLE,
    check_header,
    column_name,
    layout,
    to_item,
)
from nitari.catalog.feeds.records import Record
from nitari.errors import FeedError
from nitari.types import Item, Rejection


def made(*, typed: bool = False, **cells: Any) -> tuple[Item | None, list[Rejection]]:
    """An item from cells; id and image_link are filled in where not given."""
    fields = {"id": "a", "image_link": "a.jpg"} | cells
    return to_item(Record(1, tuple(fields), list(fields.values()), typed), "line 2")


def good(*, typed: bool = False, **cells: Any) -> Item:
    """The same, where nothing may be wrong."""
    item, problems = made(typed=typed, **cells)
    assert problems == []
    assert item is not None
    return item


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("ID", "id"), ("Image Link", "image_link"), ("image-link", "image_link"), ("g:image_link", "image_link"),
        ("G:ID", "id"), ("imageLink", "image_link"), ("itemGroupID", "item_group_id"), ("\ufeffid", "id"),
        ("ＩＤ", "id"), (" Body (HTML) ", "body_html"), ("商品名", "商品名"), ("", ""), ("!", ""),
        ("Straße", "strasse"),
    ],
)  # fmt: skip
def test_names_are_read_leniently(raw: str, name: str) -> None:
    """Case, spaces, hyphens, camel case, prefixes, marks and full-width letters do not matter."""
    assert column_name(raw) == name


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (("sku", "name", "image"), ("id", "title", "image_link")),
        (("id", "sku", "image_url", "image"), ("id", "sku", "image_link", "image")),
        (("id", "images"), ("id", "image_link")),
        (("id", "image_link", "images"), ("id", "image_link", "additional_image_link")),
        (("id", "title", "name", "image_link"), ("id", "title", "name", "image_link")),
        (("id", "colour", "group_id", "photo"), ("id", "color", "item_group_id", "image_link")),
    ],
)
def test_stand_ins_take_the_place_of_what_is_missing(raw: tuple[str, ...], names: tuple[str, ...]) -> None:
    """A stand-in counts only where the column itself is not there; else it is an attribute."""
    assert layout(raw).names == names
    assert layout(raw).rival_ids == ()


def test_rival_ids_are_not_guessed() -> None:
    """With a product_id and a sku, only the shop knows which one is the item."""
    assert layout(("product_id", "sku", "image")).rival_ids == ("product_id", "sku")


@pytest.mark.parametrize(
    ("header", "says", "remedy"),
    [
        (("id", "title"), "no column 'image_link'", "id and image_link"),
        (("ident", "picture_link"), "'id' and 'image_link'", "rename picture_link to image_link"),
        (("product_id", "sku", "image"), "product_id and sku", "rename"),
        (("id", "Id", "image_link"), "2 columns for 'id'", "leave one"),
        (("id", "title", "Title", "image_link"), "2 columns for 'title'", "leave one"),
        (tuple(f"c{n}" for n in range(30)), "and 10 more", "id and image_link"),
    ],
)
def test_a_header_without_what_is_needed(header: tuple[str, ...], says: str, remedy: str) -> None:
    """The error names the feed, the columns found and what comes close."""
    with pytest.raises(FeedError) as caught:
        check_header(header, "shop.csv")
    assert "shop.csv" in caught.value.message
    assert says in caught.value.message
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("cell", "links"),
    [
        ("b.jpg,c.jpg", ("b.jpg", "c.jpg")),
        ("b.jpg, c.jpg ,,", ("b.jpg", "c.jpg")),
        ("b%2Cc.jpg,d.jpg", ("b,c.jpg", "d.jpg")),
        ("https://x/1%2C2.jpg,https://x/3.jpg", ("https://x/1%2C2.jpg", "https://x/3.jpg")),
        ("https://x/w_1,h_2/a.jpg, https://x/w_1,h_2/b.jpg", ("https://x/w_1,h_2/a.jpg", "https://x/w_1,h_2/b.jpg")),
        ('["b,1.jpg", "c.jpg"]', ("b,1.jpg", "c.jpg")),
        (["b,1.jpg", "https://x/c.jpg"], ("b,1.jpg", "https://x/c.jpg")),
        ("a.jpg,b.jpg,b.jpg", ("b.jpg",)),
        (r"sub\b.jpg", ("sub/b.jpg",)),
        ("", ()),
    ],
)
def test_additional_links(cell: Any, links: tuple[str, ...]) -> None:
    """Commas separate; %2C is a comma; commas inside URLs stay; repeats go; backslashes are slashes."""
    typed = isinstance(cell, list)
    assert good(additional_image_link=cell, typed=typed).image_links == ("a.jpg", *links)


def test_a_main_link_is_taken_as_it_is() -> None:
    """One link may hold commas; without it the first additional one is the main photo."""
    assert good(image_link="a,b.jpg").image_links == ("a,b.jpg",)
    assert good(image_link="", additional_image_link="b.jpg,c.jpg").image_links == ("b.jpg", "c.jpg")


def test_a_bad_additional_link_does_not_cost_the_item() -> None:
    """It is reported by its link, and the others stay."""
    item, (problem,) = made(additional_image_link="b\x01.jpg,c.jpg")
    assert item is not None
    assert item.image_links == ("a.jpg", "c.jpg")
    assert (problem.code, problem.image_link, problem.item_id) == ("image-link", "b\x01.jpg", "a")


def test_too_many_links() -> None:
    """Over the cap the main photo is kept and the rest reported, not cut somewhere."""
    item, (problem,) = made(additional_image_link=",".join(f"{n}.jpg" for n in range(MAX_LINKS)))
    assert item is not None
    assert item.image_links == ("a.jpg",)
    assert problem.code == "image-link"


def test_ids_are_exact_but_for_space() -> None:
    """Leading zeros stay; surrounding space, marks and joiners go; numbers from typed formats are their digits."""
    assert good(id=" \ufeff00123\u200b ").item_id == "00123"
    assert good(id=123, typed=True).item_id == "123"
    assert good(id=123.0, typed=True).item_id == "123"
    assert good(id="赤い\u3000靴").item_id == "赤い\u3000靴"


@pytest.mark.parametrize("bad", ["a\nb", "x" * 513, True, ["a", "b"], "caf\udce9", b"a", {"a": 1}])
def test_bad_ids_cost_the_row(bad: Any) -> None:
    """The row is no item, and the rejection says what the id is."""
    item, problems = made(id=bad, typed=True)
    assert item is None
    assert len(problems) == 1
    assert problems[0].code in ("item-id", "no-id", "attribute")
    str(problems).encode()


def test_a_bad_group_does_not_cost_the_item() -> None:
    """The item is then a group of its own."""
    item, (problem,) = made(item_group_id="x" * 600)
    assert item is not None
    assert (item.group_id, problem.code, problem.item_id) == ("a", "item-id", "a")


def test_titles_are_one_line() -> None:
    """Line ends become spaces, control characters go, the first of several counts, a number is its digits."""
    assert good(title=" a\r\nb\x00c ").title == "a bc"
    assert good(title=["x", "y"], typed=True).title == "x"
    assert good(title=501, typed=True).title == "501"
    item, (problem,) = made(title="x" * (MAX_TITLE + 1))
    assert item is not None
    assert (item.title, problem.code) == ("", "attribute")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("EverCool&trade; Tee", "EverCool™ Tee"), ("Salt &amp; Pepper", "Salt & Pepper"), ("caf&#233;", "café"),
        ("R&D; AT&T", "R&D; AT&T"), ("fish &lt;b&gt;", "fish <b>"), ("&amp;amp;", "&amp;"), ("&#0;x", "\ufffdx"),
    ],
)  # fmt: skip
def test_entities_in_titles_are_characters(written: str, read: str) -> None:
    """Titles and descriptions of text formats lose their HTML entities, once; other columns and typed feeds do not."""
    item = good(title=written, description=written, model=written)
    assert item.title == item.attributes["description"] == read
    assert item.attributes["model"] == written
    assert good(title=written, typed=True).title == written


def test_prices_bring_their_currency() -> None:
    """Beside each price stands its currency, unless the feed has such a column itself."""
    item = good(price="52.00 USD", sale_price="¥1,980")
    assert item.attributes == {
        "price": 52.0, "price_currency": "USD", "sale_price": 1980.0, "sale_price_currency": "JPY",
    }  # fmt: skip
    assert good(price="$5", price_currency="CAD").attributes == {"price": 5.0, "price_currency": "CAD"}


@pytest.mark.parametrize(
    ("name", "cell", "value"),
    [
        ("brand", "7", "7"), ("gtin", "0400638", "0400638"), ("google_product_category", "1604", "1604"),
        ("seller_id", "148", "148"), ("custom_label_0", "3", "3"), ("size", "38", "38"), ("zip", "94103", "94103"),
        ("quantity", "1,234", 1234.0), ("rating", "4.5", 4.5), ("adult", "no", False), ("is_bundle", "Yes", True),
        ("waist", "71", 71.0), ("organic", "true", True), ("product_type", "A > B", "A > B"),
        ("color", "Red/Blue", ("Red", "Blue")), ("color", "n/a", "n/a"), ("color", "Red", "Red"),
        ("tags", '["a", "b"]', ("a", "b")), ("note", "[sale]", "[sale]"),
    ],
)  # fmt: skip
def test_columns_have_kinds(name: str, cell: str, value: Any) -> None:
    """Known columns are what they are, whatever a cell looks like; unknown ones go by the cell."""
    read = good(**{name: cell}).attributes[name]
    assert read == value
    assert type(read) is type(value)


def test_typed_and_text_formats_agree_on_words() -> None:
    """A size of 38 is the text 38 from CSV, JSON and SQL alike."""
    assert good(size="38").attributes == good(size=38, typed=True).attributes == good(size=38.0, typed=True).attributes


def test_objects_become_columns() -> None:
    """One level of structure can be filtered on; more is reported."""
    assert good(dims={"w": 3, "unitCode": "cm"}, typed=True).attributes == {"dims_w": 3.0, "dims_unit_code": "cm"}
    item, (problem,) = made(dims={"a": {"b": 1}}, typed=True)
    assert item is not None
    assert (dict(item.attributes), problem.code) == ({}, "attribute")
    assert "dims_a" in problem.reason


def test_repeated_columns_are_a_list() -> None:
    """A column that comes twice is a list where both hold something."""
    record = Record(1, ("id", "image_link", "tag", "Tag"), ["a", "a.jpg", "x", "y"])
    item, _ = to_item(record, "line 2")
    assert item is not None
    assert item.attributes == {"tag": ("x", "y")}
    item, _ = to_item(Record(1, record.names, ["a", "a.jpg", "x", ""]), "line 2")
    assert item is not None
    assert item.attributes == {"tag": "x"}


def test_empty_cells_are_absent() -> None:
    """Nothing, blank text, NaN and empty lists leave no attribute behind."""
    assert good(a="", b="  ", c=None, d=float("nan"), e=[], f=[None], g="\x00", typed=True).attributes == {}


def test_caps_on_attributes() -> None:
    """Too many attributes, or a name too long, are reported; the item stays."""
    item, (problem,) = made(**{f"c{n}": "x" for n in range(MAX_ATTRIBUTES + 1)})
    assert item is not None
    assert (dict(item.attributes), problem.code) == ({}, "attribute")
    item, (problem,) = made(**{"n" * (MAX_NAME + 1): "x", "ok": "y"})
    assert item is not None
    assert dict(item.attributes) == {"ok": "y"}
    assert len(problem.reason) < 300


@pytest.mark.parametrize("name", ["link", "mobile_link", "Canonical Link", "g:ads_redirect"])
@pytest.mark.parametrize(
    "value",
    ["javascript:alert(1)", " JavaScript:alert(1)", "java\tscript:alert(1)", "data:text/html,x", "//x/a", "/a",
     "a.html", "file:///etc/passwd", "https://", "https:///a", ["https://x/a", "https://x/b"], {"a": 1}],
)  # fmt: skip
def test_page_links_are_http(name: str, value: Any) -> None:
    """What a page offers for clicking is http or https; anything else is reported, and the item goes on without."""
    item, problems = made(typed=True, title="T", **{name: value})
    assert item is not None
    assert all(key not in item.attributes for key in ("link", "mobile_link", "canonical_link", "ads_redirect"))
    if not isinstance(value, dict):
        assert [(problem.code, problem.image_link) for problem in problems] in ([("link", None)], [("attribute", None)])


def test_good_page_links_stay() -> None:
    """They are kept as they are; spaces are encoded."""
    assert good(link="HTTPS://x.example/a?b=c#d").attributes == {"link": "HTTPS://x.example/a?b=c#d"}
    assert good(link="http://x.example/a b").attributes == {"link": "http://x.example/a%20b"}
