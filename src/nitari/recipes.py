"""From a recipe to an extractor: which networks, finders and views make the vectors of a collection.

Beside ``wiring`` and ``indexes`` the only module that names adapters: those of extraction. A collection's recipe is
kept with it in the catalog, so that its extractor can be built whatever the settings say by then; networks that several
collections use are loaded once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from pydantic import ValidationError

from nitari.catalog.base import DEFAULT_ALIAS, Catalog, CollectionSpec, Recipe
from nitari.errors import ConfigurationError, ModelError, NitariError, UsageError
from nitari.settings import ExtractSettings, Settings

if TYPE_CHECKING:
    from nitari.embeddings.base import Embedder, QueryGate, QueryTransform
    from nitari.extract import Extractor
    from nitari.ingest.examine import Others
    from nitari.models.card import Card, Part
    from nitari.models.store import ModelStore
    from nitari.regions.base import RegionFinder
    from nitari.runtimes.lazy import LazyModel, Runs
    from nitari.runtimes.remembering import OutputMemory
    from nitari.types import Detail, FloatArray

log = logging.getLogger(__name__)

SALIENCY_CARD = "u2netp"
FINDER_CARD = "nitari-regions"
TRUNK_CARD = "efficientnet-lite0"
"""Whose first blocks a region finder in training starts from."""
REGION_CARDS = {"saliency": SALIENCY_CARD, "garments": FINDER_CARD}
"""Which network finds regions, by ``extract.regions``; those not named here have none."""
# What extraction settings were by default when catalogs did not keep recipes.
_BEFORE_RECIPES: Recipe = {"regions": "saliency", "views": "mean"}
# Networks that some extractor of this process holds, by all that shapes them: extractors share what they can.
_networks: WeakValueDictionary[tuple[object, ...], LazyModel] = WeakValueDictionary()
_networks_lock = Lock()
_memory: ContextVar[OutputMemory | None] = ContextVar("_memory", default=None)


def open_store(settings: Settings) -> ModelStore:
    """The store of model cards and networks."""
    from nitari.models.store import ModelStore

    models = settings.models
    return ModelStore(cache=models.cache, cards=models.cards, download=models.download)


@contextmanager
def remembering_outputs() -> Iterator[None]:
    """Let networks of extractors that are built meanwhile run once on each input, as when many models share one.

    It takes memory: some 75 KB a photo with the default models, a gigabyte at most. Not for serving.
    """
    from nitari.runtimes.remembering import OutputMemory

    token = _memory.set(OutputMemory())
    try:
        yield
    finally:
        _memory.reset(token)


def recipe_of(settings: Settings) -> Recipe:
    """What the settings make an extractor of. A card's file is named by its whole path: folders are changed."""
    embedder = settings.models.embedder
    if embedder.endswith(".toml"):
        embedder = str(Path(embedder).expanduser().resolve())
    return {"embedder": embedder, **settings.extract.model_dump(mode="json")}


def with_recipe(settings: Settings, recipe: Recipe) -> Settings:
    """The settings, but for those that a recipe holds.

    Raises:
        ConfigurationError: a recipe that holds anything else.
    """
    rest = dict(recipe)
    embedder = rest.pop("embedder", None)
    try:
        extract = ExtractSettings.model_validate(rest)
    except ValidationError as exc:
        raise _unreadable(recipe) from exc
    if not isinstance(embedder, str):
        raise _unreadable(recipe)
    models = settings.models.model_copy(update={"embedder": embedder})
    return settings.model_copy(update={"models": models, "extract": extract})


class Extractors:
    """Builds the extractors of collections. Safe to use from several threads.

    Args:
        settings: Where models lie and how they run; what a collection's recipe does not say.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = open_store(settings)
        self._lock = Lock()
        self._built: dict[CollectionSpec, Extractor | None] = {}

    def build(
        self, settings: Settings | None = None, *, collection: str | None = None, transformed: bool = True
    ) -> Extractor:
        """What settings say (by default these), whatever there is in a catalog.

        Args:
            settings: Embedder and extraction are taken from here.
            collection: Name of its collection; the embedder's if not given.
            transformed: Whether query photos are transformed, as the card or the home has it.
        """
        from nitari.embeddings.lowlevel import LowLevelDescriptor
        from nitari.extract import Extractor
        from nitari.images.decode import ImageDecoder

        chosen = settings or self._settings
        images = self._settings.images
        embedder = self._embedder(chosen)
        return Extractor(
            decoder=ImageDecoder(max_bytes=images.max_bytes, max_pixels=images.max_pixels),
            regions=self.finder(chosen),
            embedder=embedder,
            descriptor=LowLevelDescriptor() if chosen.extract.lowlevel else None,
            views=chosen.extract.views,
            detail=chosen.extract.detail,
            collection=collection,
            recipe=recipe_of(chosen),
            transform=self._transform(chosen, embedder) if transformed else None,
            gate=gate_of(embedder),
        )

    def embedder(self) -> Embedder:
        """What makes the vectors that these settings say."""
        return self._embedder(self._settings)

    def of(self, spec: CollectionSpec) -> Extractor:
        """What makes the vectors of a collection.

        Where its recipe is not known (a catalog of version 1), that of the settings is tried with the embedder of the
        collection's name, and then what the defaults were at the time.

        Raises:
            ConfigurationError: code ``collection-mismatch``: what can be built makes other vectors.
            NitariError: its card or weights cannot be had.
        """
        recipe = spec.recipe or {**recipe_of(self._settings), "embedder": spec.name}
        extractor = self.build(with_recipe(self._settings, recipe), collection=spec.name)
        if spec.recipe is None and extractor.spec != spec:
            recipe = {**_BEFORE_RECIPES, "embedder": spec.name}
            former = self.build(with_recipe(self._settings, recipe), collection=spec.name)
            extractor = former if former.spec == spec else extractor
        if extractor.spec != spec:
            raise ConfigurationError(
                f"collection {spec.name!r} was made with width {spec.dim} and fingerprint {spec.fingerprint}; what its "
                f"recipe makes today has width {extractor.dim} and fingerprint {extractor.fingerprint}",
                remedy="bring its model card and weights back, or embed the catalog anew: nitari reembed",
                code="collection-mismatch",
            )
        return extractor

    def default(self, catalog: Catalog) -> Extractor:
        """What makes the vectors of the collection that clients search: what the alias names, else the settings'.

        Raises:
            NitariError: its card or weights cannot be had.
        """
        spec = default_collection(catalog)
        card = self._store.card(self._settings.models.embedder)
        if spec is None or spec.name == card.name:
            return self.build()
        if spec.recipe != recipe_of(self._settings):
            log.warning(
                "the settings name another model than the collection in use was made with, which goes on being used; "
                "`nitari reembed` embeds the catalog with theirs, or let models.embedder name the one in use",
                extra={"settings": self._settings.models.embedder, "in_use": spec.name},
            )
        return self.of(spec)

    def beside(self, catalog: Catalog, *, name: str | None = None) -> Extractor:
        """What the settings make, for a collection beside those that are there; one that is just so is gone on with.

        Args:
            catalog: Whose collections.
            name: Of the collection; by default the model card's, with the fingerprint where that name is taken.

        Raises:
            UsageError: the name stands for other vectors.
        """
        made = self.build()
        there = {info.name: info.spec for info in catalog.collections()}
        like = [spec.name for spec in there.values() if (spec.dim, spec.fingerprint) == (made.dim, made.fingerprint)]
        if name is None:
            free = made.collection if made.collection not in there else f"{made.collection[:55]}-{made.fingerprint[:8]}"
            return self.build(collection=like[0] if like else free)
        if name in there and name not in like:
            raise UsageError(
                f"collection {name!r} is there already and was made otherwise, with fingerprint "
                f"{there[name].fingerprint}, not {made.fingerprint}",
                remedy="choose another --name, or drop that collection: nitari collection drop",
                code="collection-taken",
            )
        return self.build(collection=name)

    def others(self, catalog: Catalog, *, than: str) -> Others:
        """Those of all other collections that are kept up, as the catalog says at each call.

        One that cannot be built is left out, which is logged once; the photos that it misses are found lacking.
        """

        def current() -> Sequence[Extractor]:
            specs = [spec for spec in catalog.maintained() if spec.name != than]
            return [extractor for spec in specs if (extractor := self._once(spec)) is not None]

        return current

    def _once(self, spec: CollectionSpec) -> Extractor | None:
        with self._lock:
            if spec not in self._built:
                try:
                    self._built[spec] = self.of(spec)
                except NitariError as exc:
                    log.warning(
                        "a collection beside the one in use cannot be kept up",
                        extra={"collection": spec.name, "reason": exc.message, "remedy": exc.remedy},
                    )
                    self._built[spec] = None
            return self._built[spec]

    def network(self, name: str) -> Embedder:
        """The network behind one card, without anything that is learned on top of it.

        Raises:
            ModelError: a card that is no embedder's.
        """
        card = self._store.card(name)
        if card.kind != "embedder":
            raise ModelError(f"model {name} is of kind {card.kind}, expected one network", remedy="name an embedder")
        return self._network(card)

    def directions(self, name: str) -> FloatArray | None:
        """What a network's classifier tells apart, float32 ``[features, m]``; ``None`` where its card does not say.

        Raises:
            ModelError: a file that is not there or is another one.
        """
        from nitari.embeddings.head import load_head

        card = self._store.card(name)
        if card.directions is None:
            return None
        folder = card.path.parent if card.path else Path()
        return load_head(folder / card.directions.file, sha256=card.directions.sha256).matrix

    def _embedder(self, settings: Settings) -> Embedder:
        """The embedder that the settings name: one network, or several and descriptors side by side."""
        from nitari.embeddings.composite import CompositeEmbedder

        card = self._store.card(settings.models.embedder)
        if card.kind in ("saliency", "detector"):
            raise ModelError(
                f"model {card.name} finds regions, it does not embed",
                remedy="set models.embedder to an embedder's card",
            )
        if card.kind == "composite":
            detail = settings.extract.detail
            parts = [(self._part(card, part, detail), part.weight) for part in card.parts]
            return CompositeEmbedder(name=card.name, parts=parts, gate=card.gate)
        return self._network(card, settings.extract.detail)

    def _transform(self, settings: Settings, embedder: Embedder) -> QueryTransform | None:
        """What takes the wearer out of query photos of an embedder."""
        from nitari.query_transforms import open_transform

        return open_transform(self._settings.home, self._store.card(settings.models.embedder), embedder)

    def _part(self, composite: Card, part: Part, detail: Detail) -> Embedder:
        """One part of a composite as an embedder, with its head behind it if it has one.

        Raises:
            ModelError: a descriptor that does not exist, or of another width; a head that is not there or does not fit.
        """
        from nitari.embeddings.composite import DescriptorEmbedder
        from nitari.embeddings.descriptors import DESCRIPTORS
        from nitari.embeddings.head import HeadedEmbedder, load_head

        made: Embedder
        if part.is_descriptor:
            descriptor = DESCRIPTORS.get(part.name)
            if descriptor is None or descriptor.dim != part.descriptor_dim:
                there = ", ".join(f"{known.name} of width {known.dim}" for known in DESCRIPTORS.values())
                raise ModelError(
                    f"model card {composite.path or composite.name} has the descriptor {part.name} of width "
                    f"{part.descriptor_dim}, there are {there}",
                    remedy="correct parts in that card",
                )
            made = DescriptorEmbedder(descriptor)
        else:
            made = self._network(self._store.part(composite, part), detail)
        if part.head is None:
            return made
        folder = composite.path.parent if composite.path else Path()
        head = load_head(folder / part.head.file, sha256=part.head.sha256)
        if head.dim != part.head.dim:
            raise ModelError(
                f"the head {part.head.file} gives {head.dim} numbers, its card says {part.head.dim}",
                remedy=f"correct dim of that head in {composite.path or composite.name}",
            )
        return HeadedEmbedder(made, head)

    def _network(self, card: Card, detail: Detail = "full") -> Embedder:
        """One network as an embedder, loaded at its first use."""
        from nitari.embeddings.onnx import OnnxEmbedder

        fingerprint = self._fingerprint(card)
        return OnnxEmbedder(card=card, model=self._lazy(card, fingerprint), fingerprint=fingerprint, detail=detail)

    def detector(self, name: str, *, threshold: float | None = None, detail: Detail = "full") -> RegionFinder:
        """The finder of a detector's card.

        Args:
            name: Of the card, or its file.
            threshold: Least score of what it finds; the card's if not given.
            detail: How large it sees a photo.

        Raises:
            ModelError: a card of another kind.
        """
        from nitari.regions.detector import GarmentFinder

        card = self._store.card(name)
        fingerprint = self._fingerprint(card)
        model = self._lazy(card, fingerprint)
        return GarmentFinder(card=card, model=model, fingerprint=fingerprint, threshold=threshold, detail=detail)

    def finder(self, settings: Settings) -> RegionFinder:
        """The region finder that settings name."""
        if settings.extract.regions == "garments":
            return self.detector(FINDER_CARD, detail=settings.extract.detail)
        if settings.extract.regions == "whole":
            from nitari.regions.whole import WholeFinder

            return WholeFinder()
        from nitari.regions.saliency import SaliencyFinder

        card = self._store.card(SALIENCY_CARD)
        fingerprint = self._fingerprint(card)
        return SaliencyFinder(card=card, model=self._lazy(card, fingerprint), fingerprint=fingerprint)

    def _lazy(self, card: Card, fingerprint: str) -> LazyModel:
        """A card's network, fetched (if settings allow it) and loaded when it is first run, by whichever extractor."""
        from nitari.runtimes.lazy import LazyModel
        from nitari.runtimes.onnx import OnnxModel

        runtime = self._settings.runtime
        memory = _memory.get()
        key = (fingerprint, self._settings.models.cache, runtime.providers, runtime.threads, memory)

        def load() -> Runs:
            (network,) = self._store.networks(card, progress=log.info)
            model = OnnxModel(network.path, providers=runtime.providers, threads=runtime.threads)
            return model if memory is None else memory.remembering(fingerprint, model)

        with _networks_lock:
            return _networks.setdefault(key, LazyModel(load))

    def _fingerprint(self, card: Card) -> str:
        """A card's own where it pins its weights, so that nothing must be there; else of the weights in the store."""
        if any(source.sha256 for source in card.weights):
            return card.fingerprint
        (network,) = self._store.networks(card)
        return network.fingerprint


def gate_of(embedder: Embedder) -> QueryGate | None:
    """What says which blocks of an embedder's query vectors count; ``None`` where all do."""
    from nitari.embeddings.composite import CompositeEmbedder

    return embedder.gate if isinstance(embedder, CompositeEmbedder) else None


def default_collection(catalog: Catalog) -> CollectionSpec | None:
    """The collection that clients search, ``None`` where the settings decide.

    That is what the alias ``default`` names; in a catalog from before there were aliases the only collection, if
    only one holds anything. Where nothing was ever put, nothing is lost by changing one's mind.
    """
    if catalog.seq() == 0:
        return None
    named = catalog.resolve(DEFAULT_ALIAS)
    if named is not None:
        return catalog.collection(named)
    found = [info.spec for info in catalog.collections() if info.vectors]
    return found[0] if len(found) == 1 else None


def adopt(catalog: Catalog, extractor: Extractor) -> None:
    """Register an extractor's collection; it is the default one where there is no other that holds anything.

    Raises:
        ConfigurationError: code ``collection-mismatch``: the collection was made otherwise.
    """
    catalog.register_collection(extractor.spec)
    named = catalog.resolve(DEFAULT_ALIAS)
    if named is not None and (named == extractor.collection or catalog.seq() > 0):
        return
    catalog.point(DEFAULT_ALIAS, extractor.collection)
    if named is not None:  # there is nothing in it to go back to
        catalog.retire(named)


def keep_default(catalog: Catalog, extractors: Extractors) -> None:
    """See that the alias ``default`` names what clients search now, before another collection is built beside it.

    A catalog from before there were aliases has none; then its collection's recipe is not known either.

    Raises:
        UsageError: an empty catalog: there is nothing to embed anew.
    """
    if catalog.seq() == 0:
        raise UsageError(
            "nothing was imported yet, so there is nothing to embed anew",
            remedy="set models.embedder and import a feed: nitari import FEED",
            code="nothing-to-embed",
        )
    spec = default_collection(catalog) or max(catalog.collections(), key=lambda info: info.vectors).spec
    if spec.recipe is None:
        try:
            catalog.register_collection(extractors.of(spec).spec)
        except NitariError as exc:
            log.warning(
                "it is not known how the collection in use was made; new photos will not get into it",
                extra={"collection": spec.name, "reason": exc.message},
            )
    if catalog.resolve(DEFAULT_ALIAS) is None:
        catalog.point(DEFAULT_ALIAS, spec.name)


def _unreadable(recipe: Recipe) -> ConfigurationError:
    return ConfigurationError(
        f"a collection's recipe is {dict(recipe)}, expected an embedder and what extract settings hold",
        remedy="pip install --upgrade nitari: a newer one may have written it",
        code="recipe",
    )
