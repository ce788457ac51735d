"""Protocols: who asks, who may answer, and what is right."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from nitari.catalog.base import FeedRow
from nitari.errors import DataError, UsageError
from nitari.evaluate.protocols import PROTOCOLS, flat, luma, make_protocol, qrels
from nitari.search.filters import parse_filter
from nitari.types import Box, Rejection
from support.evaluating import ListFeed, materials, row

BAD = Rejection("row", "bad", location="line 9")


def test_luma_asks_with_backs_and_answers_with_fronts() -> None:
    """Each item with a back photo asks once; only main photos answer; the whole group is right."""
    feed = ListFeed(
        [
            row(
                "a-red", "a.jpg", "x/a_alt1.jpg", "x/a_back.jpg", "x/a_back2.jpg", group="a", product_type="Men > Tees"
            ),
            row("a-blue", "a_back_main.jpg", group="a", product_type="Men > Tees"),
            row("b", "b.jpg", "_back/b.jpg"),
            BAD,
        ]
    )
    protocol = luma(Path("shop"), materials(feed))
    assert [(q.query_id, q.image_link, q.category) for q in protocol.queries] == [
        ("a-red", "x/a_back.jpg", "Men > Tees")
    ]
    assert protocol.judgments == {"a-red": {"a-red": 1, "a-blue": 1}}
    gallery = list(protocol.gallery.read())
    assert [entry.item.image_links for entry in gallery if isinstance(entry, FeedRow)] == [
        ("a.jpg",),
        ("a_back_main.jpg",),
        ("b.jpg",),
    ]
    assert gallery[-1] is BAD
    assert protocol.gallery.feed_id == "eval-luma:test-feed"


def test_flat_splits_by_hash_and_leaves_the_seller_out() -> None:
    """The first by SHA-256 ask; the seller's own items are filtered out and are not judged."""
    names = [f"item{number}" for number in range(20)]
    rows = [
        row(name, product_type="Hat" if number % 2 else "Shoes", seller_id=str(number % 3))
        for number, name in enumerate(names)
    ]
    protocol = flat(Path("shop"), materials(ListFeed(rows)), count=8)
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    assert [query.query_id for query in protocol.queries] == order[:8]
    answering = [entry.item for entry in protocol.gallery.read() if isinstance(entry, FeedRow)]
    assert sorted(item.item_id for item in answering) == sorted(order[8:])
    assert protocol.judgments is not None
    for query in protocol.queries:
        number = int(query.query_id.removeprefix("item"))
        assert query.filter == {"not": {"seller_id": str(number % 3)}}
        assert query.category == ("Hat" if number % 2 else "Shoes")
        right = {f"item{n}" for n in range(20) if n % 2 == number % 2 and n % 3 != number % 3} & set(order[8:])
        assert protocol.judgments[query.query_id] == dict.fromkeys(right, 1)


def test_catalogs_that_do_not_fit_are_refused() -> None:
    """The error says what is missing and where to get a catalog that fits."""
    plain = ListFeed([row("a"), row("b")])
    with pytest.raises(DataError, match="_back"):
        luma(Path("shop"), materials(plain))
    with pytest.raises(DataError, match="it has 2 items; 1500 ask"):
        flat(Path("shop"), materials(plain))
    with pytest.raises(DataError, match="no seller_id or no product_type") as caught:
        flat(Path("shop"), materials(plain), count=1)
    assert "nitari sample flat" in caught.value.remedy


def test_qrels_reads_queries_and_judgments(tmp_path: Path) -> None:
    """Excluded items are filtered out in words that the searcher takes, and are not judged."""
    (tmp_path / "queries.csv").write_text(
        'query_id,image_link,box,exclude,category\nq1,q/1.jpg,"0,0,0.5,1",a,\nq2,q/2.jpg,,,Own\nq3,q/3.jpg,,,\n'
    )
    (tmp_path / "qrels.txt").write_text("q1 0 a 2\nq1 0 b 1\nq1 0 c 2\nq2 0 a 1\n")
    feed = ListFeed([row("a", product_type="Hats"), row("b", product_type="Caps"), row("c", product_type="Bags")])
    protocol = qrels(tmp_path, materials(feed))
    first, second, third = protocol.queries
    assert (first.box, first.category) == (Box(0, 0, 0.5, 1), "Bags")
    assert first.filter == {"not": {"item_id": ["a"]}}
    parse_filter(first.filter)
    assert (second.filter, second.category, third.category) == (None, "Own", "")
    assert protocol.judgments == {"q1": {"b": 1, "c": 2}, "q2": {"a": 1}}
    assert protocol.gallery.size_hint == 3


def test_qrels_without_judgments(tmp_path: Path) -> None:
    """Without qrels.txt there is a protocol that nobody can measure."""
    (tmp_path / "queries.csv").write_text("query_id,image_link\nq1,q/1.jpg\n")
    assert qrels(tmp_path, materials(ListFeed([row("a")]))).judgments is None


def test_judgments_of_unknown_queries_are_an_error(tmp_path: Path) -> None:
    """A typing error in a query id must not lower a number silently."""
    (tmp_path / "queries.csv").write_text("query_id,image_link\nq1,q/1.jpg\n")
    (tmp_path / "qrels.txt").write_text("q1 0 a 1\nq01 0 a 1\n")
    with pytest.raises(DataError, match=r"'q01', which is not in queries\.csv"):
        qrels(tmp_path, materials(ListFeed([row("a")])))


def test_make_protocol_knows_its_names() -> None:
    """Another name is a usage error that lists them."""
    with pytest.raises(UsageError, match="'lama'") as caught:
        make_protocol("lama", Path(), materials(ListFeed([])))
    assert all(name in caught.value.remedy for name in PROTOCOLS)
