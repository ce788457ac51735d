"""Unrelated photos, and the back views that a threshold must not cost."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari.errors import DataError
from nitari.evaluate.protocols import EvalProtocol, unrelated
from support.evaluating import ListFeed, materials, row


def protocol(folder: Path, *photos: str) -> EvalProtocol:
    """The protocol over a shop of two styles and these photos."""
    for name in ("luma", "unrelated"):
        (folder / name).mkdir(exist_ok=True)
    shop = ListFeed(
        [row("a-1", "a.jpg", "a_back.jpg", group="a"), row("a-2", group="a"), row("b", group="b")], "luma", "shop"
    )
    strangers = ListFeed([row(photo, photo, folder=("scenes", "scenes/x")) for photo in photos], "unrelated", "far")
    return unrelated(folder, materials(shop, strangers))


def test_every_photo_asks_at_the_recommended_score_and_without_any(tmp_path: Path) -> None:
    """Photos come from their own folder; what has no threshold is never given one."""
    asked = {query.query_id: query for query in protocol(tmp_path, "cat.jpg").queries}
    assert list(asked) == ["photo:cat.jpg", "photo:cat.jpg@all", "back:a-1", "back:a-1@all"]
    cat = asked["photo:cat.jpg"]
    assert (cat.image_link, cat.image_base, cat.category) == ("cat.jpg", "far", "scenes")
    assert (dict(cat.options), cat.pinned) == ({"min_score": 0.5}, ())
    assert (dict(asked["back:a-1@all"].options), asked["back:a-1@all"].pinned) == ({}, ("min_score",))
    assert asked["back:a-1"].fold_key == "a"


def test_any_hit_is_one_too_many_and_the_style_must_stay(tmp_path: Path) -> None:
    """Two lenses over different queries, and a sweep over all thresholds."""
    found = protocol(tmp_path, "cat.jpg")
    answered, kept = found.measured
    assert (answered.name, answered.less_is_better) == ("photos answered", True)
    assert answered.judgments == {"photo:cat.jpg": {"a-1": 1, "a-2": 1, "b": 1}}
    assert kept.judgments == {"back:a-1": {"a-1": 1, "a-2": 1}}
    assert found.sweep is not None
    assert found.sweep.unwanted == ("photo:cat.jpg@all",)
    assert found.sweep.wanted == {"back:a-1@all": {"a-1": 1, "a-2": 1}}
    assert found.gallery.feed_id == "eval-luma:luma", "the gallery of the protocol luma is used again"


def test_no_photos_is_an_error(tmp_path: Path) -> None:
    """The message says what is missing and where photos are."""
    with pytest.raises(DataError, match="unrelated/ holds no photo") as caught:
        protocol(tmp_path)
    assert "scripts/unrelated-photos" in caught.value.remedy
