"""Random sequences of operations on every index give what a dictionary and brute force give."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nitari.types import FloatArray, Matches
from support.indexes import ADAPTERS, FP16, HAS_NGT, ROWS, Make, check_answer
from support.vectors import KeyFilter, brute_force, lattice_units


class Machine(RuleBasedStateMachine):
    """Random operations on an index and on a dictionary, which must agree."""

    make: Make
    start = 0
    dim = 5
    universe = 60
    least_recall = 0.95

    @initialize()
    def begin(self) -> None:
        """Start with an index of ``start`` rows."""
        self.index = type(self).make(self.dim)
        self.content: dict[int, FloatArray] = {}
        self.found = self.wanted = 0
        if self.start:
            self.put(range(self.start), 99)

    def put(self, keys: Any, seed: int) -> None:
        """Add to both."""
        array = np.array(list(keys), np.int64)
        vectors = lattice_units(array.size, self.dim, seed=seed)
        self.index.add(array, vectors)
        self.content.update(zip(array.tolist(), vectors, strict=True))

    @rule(keys=st.sets(st.integers(0, universe), max_size=12), seed=st.integers(0, 2**16))
    def add(self, keys: set[int], seed: int) -> None:
        """Insert some, replace others, add removed ones again."""
        self.put(keys, seed)

    @rule(seed=st.integers(0, 2**16), count=st.integers(1, 300))
    def add_many(self, seed: int, count: int) -> None:
        """Grow."""
        self.put(range(100, 100 + count), seed)

    @rule(keys=st.lists(st.integers(-1, universe + 2), max_size=12))
    def remove(self, keys: list[int]) -> None:
        """Remove known and unknown keys, some of them twice."""
        there = {key for key in keys if self.content.pop(key, None) is not None}
        assert self.index.remove(np.array(keys, np.int64)) == len(there)

    @rule(share=st.floats(0, 1), seed=st.integers(0, 2**16))
    def remove_many(self, share: float, seed: int) -> None:
        """Shrink."""
        rng = np.random.default_rng(seed)
        keys = [key for key in self.content if rng.random() < share]
        assert self.index.remove(np.array(keys, np.int64)) == len(keys)
        for key in keys:
            del self.content[key]

    @rule(
        k=st.integers(1, 80),
        seed=st.integers(0, 2**16),
        share=st.none() | st.floats(0, 1),
        radius=st.none() | st.floats(0, 2),
        queries=st.integers(1, 9),
    )
    def query(self, k: int, seed: int, share: float | None, radius: float | None, queries: int) -> None:
        """Ask with and without filter and radius."""
        rng = np.random.default_rng(seed)
        allowed = None if share is None else [key for key in self.content if rng.random() < share]
        content = self.content if allowed is None else {key: self.content[key] for key in allowed}
        vectors = lattice_units(queries, self.dim, seed=seed)
        answers = self.index.query(
            vectors, k, allowed=None if allowed is None else KeyFilter(allowed), max_distance=radius
        )
        assert len(answers) == queries
        for found, vector in zip(answers, vectors, strict=True):
            check_answer(self.index, found, content, vector, k, radius)
            self.count(found, content, vector, k, radius)

    def count(
        self, found: Matches, content: dict[int, FloatArray], query: FloatArray, k: int, radius: float | None
    ) -> None:
        """Note how much of what brute force finds was found."""
        rows = np.array(list(content.values()), np.float32).reshape(-1, self.dim)
        _, distances = brute_force(np.arange(len(rows)), rows, query, k, None if radius is None else radius - FP16)
        self.wanted += distances.size
        self.found += min(distances.size, int(np.count_nonzero(found.distances <= distances.max(initial=0.0) + FP16)))

    @rule()
    def save_and_load(self) -> None:
        """Go on with a fresh object that loaded what this one saved."""
        with tempfile.TemporaryDirectory() as folder:
            self.index.save(Path(folder))
            self.index.close()
            self.index = type(self).make(self.dim)
            self.index.load(Path(folder))

    @invariant()
    def same_content(self) -> None:
        """Both hold the same keys with the same vectors."""
        if not hasattr(self, "index"):
            return
        assert len(self.index) == len(self.content)
        keys = np.array(sorted(self.content), np.int64)
        np.testing.assert_array_equal(np.sort(self.index.keys()), keys)
        if keys.size:
            rows = np.stack([self.content[key] for key in keys.tolist()])
            np.testing.assert_allclose(self.index.vectors(keys), rows, atol=FP16)

    def teardown(self) -> None:
        """What was asked was mostly found: distances as small as brute force's are as good as the same keys."""
        if hasattr(self, "wanted") and self.wanted >= 500:
            assert self.found >= self.least_recall * self.wanted


def case_of(name: str, *, start: int = 0, examples: int = 10, steps: int = 20, shrink: bool = True) -> Any:
    """The machine on one adapter, as a test case.

    Args:
        name: Of the adapter.
        start: Rows to begin with: enough for adapters that are to be in the state which many rows put them in.
        examples: How many sequences.
        steps: Operations in each.
        shrink: Whether failures are made smaller, which takes very long where there are many rows.
    """
    case = type(f"{name}-machine", (Machine,), {"make": staticmethod(ADAPTERS[name]), "start": start}).TestCase
    case.settings = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=list(Phase) if shrink else [Phase.generate],
    )
    return case


TestExact = case_of("exact", examples=20)
TestSealed = case_of("segments-sealed", examples=20)
# Few rows: exact, whatever the engine.
TestFaiss = case_of("faiss")
TestSegments = case_of("segments")
# They begin with codes, lists or a graph, and drop or rebuild them as rows come and go.
TestFaissTrained = case_of("faiss-trained", start=ROWS, examples=6, steps=15, shrink=False)
TestSegmentsLists = case_of("segments-lists", start=ROWS, examples=6, steps=15, shrink=False)
if HAS_NGT:
    TestNgt = case_of("ngt")
    TestNgtConnected = case_of("ngt-connected", start=ROWS, examples=6, steps=15, shrink=False)
