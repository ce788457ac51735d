"""Whether the recall that is promised is kept: real queries, asked again off the query path and compared.

What is compared are a segment's engine and an exact scan of the same segment, over all its rows: files that never
change, so that no query waits. Only vectors are kept of queries, a few at a time, in memory.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Sequence
from threading import Lock

import numpy as np

from nitari.index.base import Recall
from nitari.index.calibrate import effort_for
from nitari.index.segments.flat import nearest_rows
from nitari.index.segments.part import SealedPart
from nitari.types import FloatArray

log = logging.getLogger(__name__)

# Of so many of the nearest recall is judged, as it is where it is promised.
DEPTH = 10
_REMEMBERED = 256
# One query in so many is remembered, and each segment is judged by so many.
_ONE_IN = 8
_JUDGED = 400
_JUDGED_AT_LEAST = 50
# 1.96 standard deviations: 95 % of all intervals hold the truth.
_DEVIATIONS = 1.96
_SAME_DISTANCE = 1e-6


class RecallWatch:
    """Remembers some recent queries and checks segments with them. Safe for any threads.

    Args:
        target: What is promised, 0-1.
    """

    def __init__(self, target: float) -> None:
        self._target = target
        self._vectors: deque[FloatArray] = deque(maxlen=_REMEMBERED)
        self._since = 0
        self._lock = Lock()
        # By segment: for each query whether each of its nearest was found, the newest last.
        self._found: dict[int, deque[tuple[int, int]]] = {}
        self._turn = 0
        self._asked: FloatArray | None = None

    def note(self, vectors: FloatArray) -> None:
        """Remember a query now and then."""
        self._since += 1  # two threads may count one: no matter
        if self._since >= _ONE_IN and len(vectors):
            self._since = 0
            self._vectors.append(vectors[0].copy())

    def check(self, parts: Sequence[SealedPart]) -> bool:
        """Compare one query in one segment (they take turns); look harder in it where the promise is not kept.

        That is where the lower end of the interval is below what is promised, once enough queries were compared. Takes
        as long as an exact scan of one segment. Call it now and then, from any thread.

        Returns:
            Whether there was something to compare.
        """
        indexed = [part for part in parts if part.engine is not None]
        with self._lock:
            self._found = {id(part): self._found.get(id(part), deque(maxlen=_JUDGED)) for part in indexed}
            if not indexed:
                return False
            if self._turn >= len(indexed) or self._asked is None:
                if not self._vectors:
                    return False
                self._turn, self._asked = 0, self._vectors.popleft()
            part, vector = indexed[self._turn], self._asked
            self._turn += 1
        if not part.pin():
            return False
        try:
            found, wanted = _compare(part, vector)
        finally:
            part.unpin()
        with self._lock:
            judged = self._found.get(id(part))
            if judged is None:
                return True
            judged.append((found, wanted))
            now = _recall_of(judged)
            enough = _JUDGED_AT_LEAST if now.value < self._target else _JUDGED
            broken = now.low < self._target and len(judged) >= enough
            if broken:
                judged.clear()
        if broken:
            part.look_harder()
            log.warning(
                "a segment's recall is below what is promised; it is searched harder from now on",
                extra={"segment": part.segment.name, "recall": round(now.value, 4), "promised": self._target},
            )
        return True

    def recall(self) -> Recall:
        """Of all segments that are searched by an engine, since their efforts were last changed."""
        with self._lock:
            return _recall_of([one for judged in self._found.values() for one in judged])


def wilson_low(hits: int, trials: int) -> float:
    """Lower end of the 95 % interval of a share (Wilson, Probable inference, JASA 1927); 0 for no trials."""
    if not trials:
        return 0.0
    share, squared = hits / trials, _DEVIATIONS**2
    middle = share + squared / (2 * trials)
    spread = _DEVIATIONS * math.sqrt(share * (1 - share) / trials + squared / (4 * trials**2))
    # Middle and spread are the same for a share of 0, but for the last bit.
    return min(share, max(0.0, (middle - spread) / (1 + squared / trials)))


def _compare(part: SealedPart, vector: FloatArray) -> tuple[int, int]:
    """How many of the nearest an engine finds, and how many there are."""
    engine, rows = part.engine, part.segment.rows
    if engine is None:
        return 0, 0
    wanted = min(DEPTH, len(rows))
    effort = effort_for(engine.efforts, wanted, lists=engine.searcher.lists)
    near = engine.searcher.nearest(
        vector, wanted, probes=effort.probes, candidates=max(effort.candidates, wanted), bits=None
    )
    _, distances = nearest_rows(rows, vector, wanted)
    farthest = np.sort(distances)[wanted - 1]
    return min(wanted, int(np.count_nonzero(near.distances <= farthest + _SAME_DISTANCE))), wanted


def _recall_of(judged: Sequence[tuple[int, int]] | deque[tuple[int, int]]) -> Recall:
    hits, trials = sum(found for found, _ in judged), sum(wanted for _, wanted in judged)
    return Recall(hits / trials if trials else 1.0, wilson_low(hits, trials) if trials else 1.0, len(judged))
