"""From settings to the index of a collection, and to what maintains it.

Beside ``wiring`` and ``recipes`` the only module that names adapters: those of the index. None of it needs a model.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from nitari.errors import UsageError

if TYPE_CHECKING:
    from nitari.catalog.base import CollectionSpec
    from nitari.catalog.sql import SqlCatalog
    from nitari.index.base import Editions, VectorIndex
    from nitari.index.segments.engine import SegmentEngine
    from nitari.index.segments.maintain import Maintainer
    from nitari.index.segments.policy import Policy
    from nitari.index.segments.status import IndexStatus
    from nitari.index.segments.store import IndexStore
    from nitari.settings import Settings

INDEXES = "index"
"""The folder of all indexes in the home folder."""
_MIB = 2**20


def open_index(settings: Settings, catalog: SqlCatalog, spec: CollectionSpec) -> tuple[VectorIndex, Editions | None]:
    """An empty index for a collection, and where what it takes over is published; ``None`` for engines that take none.

    Raises:
        MissingExtraError: the engine's library is not installed.
    """
    engine = settings.index.engine
    if engine == "exact":
        from nitari.index.exact import ExactIndex

        return ExactIndex(spec.dim), None
    if engine == "faiss":
        from nitari.index.faiss import FaissIndex

        return FaissIndex(spec.dim), None
    if engine == "ngt":
        from nitari.index.ngt import NgtIndex

        return NgtIndex(spec.dim), None
    from nitari.index.segments.segmented import SegmentedIndex
    from nitari.index.segments.tune import load_costs

    index = SegmentedIndex(
        spec.dim,
        costs=load_costs(settings.home / INDEXES),
        recall_target=settings.index.recall_target,
        copy_engine=segment_engines()["ivf"],
    )
    return index, open_index_store(settings, catalog, spec)


def open_index_store(settings: Settings, catalog: SqlCatalog, spec: CollectionSpec) -> IndexStore:
    """The index of a collection on disk."""
    from nitari.index.segments.manifest import Origin
    from nitari.index.segments.store import IndexStore

    origin = Origin(spec.name, spec.dim, spec.fingerprint, catalog.identity_of(spec.name))
    return IndexStore(_folder(settings, spec.name), origin=origin, engines=segment_engines())


def remove_index(settings: Settings, collection: str) -> None:
    """Delete the index of a collection that was dropped. What somebody still has open goes when it is closed."""
    shutil.rmtree(_folder(settings, collection), ignore_errors=True)


def segment_engines() -> Mapping[str, SegmentEngine]:
    """What opens sealed segments, by name, as far as it is installed."""
    from importlib.util import find_spec

    from nitari.index.segments.ivf import IvfEngine

    engines: dict[str, SegmentEngine] = {"ivf": IvfEngine()}
    if find_spec("ngtpy"):
        from nitari.index.segments.ngt import NgtEngine

        engines["ngt"] = NgtEngine()
    return engines


def open_maintainer(settings: Settings, catalog: SqlCatalog, spec: CollectionSpec) -> Maintainer:
    """What keeps a collection's index. Close it, to let others."""
    from nitari.index.calibrate import calibrate_searcher
    from nitari.index.segments.maintain import Maintainer
    from nitari.search.tables import TableKeeper

    store = open_index_store(settings, catalog, spec)
    engine = "" if settings.index.segments == "none" else settings.index.segments
    if engine not in {"", *store.engines}:
        from nitari.errors import MissingExtraError

        raise MissingExtraError(f"index.segments = {engine!r}", engine)
    return Maintainer(
        store=store,
        truth=catalog,
        policy=_policy(settings),
        engine=engine,
        threads=settings.index.build_threads,
        calibrate=calibrate_searcher,
        tables=TableKeeper(catalog, spec.name),
        scrub_bytes_s=settings.index.scrub_mib_s * _MIB,
    )


def tune(settings: Settings) -> Path:
    """Measure for some seconds what searching costs on this machine, for the planner. Returns where that is kept.

    Raises:
        ConfigurationError: the home folder cannot be written.
    """
    from nitari.errors import ConfigurationError
    from nitari.index.segments.tune import measure_costs, save_costs

    costs = measure_costs(segment_engines()["ivf"])
    try:
        return save_costs(settings.home / INDEXES, costs)
    except OSError as exc:
        raise ConfigurationError(
            f"what was measured cannot be kept in {settings.home / INDEXES}: {exc.strerror}",
            remedy="choose another home with --home or NITARI__HOME, or make room",
        ) from exc


@contextmanager
def open_maintainers(settings: Settings, catalog: SqlCatalog) -> Iterator[Sequence[Maintainer]]:
    """What keeps the index of each collection that the catalog keeps up to date."""
    with ExitStack() as stack:
        yield [stack.enter_context(closing(open_maintainer(settings, catalog, spec))) for spec in collections(catalog)]


def maintain_once(settings: Settings, catalog: SqlCatalog, *, settle: bool = False) -> Mapping[str, tuple[str, ...]]:
    """Do what is due in all indexes, unless another process maintains them. Returns what was done, by collection.

    Raises:
        StateError: the disk is full or a folder cannot be written.
    """
    if settings.index.engine != "auto":
        return {}
    with open_maintainers(settings, catalog) as maintainers:
        return {maintainer.collection: maintainer.run_once(settle=settle) for maintainer in maintainers}


def index_status(settings: Settings, catalog: SqlCatalog) -> Sequence[IndexStatus]:
    """How the index of each collection is."""
    from nitari.index.segments.status import status_of

    return [status_of(open_index_store(settings, catalog, spec), catalog) for spec in collections(catalog)]


def collections(catalog: SqlCatalog) -> Sequence[CollectionSpec]:
    """The collections that have an index on disk: those that new photos get features in. Cheap."""
    # Where no alias was set yet, in a catalog from before there were any, all are searched as they were.
    return catalog.maintained() or [info.spec for info in catalog.collections()]


def chosen(catalog: SqlCatalog, names: Sequence[str]) -> Sequence[CollectionSpec]:
    """The collections of these names; all for none.

    Raises:
        UsageError: a name that there is not.
    """
    specs = collections(catalog)
    unknown = set(names) - {spec.name for spec in specs}
    if unknown:
        raise UsageError(
            f"no collection is named {', '.join(sorted(unknown))}",
            remedy=f"collections are: {', '.join(spec.name for spec in specs) or 'none yet'}",
        )
    return [spec for spec in specs if not names or spec.name in names]


def is_large(settings: Settings, rows: int, dim: int) -> bool:
    """Whether a collection of so many rows has segments on disk, or will once it is quiet."""
    return settings.index.engine == "auto" and rows >= _policy(settings).fewest_to_seal(dim)


def maintainer_command(settings: Settings) -> list[str]:
    """The command line of a process that maintains the home's indexes until its standard input is closed."""
    return [sys.executable, "-m", "nitari", "--home", os.fspath(settings.home), "index", "maintain", "--follow",
            "--until-stdin-closes"]  # fmt: skip


def _folder(settings: Settings, collection: str) -> Path:
    return settings.home / INDEXES / collection


def _policy(settings: Settings) -> Policy:
    from nitari.index.segments.policy import Policy

    return Policy(seal_rows=settings.index.seal_rows)
