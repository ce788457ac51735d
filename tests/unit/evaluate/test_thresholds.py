"""What thresholds keep out and let through."""

from __future__ import annotations

import pytest

from nitari.evaluate.protocols import Sweep
from nitari.evaluate.qrels import Ranking
from nitari.evaluate.thresholds import tradeoff


def test_shares_by_hand() -> None:
    """A fifth of the photos scores .6 or more; the style's best score counts, whatever stands above it."""
    rankings: dict[str, Ranking] = {f"u{number}": (("a", 0.1 * number),) for number in range(1, 6)}
    rankings["u5"] = (("a", 0.6), ("b", 0.5))
    rankings |= {"w1": (("x", 0.9), ("s", 0.7)), "w2": (("s", 0.8),), "w3": (("x", 0.9),)}
    found = tradeoff(
        Sweep(tuple(f"u{n}" for n in range(1, 6)), {f"w{n}": {"s": 1, "x": 0} for n in (1, 2, 3)}), rankings
    )
    at = {step.min_score: step for step in found.steps}
    assert (at[0.0].answered, at[0.0].kept) == (1.0, pytest.approx(2 / 3))
    assert (at[0.5].answered, at[0.75].kept) == (pytest.approx(0.2), pytest.approx(1 / 3))
    assert at[1.0].answered == at[1.0].kept == 0


def test_quiet_and_open_are_the_ends_of_what_does_both() -> None:
    """One in twenty may be answered, one in ten may be lost."""
    rankings: dict[str, Ranking] = {f"u{number}": (("a", number / 100),) for number in range(1, 21)}
    rankings |= {f"w{number}": (("s", 0.5 + number / 100),) for number in range(1, 11)}
    sweep = Sweep(tuple(f"u{n}" for n in range(1, 21)), {f"w{n}": {"s": 1} for n in range(1, 11)})
    found = tradeoff(sweep, rankings)
    assert (found.quiet.answered, found.quiet.kept) == (0.05, 1.0)
    assert found.quiet.min_score == pytest.approx(0.19)
    assert (found.open.answered, found.open.kept) == (0.0, 0.9)
    assert found.open.min_score == pytest.approx(0.52)


def test_queries_without_hits_are_never_answered() -> None:
    """What found nothing is quiet at every threshold, and kept at none."""
    found = tradeoff(Sweep(("u",), {"w": {"s": 1}}), {})
    assert all((step.answered, step.kept) == (0, 0) for step in found.steps)
    assert found.quiet.min_score == 0
