"""Saved runs: one file that holds all that two runs need to be laid beside each other, however long ago one was made.

JSON, one query a line, so that versions of a committed file can be told apart by a diff. Items and photos are listed
once; rankings and judgments refer to them by number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nitari import __version__
from nitari.disk import write_whole
from nitari.errors import DataError, NitariError, UsageError
from nitari.evaluate.runner import Run
from nitari.types import WHOLE, Box, Hit

MAGIC = "nitari-run"
VERSION = 1
SMALL = 20
"""Ranks that a small saved run keeps."""
_DIGITS = 9


@dataclass(frozen=True, slots=True)
class SavedHit:
    """A hit as people look at it.

    Args:
        item_id: The item.
        photo: Where its photo is: relative to the run's ``image_base``, absolute, or an ``http(s)`` link; empty where
            that is not known.
        box: The region of it that matched.
        score: 0-1.
    """

    item_id: str
    photo: str = ""
    box: Box = WHOLE
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A query with its answer.

    Args:
        query_id: Unique in the run.
        photo: Where the query photo is, as ``SavedHit.photo``.
        box: The region that was searched with, where one was given.
        category: Empty for none.
        failure: Why it could not be asked; empty where it was.
        ranking: Item ids, best first, as many as the run keeps.
        hits: The first of them, with photos; fewer than the ranking, maybe none.
        grades: Judged items with their grade.
        measures: Each measure's value; empty where no relevant item is known.
    """

    query_id: str
    photo: str = ""
    box: Box | None = None
    category: str = ""
    failure: str = ""
    ranking: tuple[str, ...] = ()
    hits: tuple[SavedHit, ...] = ()
    grades: Mapping[str, int] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run, as it was or comes out of a file.

    Args:
        name: For people: which model or collection answered.
        protocol: What was asked; runs of different protocols cannot be compared.
        queries: In the protocol's order.
        settings: What shaped the answers.
        depth: Hits that were ranked for a query.
        kept: Of these, how many each ranking keeps.
        image_base: Folder that relative photos lie in; ``None`` where it is not known.
        made: When, ISO 8601 in UTC.
        version: Of Nitari.
    """

    name: str
    protocol: str
    queries: tuple[SavedQuery, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0
    kept: int = 0
    image_base: str | None = None
    made: str = ""
    version: str = __version__

    def by_id(self) -> dict[str, SavedQuery]:
        """The queries by their ids."""
        return {query.query_id: query for query in self.queries}


def now() -> str:
    """The present moment, as ``SavedRun.made`` has it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def of_run(
    run: Run, values: Mapping[str, Mapping[str, float]], *, name: str, settings: Mapping[str, Any] | None = None
) -> SavedRun:
    """What is kept of a protocol's run.

    Args:
        run: What ``run_protocol`` gave.
        values: Each measure of each query, as the report has it.
        name: For people.
        settings: What shaped the answers.
    """
    judgments = run.protocol.judgments or {}
    queries = tuple(
        SavedQuery(
            query_id=query.query_id,
            photo=query.image_link,
            box=query.box,
            category=query.category,
            failure=run.failures.get(query.query_id, ""),
            ranking=tuple(item_id for item_id, _ in run.rankings.get(query.query_id, ())),
            hits=saved_hits(run.hits.get(query.query_id, ())),
            grades=dict(judgments.get(query.query_id, {})),
            measures=dict(values.get(query.query_id, {})),
        )
        for query in run.protocol.queries
    )
    base = run.protocol.gallery.image_base
    return SavedRun(name, run.protocol.name, queries, dict(settings or {}), run.depth, run.depth, base, now())


def saved_hits(hits: Sequence[Hit], photo_of: Callable[[Hit], str] = lambda hit: hit.image) -> tuple[SavedHit, ...]:
    """Hits as a saved run has them."""
    return tuple(SavedHit(hit.item_id, photo_of(hit), hit.box, round(hit.score, 6)) for hit in hits)


def small(run: SavedRun, kept: int = SMALL) -> SavedRun:
    """The same run without photos or paths, its rankings cut: small enough to be committed, fit to be shown anybody.

    The measures stay those of the whole rankings.
    """
    queries = tuple(
        replace(query, photo="", ranking=query.ranking[:kept], hits=(), failure=query.failure and "failed")
        for query in run.queries
    )
    return replace(run, queries=queries, kept=min(kept, run.kept), image_base=None)


def write_saved(path: Path, run: SavedRun) -> None:
    """Write a run, whole or not at all.

    Raises:
        UsageError: where the file cannot be written.
    """
    try:
        write_whole(path, "\n".join(_lines(run)).encode() + b"\n")
    except OSError as exc:
        raise UsageError(f"the run cannot be saved to {path}: {exc.strerror}", remedy="name another file") from exc


def read_saved(path: Path) -> SavedRun:
    """Read what ``write_saved`` wrote.

    Raises:
        DataError: another file, one of a newer version, or a damaged one.
    """
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise DataError(f"{path} cannot be read: {exc.strerror}", remedy="check the path", code="run") from exc
    except ValueError as exc:
        raise _not_a_run(path, f"it is not JSON ({exc})") from exc
    if not isinstance(told, dict) or told.get("magic") != MAGIC:
        raise _not_a_run(path, f"it has no magic {MAGIC!r}")
    if told.get("version") != VERSION:
        raise DataError(
            f"{path} is a saved run of format {told.get('version')!r}; this Nitari reads {VERSION}",
            remedy="pip install --upgrade nitari, or save the run anew",
            code="run",
        )
    try:
        return _decoded(told)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, NitariError) as exc:
        raise _not_a_run(path, f"it is damaged ({type(exc).__name__}: {exc})") from exc


class _Numbers:
    """Gives each text a number, in the order they come."""

    def __init__(self) -> None:
        self.texts: dict[str, int] = {}

    def of(self, text: str) -> int:
        return self.texts.setdefault(text, len(self.texts))


def _lines(run: SavedRun) -> Iterator[str]:
    """The lines of a file."""
    names = list(dict.fromkeys(name for query in run.queries for name in query.measures))
    items, photos = _Numbers(), _Numbers()
    queries = [_encoded(query, names, items, photos) for query in run.queries]
    head = {
        "magic": MAGIC,
        "version": VERSION,
        "name": run.name,
        "protocol": run.protocol,
        "made": run.made,
        "nitari": run.version,
        "depth": run.depth,
        "kept": run.kept,
        "image_base": run.image_base,
        "settings": run.settings,
        "measures": names,
        "items": list(items.texts),
        "photos": list(photos.texts),
    }
    yield "{"
    for name, value in head.items():
        yield f"{json.dumps(name)}: {_compact(value)},"
    yield '"queries": ['
    for i, query in enumerate(queries):
        yield _compact(query) + ("," if i < len(queries) - 1 else "")
    yield "]}"


def _encoded(query: SavedQuery, names: Sequence[str], items: _Numbers, photos: _Numbers) -> dict[str, Any]:
    """A query as one line says it; what is empty is left out."""
    grades: dict[str, list[int]] = {}
    for item_id, grade in query.grades.items():
        grades.setdefault(str(grade), []).append(items.of(item_id))
    told: dict[str, Any] = {
        "id": query.query_id,
        "photo": photos.of(query.photo) if query.photo else None,
        "box": query.box.as_list() if query.box else None,
        "category": query.category,
        "failure": query.failure,
        "ranking": [items.of(item_id) for item_id in query.ranking],
        "hits": [[photos.of(hit.photo), hit.score, hit.box.as_list()] for hit in query.hits],
        "grades": grades,
        "measures": [round(query.measures[name], _DIGITS) for name in names] if query.measures else [],
    }
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}


def _decoded(told: dict[str, Any]) -> SavedRun:
    items, photos, names = (_texts(told[name]) for name in ("items", "photos", "measures"))
    queries = tuple(_query(one, items, photos, names) for one in told["queries"])
    ids = [query.query_id for query in queries]
    if not queries or len(set(ids)) != len(ids):
        raise ValueError("there is no query, or one that is there twice")
    base = told["image_base"]
    return SavedRun(
        name=str(told["name"]),
        protocol=str(told["protocol"]),
        queries=queries,
        settings=dict(told["settings"]),
        depth=int(told["depth"]),
        kept=int(told["kept"]),
        image_base=None if base is None else str(base),
        made=str(told["made"]),
        version=str(told["nitari"]),
    )


def _query(told: dict[str, Any], items: Sequence[str], photos: Sequence[str], names: Sequence[str]) -> SavedQuery:
    ranking = tuple(_at(items, number) for number in told.get("ranking", ()))
    if len(set(ranking)) != len(ranking):
        raise ValueError(f"query {told['id']!r} ranks an item twice")
    hits = told.get("hits", ())
    if len(hits) > len(ranking):
        raise ValueError(f"query {told['id']!r} has more hits than ranks")
    values = [float(value) for value in told.get("measures", ())]
    return SavedQuery(
        query_id=str(told["id"]),
        photo=_at(photos, told["photo"]) if "photo" in told else "",
        box=Box(*told["box"]) if "box" in told else None,
        category=str(told.get("category", "")),
        failure=str(told.get("failure", "")),
        ranking=ranking,
        hits=tuple(
            SavedHit(item_id, _at(photos, photo), Box(*box), float(score))
            for item_id, (photo, score, box) in zip(ranking, hits, strict=False)
        ),
        grades={
            _at(items, number): int(grade) for grade, numbers in told.get("grades", {}).items() for number in numbers
        },
        measures=dict(zip(names, values, strict=True)) if values else {},
    )


def _at(texts: Sequence[str], number: object) -> str:
    if not isinstance(number, int) or number < 0:
        raise TypeError(f"{number!r} is no number of a text")
    return texts[number]


def _texts(told: object) -> list[str]:
    if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
        raise TypeError("a list of texts is something else")
    return told


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _not_a_run(path: Path, found: str) -> DataError:
    return DataError(
        f"{path} is no saved run: {found}",
        remedy=f"make one with: nitari eval PROTOCOL DIR --save {path.name}",
        code="run",
    )
