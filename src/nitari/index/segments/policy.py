"""What a maintainer does next: which rows become a segment, and which segments become one. No I/O.

Size-tiered merging, as log-structured stores do it (O'Neil and others, "The Log-Structured Merge-Tree", 1996):
segments of about one size are merged once there are ``fanout`` of them, so that
each row is written again about ``log(rows / seal_rows) / log(fanout)`` times, and there are few segments to search.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

# However wide they are, fewer rows are compared before an engine has been asked.
_ENGINE_ROWS = 2048


@dataclass(frozen=True, slots=True)
class Policy:
    """When to seal, merge and save.

    Args:
        seal_rows: This many new rows become a segment.
        seal_numbers: So do rows that are this many numbers together (wide rows are slow to scan).
        age_s: New rows become a segment when nothing changed for so long, if there are ``seal_rows / 8``.
        fanout: So many segments of about one size become one; also how much larger a segment is than all smaller ones
            together once nothing changes any more.
        dead_share: A segment more of whose rows are dead is written again without them.
        table_changes: The saved table of items may be so many changes behind.
        engine_numbers: From how many numbers on (rows times their width) a segment has an engine; below it is scanned.
    """

    seal_rows: int = 16_384
    seal_numbers: int = 2**22
    age_s: float = 60.0
    fanout: int = 4
    dead_share: float = 0.25
    table_changes: int = 8_192
    engine_numbers: int = 2**21

    def rows_to_seal(self, dim: int) -> int:
        """How many new rows of width ``dim`` become a segment."""
        return min(self.seal_rows, max(256, self.seal_numbers // dim))

    def rows_for_engine(self, dim: int) -> int:
        """From how many rows of width ``dim`` on a segment has an engine."""
        return max(_ENGINE_ROWS, self.engine_numbers // dim)

    def fewest_to_seal(self, dim: int) -> int:
        """How few rows of width ``dim`` become a segment once nothing changes any more."""
        return max(1, self.rows_to_seal(dim) // 8)

    def changes_to_wait(self, dim: int, new: int) -> int:
        """How many changes may pass, with ``new`` rows in no segment, before it is looked again whether to seal.

        Dead rows are counted then, too: at a fourth of a segment's size it is time in any case. A change brings about
        one row, so that what is sealed is hardly more than is due.
        """
        threshold = self.rows_to_seal(dim)
        return min(max(threshold - new, threshold // 32, 1), max(1, threshold // 4))


@dataclass(frozen=True, slots=True)
class Held:
    """A segment as it is now.

    Args:
        name: Its name.
        rows: Rows in it.
        dead: Those of them whose key the catalog does not have any more.
        engine: What it was built with; empty for nothing.
    """

    name: str
    rows: int
    dead: int
    engine: str

    @property
    def alive(self) -> int:
        """Rows that can be found."""
        return self.rows - self.dead


@dataclass(frozen=True, slots=True)
class Step:
    """Make one segment of the living rows of ``merge`` and, if ``seal``, of all rows that are in no segment yet."""

    merge: tuple[str, ...]
    seal: bool
    reason: str


def next_step(
    policy: Policy, *, dim: int, new: int, segments: Sequence[Held], quiet_s: float, engine: str = ""
) -> Step | None:
    """What to do next; ``None`` where nothing is due.

    Args:
        policy: When to do what.
        dim: Width of a row.
        new: Rows that are in no segment.
        segments: What there is.
        quiet_s: For how long nothing has changed.
        engine: What large segments are built with, by today's settings.
    """
    threshold = policy.rows_to_seal(dim)
    quiet = quiet_s >= policy.age_s
    if new >= threshold or (quiet and new >= policy.fewest_to_seal(dim)):
        return Step((), True, f"{new} rows are in no segment")
    for segment in segments:
        if segment.dead > policy.dead_share * segment.rows:
            return Step((segment.name,), False, f"{segment.dead} of {segment.rows} rows are dead")
    merge = _full_tier(policy, threshold, segments)
    if merge:
        return Step(merge, False, f"{len(merge)} segments are of about one size")
    if not quiet:
        return None
    merge = _settled(policy, segments)
    if merge:
        return Step(merge, False, f"nothing changes, and {len(merge)} segments can be one")
    for segment in segments:
        if segment.engine != engine_for(policy, segment.rows, engine, dim=dim):
            return Step((segment.name,), False, f"it was built with {segment.engine or 'no engine'}")
    return None


def engine_for(policy: Policy, rows: int, engine: str, *, dim: int) -> str:
    """The engine of a segment of so many rows of width ``dim``; empty for none."""
    return engine if rows >= policy.rows_for_engine(dim) else ""


def _full_tier(policy: Policy, threshold: int, segments: Sequence[Held]) -> tuple[str, ...]:
    """The segments of the smallest tier that is full."""
    tiers: dict[int, list[str]] = {}
    for segment in segments:
        tier = max(0, int(math.log(max(segment.alive, 1) / threshold * 1.5, policy.fanout)))
        tiers.setdefault(tier, []).append(segment.name)
    full = [tier for tier, names in tiers.items() if len(names) >= policy.fanout]
    return tuple(tiers[min(full)]) if full else ()


def _settled(policy: Policy, segments: Sequence[Held]) -> tuple[str, ...]:
    """The small segments that are worth merging with the next larger one, now that there is time."""
    ordered = sorted(segments, key=lambda segment: segment.alive)
    total, take = 0, 0
    for number, segment in enumerate(ordered):
        if number and segment.alive <= policy.fanout * total:
            take = number + 1
        total += segment.alive
    return tuple(segment.name for segment in ordered[:take])
