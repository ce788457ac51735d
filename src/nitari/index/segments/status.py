"""How an index on disk is: what people ask before they ask anything else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nitari.disk import usage
from nitari.errors import StateError
from nitari.index.segments.manifest import Manifest
from nitari.index.segments.store import IndexStore
from nitari.index.segments.survey import Truth, take_survey


@dataclass(frozen=True, slots=True)
class SegmentStatus:
    """A sealed segment.

    Args:
        name: Its name.
        rows: Its rows.
        dead: Those of them that the catalog does not have any more.
        engine: What finds candidates; empty where rows are scanned.
        problem: Why it cannot be used; empty where it can.
    """

    name: str
    rows: int
    dead: int
    engine: str
    problem: str


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """An index on disk.

    Args:
        collection: Whose.
        number: Of its manifest; 0 where there is none, which is right for a small catalog.
        behind: Changes since the manifest.
        table_behind: Changes since the saved table of items; ``None`` where there is none.
        rows: Vectors of the collection in the catalog.
        live: Those in no segment; each process holds them in memory.
        bytes: On disk.
        segments: What it consists of.
        problem: Why it cannot be used; empty where it can.
        rejected: What was set aside because it was damaged.
        maintainer: What the maintainer noted last: ``at pid done problem damaged``.
    """

    collection: str
    number: int
    behind: int
    table_behind: int | None
    rows: int
    live: int
    bytes: int
    segments: tuple[SegmentStatus, ...]
    problem: str
    rejected: tuple[str, ...]
    maintainer: Mapping[str, Any]


def status_of(store: IndexStore, truth: Truth) -> IndexStatus:
    """Look at an index and its catalog; about a second a million rows. Changes nothing."""
    problem = ""
    try:
        manifest = store.manifest()
    except StateError as exc:
        manifest, problem = None, exc.message
    survey, damaged = take_survey(store, truth, manifest or Manifest(store.origin))
    usable = [SegmentStatus(held.name, held.rows, held.dead, held.engine, "") for held in survey.held]
    unusable = [SegmentStatus(found.entry.name, 0, 0, "", found.reason) for found in damaged]
    table = manifest.table if manifest else None
    return IndexStatus(
        collection=store.origin.collection,
        number=manifest.number if manifest else 0,
        behind=survey.seq - manifest.seq if manifest else survey.seq,
        table_behind=survey.seq - table.seq if table else None,
        rows=survey.rows,
        live=survey.new.size,
        bytes=usage(store.folder).bytes,
        segments=(*usable, *unusable),
        problem=problem,
        rejected=store.rejected(),
        maintainer=store.noted(),
    )
