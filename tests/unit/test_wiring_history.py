"""The catalog forgets by itself what items were longer ago than the settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from nitari import wiring
from nitari.catalog.base import CollectionSpec, ItemDelete
from nitari.settings import Settings, load_settings
from support.catalogs import FEED, photo, put
from support.extraction import text_extractor

CARD = text_extractor().collection


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Extraction without a model."""
    monkeypatch.setattr(wiring, "open_extractor", lambda _settings: text_extractor())


def made(home: Path, days: int) -> Settings:
    """Settings of a home whose catalog has a history of two changes."""
    settings = load_settings(home=home, catalog={"history_days": days})
    with wiring.open_catalog(settings) as catalog:
        extractor = text_extractor()
        catalog.register_collection(CollectionSpec(CARD, extractor.dim, extractor.fingerprint))
        catalog.register_feed(FEED, None)
        catalog.apply([put("a", photo("1", "d"))], collection=CARD)
        catalog.apply([ItemDelete("a")], collection=CARD)
    return settings


def oldest(settings: Settings) -> int:
    """How far back the catalog can be taken."""
    with wiring.open_catalog(settings) as catalog:
        return catalog.history_range().oldest


@pytest.mark.parametrize(("days", "after"), [(1, 0), (0, 2)])
def test_after_an_import(tmp_path: Path, days: int, after: int) -> None:
    """An import that ends well forgets what is too old; one that does not, forgets nothing."""
    settings = made(tmp_path, days)
    with pytest.raises(ZeroDivisionError), wiring.open_ingester(settings):
        raise ZeroDivisionError
    assert oldest(settings) == 0
    with wiring.open_ingester(settings):
        pass
    assert oldest(settings) == after


@pytest.mark.parametrize(("days", "after"), [(1, 0), (0, 2)])
def test_in_a_server(tmp_path: Path, days: int, after: int) -> None:
    """A server has the means to forget."""
    settings = made(tmp_path, days)
    with wiring.open_services(settings) as services:
        services.prune_history()
    assert oldest(settings) == after
