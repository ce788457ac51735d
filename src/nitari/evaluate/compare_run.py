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
from nitari.catalog.base import FeedRow
from nitari.disk import write_whole
from nitari.errors import DataError, NitariError, UsageError
from nitari.evaluate.measures import MEASURES, measure, per_query
from nitari.evaluate.protocols import EvalProtocol, Lens
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
class SavedMeasure:
    """A number that a run was measured by.

    Args:
        name: As reports call it, which is what ``SavedQuery.measures`` says.
        measure: What it is, as ``nitari.evaluate.measures.measure`` knows it.
        less_is_better: Whether a small number is the good one.
        is_own: Whether it goes by other judgments than ``SavedQuery.grades``; it cannot be computed anew then.
    """

    name: str
    measure: str
    less_is_better: bool = False
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A run, as it was or comes out of a file.

    Args:
        name: For people: which model or collection answered.
        protocol: What was asked; runs of different protocols cannot be compared.
        queries: In the protocol's order.
        measures: What each judged query was measured by, in the order of reports.
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
    measures: tuple[SavedMeasure, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    depth: int = 0
    kept: int = 0
    image_base: str | None = None
    made: str = ""
    version: str = __version__

    def by_id(self) -> dict[str, SavedQuery]:
        """The queries by their ids."""
        return {query.query_id: query for query in self.queries}


def of_run(
    run: Run,
    *,
    name: str,
    settings: Mapping[str, Any] | None = None,
    photo_of: Callable[[Hit], str] | None = None,
) -> SavedRun:
    """What is kept of a protocol's run, with each query's measures as ``nitari eval`` reports them.

    Args:
        run: What ``run_protocol`` gave.
        name: For people.
        settings: What shaped the answers.
        photo_of: Where a hit's photo is, as ``SavedHit.photo``; by default where its gallery's feed says.
    """
    protocol = run.protocol
    judgments, values = protocol.judgments or {}, _values(run)
    place = photo_of or _place_in(protocol)
    queries = tuple(
        SavedQuery(
            query_id=query.query_id,
            photo=_absolute(query.image_link, query.image_base),
            box=query.box,
            category=query.category,
            failure=run.failures.get(query.query_id, ""),
            ranking=tuple(item_id for item_id, _ in run.rankings.get(query.query_id, ())),
            hits=tuple(
                SavedHit(hit.item_id, place(hit), hit.box, round(hit.score, 6))
                for hit in run.hits.get(query.query_id, ())
            ),
            grades=dict(judgments.get(query.query_id, {})),
            measures=values.get(query.query_id, {}),
        )
        for query in protocol.queries
    )
    own = {lens.name for lens in protocol.lenses if lens.judgments is not None}
    measures = tuple(
        SavedMeasure(lens.name, lens.measure, lens.less_is_better, lens.name in own) for lens in protocol.measured
    )
    return SavedRun(
        name=name,
        protocol=protocol.name,
        queries=queries,
        measures=measures,
        settings=dict(settings or {}),
        depth=run.depth,
        kept=run.depth,
        image_base=protocol.gallery.image_base,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def standard(names: Sequence[str] = MEASURES) -> tuple[SavedMeasure, ...]:
    """The measures that are reported where a protocol has none of its own."""
    return tuple(SavedMeasure(name, name) for name in names)


def small(run: SavedRun, kept: int = SMALL) -> SavedRun:
    """The same run without photos or paths, its rankings cut: small enough to be committed, fit to be shown anybody.

    The measures stay those of the whole rankings.
    """
    queries = tuple(
        replace(query, photo="", ranking=query.ranking[:kept], hits=(), failure=query.failure and "failed")
        for query in run.queries
    )
    settings = {
        name: Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
        for name, value in run.settings.items()
    }
    return replace(run, queries=queries, settings=settings, kept=min(kept, run.kept), image_base=None)


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
    names = [measure.name for measure in run.measures]
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
        "measures": [
            {"name": one.name, "measure": one.measure, "less_is_better": one.less_is_better, "is_own": one.is_own}
            for one in run.measures
        ],
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
        "measures": [_rounded(query.measures.get(name)) for name in names] if query.measures else [],
    }
    return {name: value for name, value in told.items() if value not in (None, "", [], {})}


def _decoded(told: dict[str, Any]) -> SavedRun:
    items, photos = _texts(told["items"]), _texts(told["photos"])
    measures = tuple(_measure(one) for one in told["measures"])
    names = [measure.name for measure in measures]
    queries = tuple(_query(one, items, photos, names) for one in told["queries"])
    ids = [query.query_id for query in queries]
    if not queries or len(set(ids)) != len(ids):
        raise ValueError("there is no query, or one that is there twice")
    base = told["image_base"]
    return SavedRun(
        name=str(told["name"]),
        protocol=str(told["protocol"]),
        queries=queries,
        measures=measures,
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
    values = [None if value is None else float(value) for value in told.get("measures", ())]
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
        measures={name: value for name, value in zip(names, values, strict=True) if value is not None}
        if values
        else {},
    )


def _measure(told: dict[str, Any]) -> SavedMeasure:
    measure(str(told["measure"]))  # one that we know
    return SavedMeasure(str(told["name"]), str(told["measure"]), bool(told["less_is_better"]), bool(told["is_own"]))


def _at(texts: Sequence[str], number: object) -> str:
    if not isinstance(number, int) or number < 0:
        raise TypeError(f"{number!r} is no number of a text")
    return texts[number]


def _texts(told: object) -> list[str]:
    if not isinstance(told, list) or not all(isinstance(one, str) for one in told):
        raise TypeError("a list of texts is something else")
    return told


def _values(run: Run) -> dict[str, dict[str, float]]:
    """What each lens of the protocol says of each query that it looks at."""
    found: dict[str, dict[str, float]] = {}
    by_judgments: dict[int, list[Lens]] = {}
    for lens in run.protocol.measured:
        by_judgments.setdefault(id(lens.judgments), []).append(lens)
    for lenses in by_judgments.values():
        measures = list(dict.fromkeys(lens.measure for lens in lenses))
        for query_id, values in per_query(lenses[0].judgments or {}, run.rankings, measures).items():
            found.setdefault(query_id, {}).update({lens.name: values[lens.measure] for lens in lenses})
    return found


def _place_in(protocol: EvalProtocol) -> Callable[[Hit], str]:
    """Where the photos of hits are: those of further galleries are told by their whole path."""
    bases = {
        entry.item.item_id: gallery.image_base
        for gallery in protocol.also
        for entry in gallery.read()
        if isinstance(entry, FeedRow)
    }
    return lambda hit: _absolute(hit.image, bases.get(hit.item_id))


def _absolute(link: str, base: str | None) -> str:
    is_path = base is not None and not link.lower().startswith(("http://", "https://"))
    return str(Path(base, link)) if is_path and base is not None else link


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _not_a_run(path: Path, found: str) -> DataError:
    return DataError(
        f"{path} is no saved run: {found}",
        remedy=f"make one with: nitari eval PROTOCOL DIR --save {path.name}",
        code="run",
    )
