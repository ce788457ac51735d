"""Worn photos against flat ones, and the same color: who asks, who may answer, and what is right."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import DataError
from nitari.evaluate.protocols import EvalProtocol, color, worn
from nitari.evaluate.qrels import Judgments
from nitari.search.filters import parse_filter
from support.evaluating import ListFeed, materials, row

TEES, TANKS = "Men > Tops > Tees", "Women > Tops > Bras & Tanks"


def shops(folder: Path) -> EvalProtocol:
    """The protocol worn over two small catalogs, which use the same ids."""
    for name in ("luma", "flat"):
        (folder / name).mkdir(exist_ok=True)
    luma = ListFeed(
        [
            row("1", "1.jpg", "1_back.jpg", group="a", product_type=TEES),
            row("2", group="a", product_type=TEES),
            row("3", group="b", product_type=TEES),
            row("4", group="c", product_type=TANKS, title="Sports Bra"),
            row("5", group="d", product_type="Gear > Bags"),
            row("6", group="e", product_type="Men > Tops > Jackets"),
        ],
        feed_id="luma",
        image_base=str(folder / "luma"),
    )
    flat = ListFeed(
        [
            row("1", product_type="T-Shirt", seller_id="s"),
            row("2", product_type="Hat", seller_id="s"),
            row("3", product_type="Top", seller_id="t"),
        ],
        feed_id="flat",
        image_base=str(folder / "flat"),
    )
    return worn(folder, materials(luma, flat))


def lens(protocol: EvalProtocol, name: str) -> Judgments:
    """The judgments of a lens."""
    (found,) = (one for one in protocol.measured if one.name == name)
    assert found.judgments is not None
    return found.judgments


def test_worn_photos_ask_both_catalogs_and_flat_photos_alone(tmp_path: Path) -> None:
    """Only types that the flat catalog has ask; the own style is out; ids of the two catalogs stay apart."""
    protocol = shops(tmp_path)
    asked = {query.query_id: query for query in protocol.queries}
    assert list(asked) == ["worn:1", "worn:1@flat", "worn:2", "worn:2@flat", "worn:3", "worn:3@flat"]
    both, alone = asked["worn:1"], asked["worn:1@flat"]
    assert both.filter == {"not": {"item_group_id": "a", "eval_catalog": "worn"}}
    assert alone.filter == {"eval_catalog": "flat"}
    for query in (both, alone):
        parse_filter(query.filter)
        assert (query.subject, query.image_link, query.category, query.fold_key) == ("worn:1", "1.jpg", "T-Shirt", "a")
    worn_gallery, flat_gallery = protocol.galleries
    assert [item.item_id for item in worn_gallery.items()] == [f"worn:{number}" for number in range(1, 7)]
    assert worn_gallery.items()[0].image_links == ("1.jpg",)
    assert {item.attributes["eval_catalog"] for item in flat_gallery.items()} == {"flat"}
    assert (worn_gallery.image_base, flat_gallery.image_base) == (str(tmp_path / "luma"), str(tmp_path / "flat"))


def test_worn_is_read_through_four_lenses(tmp_path: Path) -> None:
    """The type, worn or flat; how many are worn; flat ones alone; flat ones where they alone may answer."""
    protocol = shops(tmp_path)
    assert [(one.name, one.measure, one.less_is_better) for one in protocol.measured] == [
        ("P@10", "P@10", False),
        ("worn share@10", "P@10", True),
        ("flat P@10", "P@10", False),
        ("P@5 in flat", "P@5", False),
    ]
    assert lens(protocol, "P@10")["worn:1"] == {"worn:3": 1, "flat:1": 1}
    assert set(lens(protocol, "worn share@10")["worn:1"]) == {f"worn:{number}" for number in range(1, 7)}
    assert lens(protocol, "flat P@10")["worn:1"] == {"flat:1": 1}
    assert lens(protocol, "P@5 in flat") == {f"worn:{number}@flat": {"flat:1": 1} for number in (1, 2, 3)}


def test_worn_says_which_folder_it_lacks(tmp_path: Path) -> None:
    """The error names the folder, what is there instead, and what to do."""
    (tmp_path / "luma").mkdir()
    with pytest.raises(DataError, match=r"needs a folder flat/ in .*, which holds luma"):
        worn(tmp_path, materials(ListFeed([])))


def test_worn_needs_a_type_in_common(tmp_path: Path) -> None:
    """Catalogs without a type in common ask nothing."""
    for name in ("luma", "flat"):
        (tmp_path / name).mkdir()
    with pytest.raises(DataError, match="no worn item is of a kind"):
        worn(tmp_path, materials(ListFeed([row("1", product_type="Gear > Bags")])))


def test_color_asks_with_and_without_emphasis() -> None:
    """Right is the same type in a color in common, of another style; some names of colors mean the same."""
    feed = ListFeed(
        [
            row("a-red", group="a", product_type=TEES, color="Red"),
            row("b-red", group="b", product_type=TEES, color="blue/red"),
            row("b-blue", group="b", product_type=TEES, color="blue"),
            row("c-red", group="c", product_type="Men > Tops > Jackets", color="red"),
            row("d-purple", group="d", product_type=TEES, color="purple"),
            row("e-lavender", group="e", product_type=TEES, color=("lavender",)),
            row("f", group="f", product_type=TEES),
        ]
    )
    protocol = color(Path("shop"), materials(feed))
    asked = {query.query_id: query for query in protocol.queries}
    assert set(asked) == {
        f"{name}{end}" for name in ("a-red", "b-red", "d-purple", "e-lavender") for end in ("", "@default")
    }
    emphasized, plain = asked["a-red"], asked["a-red@default"]
    assert emphasized.options["emphasis"] > 0.5
    assert emphasized.pinned == ()
    assert (dict(plain.options), plain.pinned, plain.subject) == ({}, ("emphasis",), "a-red")
    assert emphasized.filter == plain.filter == {"not": {"item_group_id": "a"}}
    assert lens(protocol, "P@10")["a-red"] == {"b-red": 1}
    assert lens(protocol, "P@10")["e-lavender"] == {"d-purple": 1}
    assert set(lens(protocol, "kind P@10")["a-red"]) == {"b-red", "b-blue", "d-purple", "e-lavender"}
    assert set(lens(protocol, "color P@10")["a-red"]) == {"b-red", "c-red"}
    assert lens(protocol, "default P@10")["a-red@default"] == {"b-red": 1}
    assert len(protocol.gallery.items()) == 7


def test_color_needs_two_styles_alike() -> None:
    """A catalog without colors is refused with a way to get one."""
    with pytest.raises(DataError, match="one kind and one color") as caught:
        color(Path("shop"), materials(ListFeed([row("a", product_type=TEES)])))
    assert "nitari sample luma" in caught.value.remedy
