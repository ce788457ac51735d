"""Samples of a catalog."""

from __future__ import annotations

from support.searching import OpenShop, numbered


def test_sample(shop: OpenShop) -> None:
    """A few items of different groups come from all over the catalog, the same ones each time."""
    searcher = shop(*numbered(20))
    few = searcher.sample(5)
    assert few == searcher.sample(5)
    assert len({int(item_id[1:]) % 7 for item_id in few}) == len(few) == 5
    assert len(searcher.sample(100)) == 7
    assert list(few) == sorted(few)


def test_sample_of_nothing(shop: OpenShop) -> None:
    """An empty catalog has nothing to show."""
    assert shop().sample(5) == ()
