"""RSS and Atom with Google's elements."""

from __future__ import annotations

import gzip
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given

from nitari.catalog.base import FeedRow
from nitari.catalog.feed import open_feed
from nitari.errors import FeedError
from nitari.types import Item
from support.feed_items import items
from support.feeds import GOOGLE, atom, read, read_text, rss


def channel(*items: str) -> str:
    """An RSS document with these items."""
    body = "".join(f"<item>{item}</item>" for item in items)
    return f'<?xml version="1.0"?><rss version="2.0" {GOOGLE}><channel><title>Shop</title>{body}</channel></rss>'


@given(items())
def test_items_survive(wanted: list[Item]) -> None:
    """What is written as RSS or Atom reads back equal."""
    with tempfile.TemporaryDirectory() as folder:
        assert read_text(Path(folder), rss(wanted)) == (wanted, [])
        assert read_text(Path(folder), atom(wanted)) == (wanted, [])


def test_googles_elements_count_before_rss(tmp_path: Path) -> None:
    """g:title is the title where both are there; plain RSS names serve where Google's are not."""
    (first, second), rejections = read_text(
        tmp_path,
        channel(
            "<title>plain</title><g:title>Google</g:title><g:id>a</g:id><g:image_link>a.jpg</g:image_link>",
            "<title>plain</title><id>b</id><image_link>b.jpg</image_link><link>https://x/b</link>",
        ),
    )
    assert (first.title, second.title, rejections) == ("Google", "plain", [])
    assert second.attributes == {"link": "https://x/b"}


def test_repeated_elements_are_a_list(tmp_path: Path) -> None:
    """Photos and other repeated elements; a single one is a text."""
    (item,), _ = read_text(
        tmp_path,
        channel(
            "<g:id>a</g:id><g:image_link>a.jpg</g:image_link><g:additional_image_link>b.jpg</g:additional_image_link>"
            "<g:additional_image_link>https://x/c,d.jpg</g:additional_image_link>"
            "<g:product_type>A</g:product_type><g:product_type>B</g:product_type><g:color>Red</g:color>"
        ),
    )
    assert item.image_links == ("a.jpg", "b.jpg", "https://x/c,d.jpg")
    assert item.attributes == {"product_type": ("A", "B"), "color": "Red"}


def test_elements_with_elements_inside(tmp_path: Path) -> None:
    """g:shipping becomes columns of its own; repeated, they are lists; deeper structure is reported."""
    shipping = "<g:shipping><g:country>{}</g:country><g:price>5 {}</g:price></g:shipping>"
    (item,), (problem,) = read_text(
        tmp_path,
        channel(
            "<g:id>a</g:id><g:image_link>a.jpg</g:image_link>"
            + shipping.format("US", "USD") + shipping.format("JP", "JPY")
            + "<g:x><g:y><g:z>deep</g:z></g:y></g:x>"
        ),
    )  # fmt: skip
    assert item.attributes == {"shipping_country": ("US", "JP"), "shipping_price": ("5 USD", "5 JPY")}
    assert (problem.code, problem.item_id) == ("attribute", "a")


def test_markup_in_prose_is_its_text(tmp_path: Path) -> None:
    """Unescaped markup in a description is read as what it says; CDATA and entities as XML says."""
    (item,), _ = read_text(
        tmp_path,
        channel(
            "<g:id>a</g:id><g:image_link>a.jpg</g:image_link><description>a <b>bold</b> one</description>"
            "<g:title><![CDATA[<Tee> & more]]></g:title><!-- a comment --><?target instruction?>"
            "<g:brand>B&amp;B</g:brand>"
        ),
    )
    assert item.title == "<Tee> & more"
    assert item.attributes == {"description": "a bold one", "brand": "B&B"}


def test_atom_links_and_summaries(tmp_path: Path) -> None:
    """An Atom link's target is its href, other relations are left out, the summary is the description."""
    text = (
        f'<feed xmlns="http://www.w3.org/2005/Atom" {GOOGLE}><entry><id>a</id><title>T</title>'
        '<link href="https://x/a"/><link rel="enclosure" href="https://x/file"/><summary>S</summary>'
        "<g:image_link>a.jpg</g:image_link></entry></feed>"
    )
    (item,), _ = read_text(tmp_path, text)
    assert item == Item("a", ("a.jpg",), "T", attributes={"link": "https://x/a", "description": "S"})


def test_a_namespace_by_another_prefix(tmp_path: Path) -> None:
    """The namespace counts, not the letter before the colon."""
    text = (
        channel("<g:id>a</g:id><g:image_link>a.jpg</g:image_link>")
        .replace("xmlns:g", "xmlns:goog")
        .replace("<g:", "<goog:")
        .replace("</g:", "</goog:")
    )
    assert [item.item_id for item in read_text(tmp_path, text)[0]] == ["a"]


@pytest.mark.parametrize("declared", ["Shift_JIS", "EUC-JP", "windows-31j", "ISO-8859-1", "windows-1252", "utf-32"])
def test_declared_encodings(declared: str, tmp_path: Path) -> None:
    """Encodings that the parser does not know are read all the same."""
    title = "赤い靴①" if declared in ("Shift_JIS", "windows-31j") else "赤い靴" if declared == "EUC-JP" else "Été"
    encoding = "cp932" if declared in ("Shift_JIS", "windows-31j") else declared
    text = channel(f"<g:id>a</g:id><g:title>{title}</g:title><g:image_link>a.jpg</g:image_link>")
    text = text.replace('version="1.0"', f'version="1.0" encoding="{declared}"', 1)
    assert read_text(tmp_path, text.encode(encoding))[0][0].title == title


def test_an_undeclared_encoding_is_detected_or_said(tmp_path: Path) -> None:
    """CP932 is seen by its bytes; what the user says goes before what the document says."""
    text = channel("<g:id>a</g:id><g:title>赤い靴</g:title><g:image_link>a.jpg</g:image_link>")
    assert read_text(tmp_path, text.encode("cp932"))[0][0].title == "赤い靴"
    (tmp_path / "feed").write_bytes(text.replace('"1.0"', '"1.0" encoding="utf-8"', 1).encode("euc_jp"))
    assert read(open_feed(tmp_path / "feed", encoding="euc_jp"))[0][0].title == "赤い靴"


def test_a_fault_names_line_and_column(tmp_path: Path) -> None:
    """What comes before it is read; an undeclared prefix says how to declare it."""
    (tmp_path / "feed").write_text(channel("<g:id>a</g:id><g:image_link>a</g:image_link>", "\n\n<g:id>a & b</g:id>"))
    seen = []
    with pytest.raises(FeedError, match="line 3, column 10") as caught:
        for entry in open_feed(tmp_path / "feed").read():
            seen.append(entry)  # noqa: PERF402 - what came before the error counts
    assert len(seen) == 1
    assert "&amp;" in caught.value.remedy
    with pytest.raises(FeedError) as caught:
        read_text(tmp_path, "<rss><channel><item><g:id>a</g:id></item></channel></rss>")
    assert "xmlns:g" in caught.value.remedy


def test_a_truncated_zipped_feed_is_read_up_to_there(tmp_path: Path) -> None:
    """Every item that could be unpacked whole is read, then the error says what happened."""
    text = channel(*(f"<g:id>{n}-{n * 7919 % 10007}</g:id><g:image_link>{n}</g:image_link>" for n in range(5_000)))
    packed = gzip.compress(text.encode())
    (tmp_path / "feed").write_bytes(packed[: len(packed) * 3 // 4])
    seen = []
    with pytest.raises(FeedError, match="ends too early"):
        for entry in open_feed(tmp_path / "feed").read():
            assert isinstance(entry, FeedRow)
            seen.append(entry.item.item_id)
    assert len(seen) > 3_000


def test_memory_does_not_grow_with_the_feed(tmp_path: Path) -> None:
    """Items that were read are let go, and so is what stands between them."""
    with (tmp_path / "feed").open("w") as file:
        file.write(f"<rss {GOOGLE}><channel>")
        for n in range(20_000):
            file.write(f"<other>{n}</other><item><g:id>{n}</g:id><g:image_link>{n}.jpg</g:image_link></item>")
        file.write("</channel></rss>")
    rows = open_feed(tmp_path / "feed").read()
    tracemalloc.start()
    count = sum(1 for _ in rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 4 * 2**20


def test_a_doctype_without_entities_is_harmless(tmp_path: Path) -> None:
    """Old RSS names a DTD; nothing is fetched, and the items are read."""
    text = channel("<g:id>a</g:id><g:image_link>a.jpg</g:image_link>")
    doctype = '<!DOCTYPE rss PUBLIC "-//Netscape//DTD RSS 0.91//EN" "http://127.0.0.1:1/rss.dtd">'
    assert [item.item_id for item in read_text(tmp_path, text.replace("<rss", doctype + "<rss"))[0]] == ["a"]


def test_a_channel_without_items_is_an_empty_feed(tmp_path: Path) -> None:
    """No items, no error."""
    assert read_text(tmp_path, channel()) == ([], [])
