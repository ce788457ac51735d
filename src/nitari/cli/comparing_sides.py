"""What ``nitari compare`` compares: a saved run as it is; a card, settings or a collection once it was asked."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from nitari.catalog.base import Catalog, CollectionSpec
from nitari.catalog.sql import FILE_NAME
from nitari.cli.evaluating import measure, told_of
from nitari.cli.output import CommandContext
from nitari.cli.progress import Tally, counting
from nitari.cli.searching import worn_choice
from nitari.errors import ConfigurationError, DataError, NotFoundError, UsageError
from nitari.evaluate.compare_queries import DEPTH, AsItIs, of_csv, of_feed
from nitari.evaluate.compare_run import SavedRun, of_run, read_saved
from nitari.evaluate.runner import run_protocol
from nitari.images.base import UPLOAD
from nitari.recipes import Extractors, open_store, recipe_of, with_recipe
from nitari.search.query import Query
from nitari.settings import Settings, load_settings
from nitari.types import Hit
from nitari.wiring import QUERY_PHOTOS, open_catalog, open_feed, open_originals, open_searcher

if TYPE_CHECKING:
    from nitari.evaluate.protocols import EvalProtocol
    from nitari.extract import Extractor
    from nitari.images.cache import OriginalsCache

_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "emphasis": float,
    "worn": worn_choice,
    "category": str,
    "min_score": float,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """How sides that are no saved run are asked.

    Args:
        context: The home, and what else the global options say.
        protocol: A protocol's name and folder.
        queries: A folder of photos, a feed or a ``queries.csv``, to be asked of the home.
        quiet: Whether no progress is shown.
    """

    context: CommandContext
    protocol: tuple[str, Path] | None = None
    queries: Path | None = None
    quiet: bool = False


def kept_queries(context: CommandContext) -> Path:
    """The folder of the query photos that the home's server keeps.

    Raises:
        DataError: it keeps none.
    """
    folder = context.settings().home / QUERY_PHOTOS
    if not folder.is_dir():
        raise DataError(
            f"{folder} is not there: no query photo was ever kept in this home",
            remedy="serve the page and let shoppers keep photos for links, or give --queries FOLDER",
            code="queries",
        )
    return folder


def run_of(spec: str, asked: Asked) -> SavedRun:
    """The run of one side: read from its file, or made now through the production searcher.

    Args:
        spec: What it is; ``NAME?worn=off&emphasis=1`` asks with these options of a query.
        asked: How to ask it.

    Raises:
        UsageError: neither a protocol nor queries are given, and the side is no saved run.
        NotFoundError: nothing is called so.
        NitariError: what reading, importing and searching raise.
    """
    path = Path(spec).expanduser()
    if path.suffix == ".json" or (path.is_file() and path.suffix != ".toml"):
        return read_saved(path)
    name, options = _options(spec)
    if asked.queries is not None:
        return _ask_home(name, asked, options, label=_label(spec))
    if asked.protocol is None:
        raise UsageError(
            f"{spec!r} is no saved run, and nothing says what it is to be asked",
            remedy="add --protocol luma DIR, or --queries FOLDER to ask the home; or give a run that "
            "`nitari eval ... --save` wrote",
        )
    protocol, folder = asked.protocol
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder", remedy="give the catalog's folder: --protocol luma DIR")
    folds = Path(name).expanduser() if Path(name).expanduser().is_dir() else None
    settings = asked.context.settings() if folds else _settings(name, asked.context)
    run = measure(settings, protocol, folder, quiet=asked.quiet, options=options, folds=folds)
    told = {**told_of(settings), **options, **({"embedder": "of each fold"} if folds else {})}
    return of_run(run, name=_label(spec), settings=told)


def _options(spec: str) -> tuple[str, dict[str, Any]]:
    """A side's name, and the options of queries behind its question mark.

    Raises:
        UsageError: an option that is none, or a value that it does not take.
    """
    name, mark, text = spec.partition("?")
    if not mark:
        return spec, {}
    options: dict[str, Any] = {}
    for option, value in parse_qsl(text, keep_blank_values=True):
        if option not in _OPTIONS:
            raise UsageError(f"{spec!r}: there is no option {option!r}", remedy=f"give one of {', '.join(_OPTIONS)}")
        try:
            options[option] = _OPTIONS[option](value)
        except ValueError as exc:
            raise UsageError(f"{spec!r}: {option} is {value!r}, which is no number") from exc
    Query(item_id="any", **options)  # which says what it does not take
    return name, options


def _settings(spec: str, context: CommandContext) -> Settings:
    """The settings that a side stands for: a file's, a card's, or those that a collection was made with."""
    settings = context.settings()
    path = Path(spec).expanduser()
    if path.suffix == ".toml":
        return _of_toml(path, context)
    if _is_card(settings, spec):
        return settings.model_copy(update={"models": settings.models.model_copy(update={"embedder": spec})})
    found = _collection(settings, spec)
    if found is None:
        raise _unknown(spec)
    if found.recipe is None:
        raise ConfigurationError(
            f"it is not known how collection {spec!r} was made", remedy="compare it with --queries, as it is"
        )
    return with_recipe(settings, found.recipe)


def _of_toml(path: Path, context: CommandContext) -> Settings:
    """A card's file has a name and a kind, a file of settings has their sections."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise DataError(f"{path} cannot be read: {exc.strerror}", remedy="check the path") from exc
    except ValueError as exc:
        raise DataError(f"{path} is no TOML: {exc}", remedy="correct it") from exc
    if {"name", "kind"} <= told.keys():
        settings = context.settings()
        models = settings.models.model_copy(update={"embedder": str(path.resolve())})
        return settings.model_copy(update={"models": models})
    if told and told.keys() <= Settings.model_fields.keys():
        return load_settings(home=context.settings().home, config=path.resolve())
    raise DataError(
        f"{path} is neither a model card (it has no name and kind) nor settings (sections such as models, extract)",
        remedy="see docs/how-to/compare.md",
    )


def _is_card(settings: Settings, name: str) -> bool:
    try:
        open_store(settings).card(name)
    except NotFoundError:
        return False
    return True


def _collection(settings: Settings, name: str) -> CollectionSpec | None:
    """A collection of the home, by its name or an alias; a home without a catalog has none, and gets none."""
    if not (settings.home / FILE_NAME).exists():
        return None
    with open_catalog(settings) as catalog:
        wanted = catalog.resolve(name) or name
        return next((info.spec for info in catalog.collections() if info.name == wanted), None)


def _ask_home(spec: str, asked: Asked, options: Mapping[str, Any], *, label: str) -> SavedRun:
    """Ask the queries of one of the home's collections."""
    settings, extractor = _of_home(spec, asked.context)
    protocol = _queries(settings, asked.queries or Path())
    started = monotonic()
    with open_catalog(settings) as catalog, counting("asking", "queries", quiet=asked.quiet) as show:
        run = run_protocol(
            protocol,
            ingester=AsItIs(),
            open_searcher=lambda: open_searcher(settings, extractor=extractor),
            depth=DEPTH,
            workers=settings.ingest.workers,
            options=options,
            on_query=lambda done, total: show(Tally(done, total, monotonic() - started, "")),
        )
        told = {**recipe_of(settings), "collection": extractor.collection, "engine": settings.index.engine, **options}
        return of_run(run, name=label, settings=told, photo_of=partial(_place, catalog, open_originals(settings)))


def _of_home(spec: str, context: CommandContext) -> tuple[Settings, Extractor]:
    """A collection of the home by name or alias, or the one that a card or settings would make.

    Raises:
        NotFoundError: there is no such collection.
    """
    settings = context.settings()
    found = _collection(settings, spec)
    if found is not None:
        extractor = Extractors(settings).of(found)
        recipe = found.recipe
        return settings if recipe is None else with_recipe(settings, recipe), extractor
    chosen = _settings(spec, context)
    made = Extractors(chosen).build()
    if (settings.home / FILE_NAME).exists():
        with open_catalog(settings) as catalog:
            for info in catalog.collections():
                if (info.spec.dim, info.spec.fingerprint) == (made.dim, made.fingerprint):
                    return chosen, Extractors(chosen).build(collection=info.name)
    raise NotFoundError(
        f"no collection of {settings.home} was made as {spec!r} says",
        remedy="embed the catalog so first, beside what is there: nitari reembed CARD; `nitari collection list` shows "
        "what there is",
    )


def _queries(settings: Settings, where: Path) -> EvalProtocol:
    if where.is_dir():
        return of_feed(open_feed(settings, str(where)))
    return of_csv(where)


def _place(catalog: Catalog, originals: OriginalsCache, hit: Hit) -> str:
    """Where a hit's photo can be seen: the file in its feed's folder, the kept original, or its link."""
    stored = catalog.get(hit.item_id)
    is_web = hit.image.lower().startswith(("http://", "https://"))
    if stored is None:
        return hit.image if is_web else ""
    if stored.image_base is not None and not is_web and not hit.image.startswith(UPLOAD):
        return str(Path(stored.image_base, hit.image))
    digest = next((image.digest for image in stored.images if image.link == hit.image), None)
    kept = None if digest is None else originals.locate(digest)
    return str(kept) if kept is not None else (hit.image if is_web else "")


def _label(spec: str) -> str:
    """What a side is called on the page: a file or folder by its name alone."""
    name, mark, options = spec.partition("?")
    path = Path(name)
    if path.suffix == ".toml" or path.expanduser().is_dir():
        name = path.resolve().stem if path.suffix == ".toml" else path.resolve().name
    return f"{name}{mark}{options}"


def _unknown(spec: str) -> NotFoundError:
    return NotFoundError(
        f"{spec!r} is no saved run, no model card and no collection of the home",
        remedy="`nitari model list` shows the cards, `nitari collection list` the collections; a run is saved by "
        "nitari eval PROTOCOL DIR --save RUN.json",
    )
