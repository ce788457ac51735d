"""Which extractor a home uses: what its catalog says goes before what the settings say. No network is loaded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import update

from nitari.catalog import schema
from nitari.catalog.base import DEFAULT_ALIAS, CollectionSpec, ImagePut, StoredView
from nitari.catalog.sql import SqlCatalog
from nitari.errors import ConfigurationError, NotFoundError, UsageError
from nitari.recipes import Extractors, adopt, default_collection, recipe_of, with_recipe
from nitari.settings import Settings, load_settings
from nitari.wiring import open_catalog, open_extractor, open_ingester, open_reembedder, settings_in_use
from support.catalogs import features_of, put


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home, and a cache without any network in it."""
    return made(tmp_path)


def made(tmp_path: Path, embedder: str = "mobilenet-v2", **extract: object) -> Settings:
    """Settings that name an embedder."""
    models = {"embedder": embedder, "cache": tmp_path / "cache", "download": False}
    return load_settings(home=tmp_path / "home", models=models, extract=extract)


@pytest.fixture
def catalog(settings: Settings) -> Iterator[SqlCatalog]:
    """A catalog whose one item went in with these settings."""
    with open_catalog(settings) as catalog:
        adopt(catalog, Extractors(settings).build())
        fill(catalog, "mobilenet-v2")
        yield catalog


def fill(catalog: SqlCatalog, collection: str) -> None:
    """Put an item."""
    dim = catalog.collection(collection).dim
    found = features_of("d1")
    view = StoredView(found.regions[0], np.eye(dim, dtype=np.float32)[0])
    image = ImagePut("1", "d1", None, None, replace(found, views=(view,)))
    catalog.apply([put("x", image, feed_id=None)], collection=collection)


def forget(catalog: SqlCatalog) -> None:
    """Make it a catalog as version 1 left it: no recipes, no aliases."""
    catalog._database.write(lambda connection: connection.execute(update(schema.collections).values(recipe=None)))
    catalog._database.write(lambda connection: connection.execute(schema.aliases.delete()))


def test_a_recipe_makes_the_same_again(tmp_path: Path) -> None:
    """Whatever the settings say by then; what a recipe does not hold stays theirs."""
    first = made(tmp_path, "efficientnet-lite0", views="both", regions="whole", lowlevel=False)
    other = made(tmp_path, "mobilenet-v2")
    again = with_recipe(other, recipe_of(first))
    assert again.extract == first.extract
    assert again.models == first.models
    assert again.home == other.home
    built = Extractors(other).of(Extractors(first).build().spec)
    assert built.spec == Extractors(first).build().spec
    assert built.spec.recipe == recipe_of(first)


def test_a_cards_file_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalog may be opened from another folder."""
    monkeypatch.chdir(tmp_path)
    assert recipe_of(made(tmp_path, "my.toml"))["embedder"] == str((tmp_path / "my.toml").resolve())


@pytest.mark.parametrize("recipe", [{}, {"embedder": True}, {"embedder": "mobilenet-v2", "views": "new-in-2030"}])
def test_a_recipe_from_elsewhere(settings: Settings, recipe: dict[str, str | bool]) -> None:
    """One that this version does not know is an error that shows it."""
    with pytest.raises(ConfigurationError, match="recipe") as caught:
        with_recipe(settings, recipe)
    assert caught.value.code == "recipe"


def test_an_empty_home_follows_the_settings(tmp_path: Path) -> None:
    """Until something was put, to change one's mind costs nothing."""
    assert open_extractor(made(tmp_path)).collection == "mobilenet-v2"
    assert not (tmp_path / "home").exists()
    with open_ingester(made(tmp_path)):
        pass
    with open_ingester(made(tmp_path, "efficientnet-lite0")):
        pass
    with open_catalog(made(tmp_path)) as catalog:
        (alias,) = catalog.aliases()
        assert (alias.name, alias.collection, alias.previous) == (DEFAULT_ALIAS, "efficientnet-lite0", None)
        assert [spec.name for spec in catalog.maintained()] == ["efficientnet-lite0"]
        assert default_collection(catalog) is None


def test_the_catalog_wins(tmp_path: Path, catalog: SqlCatalog, caplog: pytest.LogCaptureFixture) -> None:
    """Other settings are no crash and no second collection: one warning says what is used, and how to re-embed."""
    with caplog.at_level(logging.WARNING):
        found = open_extractor(made(tmp_path, "efficientnet-lite0"))
    assert found.spec == catalog.collection("mobilenet-v2")
    (record,) = caplog.records
    assert "nitari reembed" in record.message
    assert (record.__dict__["settings"], record.__dict__["in_use"]) == ("efficientnet-lite0", "mobilenet-v2")
    with open_ingester(made(tmp_path, "efficientnet-lite0")):
        pass
    assert [info.name for info in catalog.collections()] == ["mobilenet-v2"]


def test_settings_that_agree_are_no_news(tmp_path: Path, catalog: SqlCatalog, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged where the settings make what is in use, under whichever name."""
    with open_reembedder(made(tmp_path, "efficientnet-lite0"), name="eff"):
        pass
    catalog.point(DEFAULT_ALIAS, "eff")
    with caplog.at_level(logging.WARNING):
        assert open_extractor(made(tmp_path, "efficientnet-lite0")).collection == "eff"
        assert open_extractor(made(tmp_path, "efficientnet-lite0"), "mobilenet-v2").collection == "mobilenet-v2"
        assert open_extractor(made(tmp_path, "efficientnet-lite0"), "default").collection == "eff"
    assert caplog.records == []
    with pytest.raises(NotFoundError, match="'none'"):
        open_extractor(made(tmp_path), "none")


def test_the_same_name_for_other_vectors(tmp_path: Path, catalog: SqlCatalog) -> None:
    """Settings that make other vectors under the name in use are refused, with both ways out."""
    with pytest.raises(ConfigurationError) as caught, open_ingester(made(tmp_path, views="both")):
        pass
    assert caught.value.code == "collection-mismatch"
    assert "nitari reembed" in caught.value.remedy
    assert "--home" in caught.value.remedy


def test_names_of_collections_beside(tmp_path: Path, catalog: SqlCatalog) -> None:
    """The card's name; with the fingerprint where it is taken; what is made just so already is gone on with."""
    with open_reembedder(made(tmp_path, "efficientnet-lite0")) as reembedder:
        assert reembedder.collection == "efficientnet-lite0"
    other = made(tmp_path, views="both")
    name = f"mobilenet-v2-{Extractors(other).build().fingerprint[:8]}"
    for _ in range(2):
        with open_reembedder(other) as reembedder:
            assert reembedder.collection == name
    with open_reembedder(other, name="mine") as reembedder:
        assert reembedder.collection == "mine"
    with pytest.raises(UsageError) as caught, open_reembedder(other, name="mobilenet-v2"):
        pass
    assert caught.value.code == "collection-taken"
    with pytest.raises(UsageError), open_reembedder(other, name="../out"):
        pass
    with open_reembedder(made(tmp_path), name="mine", as_settings=False) as reembedder:
        assert reembedder.collection == "mine"


def test_nothing_to_embed(tmp_path: Path) -> None:
    """An empty catalog needs an import, not a re-embedding; nothing is left in it."""
    with pytest.raises(UsageError) as caught, open_reembedder(made(tmp_path)):
        pass
    assert caught.value.code == "nothing-to-embed"
    with open_catalog(made(tmp_path)) as catalog:
        assert catalog.collections() == ()


def test_a_home_of_version_1(tmp_path: Path, settings: Settings, catalog: SqlCatalog) -> None:
    """Its only collection is in use, whatever the settings name; opened once, its recipe and alias are known."""
    forget(catalog)
    other = made(tmp_path, "efficientnet-lite0")
    assert open_extractor(other).collection == "mobilenet-v2"
    with open_ingester(other):
        pass
    assert catalog.collection("mobilenet-v2").recipe == recipe_of(settings)
    assert catalog.resolve(DEFAULT_ALIAS) == "mobilenet-v2"


def test_a_home_of_version_1_is_embedded_anew(tmp_path: Path, settings: Settings, catalog: SqlCatalog) -> None:
    """The old collection becomes the one in use, and the way back."""
    forget(catalog)
    with open_reembedder(made(tmp_path, "efficientnet-lite0")):
        pass
    assert catalog.resolve(DEFAULT_ALIAS) == "mobilenet-v2"
    assert catalog.collection("mobilenet-v2").recipe == recipe_of(settings)


def test_a_collection_that_nobody_can_make_any_more(
    settings: Settings, catalog: SqlCatalog, caplog: pytest.LogCaptureFixture
) -> None:
    """As the one in use it is an error; beside it, it is left out, which is logged once."""
    lost = CollectionSpec("lost", 4, "ffff", {**recipe_of(settings), "embedder": "no-such-card"})
    changed = CollectionSpec("changed", 1280, "eeee", recipe_of(settings))
    extractors = Extractors(settings)
    for spec in (lost, changed):
        catalog.register_collection(spec)
        catalog.maintain(spec.name)
        with pytest.raises((ConfigurationError, NotFoundError)):
            extractors.of(spec)
    others = extractors.others(catalog, than="mobilenet-v2")
    with caplog.at_level(logging.WARNING):
        assert others() == []
        assert others() == []
    assert [record.__dict__["collection"] for record in caplog.records] == ["lost", "changed"]


def test_others_are_those_of_the_moment(tmp_path: Path, settings: Settings, catalog: SqlCatalog) -> None:
    """A collection that another process begins to build is seen at once, one that is retired no more."""
    others = Extractors(settings).others(catalog, than="mobilenet-v2")
    assert others() == []
    with open_reembedder(made(tmp_path, "efficientnet-lite0")) as reembedder:
        reembedder_name = reembedder.collection
    catalog.maintain(reembedder_name)
    (found,) = others()
    assert found.spec == catalog.collection("efficientnet-lite0")
    assert others()[0] is found
    catalog.retire("efficientnet-lite0")
    assert others() == []


def test_networks_are_shared(settings: Settings) -> None:
    """Extractors over one network hold one, also those of different callers; it goes with the last of them."""
    first, second = Extractors(settings).build(), Extractors(settings).build(collection="other")
    assert first._embedder._model is second._embedder._model  # type: ignore[attr-defined]
    assert first._regions._model is second._regions._model  # type: ignore[attr-defined]


def test_what_the_home_uses(tmp_path: Path) -> None:
    """Commands that speak of models mean those of the collection in use; an empty home has none."""
    mine = made(tmp_path, "efficientnet-lite0", views="both")
    assert settings_in_use(mine) is mine
    assert not mine.home.exists()
    with open_ingester(made(tmp_path)):
        pass
    assert settings_in_use(mine) is mine
    with open_catalog(mine) as catalog:
        catalog.register_collection(Extractors(made(tmp_path)).build().spec)
        catalog.point(DEFAULT_ALIAS, "mobilenet-v2")
        fill(catalog, "mobilenet-v2")
    used = settings_in_use(mine)
    assert (used.models.embedder, used.extract.views, used.home) == ("mobilenet-v2", "mean", mine.home)


def test_what_the_defaults_were(tmp_path: Path) -> None:
    """A catalog without recipes, made when salient things were searched by, still opens after the default changed."""
    before = made(tmp_path, regions="saliency")
    with open_catalog(before) as catalog:
        adopt(catalog, Extractors(before).build())
        fill(catalog, "mobilenet-v2")
        forget(catalog)
        spec = catalog.collection("mobilenet-v2")
    now = Extractors(made(tmp_path, "nitari-fashion"))
    assert now.of(spec).spec == spec
    assert now.build(made(tmp_path)).spec != spec
