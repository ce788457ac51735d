"""Verifying: whether everything that snapshots name is there and is what it was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

from nitari.errors import StateError
from nitari.snapshots.chunks import Chunk
from nitari.snapshots.flow import in_order
from nitari.snapshots.repository import Damaged, Repository

LISTS = "(the list of its files)"


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that snapshots need and that is damaged or gone.

    Args:
        what: The object's name.
        reason: What is wrong with it.
        snapshots: Numbers of the snapshots that cannot be restored whole because of it.
        files: Paths of the files it is part of.
    """

    what: str
    reason: str
    snapshots: tuple[int, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what is wrong.

    Args:
        snapshots: How many.
        chunks: How many different ones they name.
        bytes: Size of the content that was read and compared; 0 for a quick look.
        problems: What is wrong.
    """

    snapshots: int
    chunks: int
    bytes: int
    problems: tuple[Problem, ...]

    @property
    def broken(self) -> tuple[int, ...]:
        """Numbers of the snapshots that cannot be restored whole."""
        return tuple(sorted({number for problem in self.problems for number in problem.snapshots}))


def verify(
    repository: Repository, *, quick: bool = False, on_progress: Callable[[int, int], None] | None = None
) -> Verified:
    """Look at everything that the snapshots of a store name.

    Args:
        repository: The store's.
        quick: Look only whether each object is there and as long as it was; read none.
        on_progress: Called with the chunks done and those in all.
    """
    problems: list[Problem] = []
    users: dict[Chunk, set[int]] = defaultdict(set)
    paths: dict[Chunk, set[str]] = defaultdict(set)
    found = repository.snapshots()
    for snapshot in found:
        if isinstance(snapshot, Damaged):
            reason = snapshot.reason.message
            problems.append(Problem(f"manifest {snapshot.number}", reason, (snapshot.number,), ()))
            continue
        for chunk in snapshot.listing:
            users[chunk].add(snapshot.number)
            paths[chunk].add(LISTS)
        try:
            files = repository.files(snapshot)
        except StateError as exc:
            # A damaged chunk is reported with the others; a list that is whole and still makes no sense is not.
            if exc.code == "snapshot-damaged":
                problems.append(Problem(f"manifest {snapshot.number}", exc.message, (snapshot.number,), ()))
            continue
        for file in files:
            for chunk in file.chunks:
                users[chunk].add(snapshot.number)
                paths[chunk].add(file.path)
    look = _Look(repository, quick=quick)
    for done, (chunk, reason) in enumerate(in_order(look, sorted(users, key=lambda chunk: chunk.digest)), start=1):
        if reason:
            problems.append(Problem(chunk.name, reason, tuple(sorted(users[chunk])), tuple(sorted(paths[chunk]))))
        if on_progress is not None:
            on_progress(done, len(users))
    size = 0 if quick else sum(chunk.size for chunk in users)
    return Verified(len(found), len(users), size, tuple(_still(repository, problems)))


class _Look:
    """What is wrong with a chunk: empty for nothing."""

    def __init__(self, repository: Repository, *, quick: bool) -> None:
        self._repository = repository
        self._there = repository.stored_chunks() if quick else None

    def __call__(self, chunk: Chunk) -> tuple[Chunk, str]:
        if self._there is not None:
            size = self._there.get(chunk.digest)
            if size is None:
                return chunk, "it is missing"
            return chunk, "" if size == chunk.stored else f"it has {size:,} bytes, expected {chunk.stored:,}"
        try:
            self._repository.content(chunk)
        except StateError as exc:
            return chunk, "it is missing" if exc.code == "chunk-missing" else exc.message
        return chunk, ""


def _still(repository: Repository, problems: list[Problem]) -> list[Problem]:
    """The problems of snapshots that are still there: a prune may have removed some meanwhile."""
    if not problems:
        return []
    there = {snapshot.number for snapshot in repository.snapshots()}
    left = [
        Problem(problem.what, problem.reason, tuple(n for n in problem.snapshots if n in there), problem.files)
        for problem in problems
    ]
    return [problem for problem in left if problem.snapshots]
