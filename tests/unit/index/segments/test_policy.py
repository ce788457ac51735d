"""The policy keeps segments few, writes each row a few times, and comes to rest."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nitari.index.segments.policy import Held, Policy, engine_for, next_step

POLICY = Policy(seal_rows=1000, engine_numbers=32_000)


def _held(*rows: int, dead: int = 0, engine: str = "") -> list[Held]:
    return [Held(str(number), count, dead, engine) for number, count in enumerate(rows)]


def test_thresholds_follow_the_width() -> None:
    """Wide rows are sealed sooner, but never by the handful."""
    assert Policy().rows_to_seal(128) == 16_384
    assert Policy().rows_to_seal(1280) == 3276
    assert Policy().rows_to_seal(10**6) == 256
    assert Policy(seal_rows=4).fewest_to_seal(8) == 1


def test_seals_when_there_is_enough_or_time() -> None:
    """New rows are sealed once there are many, or some and nothing else to do."""
    assert next_step(POLICY, dim=8, new=999, segments=[], quiet_s=0) is None
    step = next_step(POLICY, dim=8, new=1000, segments=[], quiet_s=0)
    assert step is not None
    assert (step.merge, step.seal) == ((), True)
    assert next_step(POLICY, dim=8, new=124, segments=[], quiet_s=60) is None
    assert next_step(POLICY, dim=8, new=125, segments=[], quiet_s=60) is not None


def test_looks_again_when_a_seal_may_be_due() -> None:
    """After a fourth of a segment's rows at most, sooner where fewer are missing, but never all the time."""
    policy = Policy(seal_rows=1024)
    assert [policy.changes_to_wait(128, new) for new in (0, 700, 900, 1020, 1024, 5000)] == [256, 256, 124, 32, 32, 32]
    assert Policy(seal_rows=1).changes_to_wait(128, 0) == 1


def test_drops_what_is_mostly_dead() -> None:
    """More than a fourth dead: written again."""
    assert next_step(POLICY, dim=8, new=0, segments=_held(1000, dead=250), quiet_s=0) is None
    step = next_step(POLICY, dim=8, new=0, segments=_held(1000, dead=251), quiet_s=0)
    assert step is not None
    assert (step.merge, step.seal) == (("0",), False)


def test_merges_the_smallest_full_tier() -> None:
    """Four of a size become one; larger ones stay as they are."""
    step = next_step(POLICY, dim=8, new=0, segments=_held(70_000, 1000, 1100, 900, 1000, 65_000), quiet_s=0)
    assert step is not None
    assert step.merge == ("1", "2", "3", "4")


def test_large_segments_get_the_engine_of_today() -> None:
    """Once it is quiet, a segment that another engine built is built again; small ones have none."""
    assert engine_for(POLICY, 3999, "ivf", dim=8) == ""
    assert engine_for(POLICY, 4000, "ivf", dim=8) == "ivf"
    assert engine_for(POLICY, 2047, "ivf", dim=1280) == ""
    assert engine_for(POLICY, 2048, "ivf", dim=1280) == "ivf"
    segments = _held(9000, engine="ngt")
    assert next_step(POLICY, dim=8, new=0, segments=segments, quiet_s=0, engine="ivf") is None
    assert next_step(POLICY, dim=8, new=0, segments=segments, quiet_s=60, engine="ngt") is None
    step = next_step(POLICY, dim=8, new=0, segments=segments, quiet_s=60, engine="ivf")
    assert step is not None
    assert step.merge == ("0",)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3000), st.booleans()), max_size=80))
def test_comes_to_rest_with_few_segments(history: list[tuple[int, bool]]) -> None:
    """Whatever is added, steps end, segments stay few, and no row is written more often than tiers are high."""
    segments: list[Held] = []
    new = total = written = number = 0
    for rows, quiet in history:
        new, total = new + rows, total + rows
        for _ in range(20):
            step = next_step(POLICY, dim=8, new=new, segments=segments, quiet_s=60 if quiet else 0)
            if step is None:
                break
            made = sum(held.rows for held in segments if held.name in step.merge) + (new if step.seal else 0)
            new = 0 if step.seal else new
            number += 1
            segments = [held for held in segments if held.name not in step.merge] + [Held(f"n{number}", made, 0, "")]
            written += made
        assert step is None
        assert len(segments) <= 3 * 5
        assert sum(held.rows for held in segments) + new == total
    assert written <= 8 * max(total, 1)
