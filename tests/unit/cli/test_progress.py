"""Progress: lines for logs, a bar on a terminal, nothing where nobody wants any."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from nitari.cli import progress
from nitari.cli.progress import Tally, counting, per_second


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What is printed on standard error."""
    text = io.StringIO()
    monkeypatch.setattr(progress, "err", Console(file=text, width=200, force_terminal=False))
    return text


def test_a_line_for_every_thousand(printed: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once each, however many are done between two looks; markup is not shown."""
    monkeypatch.setattr(progress, "is_terminal", lambda: False)
    with counting("importing", "rows", quiet=False) as show:
        for done in (1, 999, 1000, 1001, 3500, 3999):
            show(Tally(done, 4000, 10.0, "[red]2 rejected[/]"))
        show(Tally(4000, None, 0.0, "done"))
    assert printed.getvalue().splitlines() == [
        "1000 of about 4000 rows, 100/s, 2 rejected",
        "3500 of about 4000 rows, 350/s, 2 rejected",
        "4000 rows, 0/s, done",
    ]


def test_a_line_as_often_as_is_asked(printed: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a second each is told of oftener."""
    monkeypatch.setattr(progress, "is_terminal", lambda: False)
    with counting("training", "steps", quiet=False, every=100) as show:
        for done in range(1, 251):
            show(Tally(done, 250, float(done), ""))
    assert [line.split()[0] for line in printed.getvalue().splitlines()] == ["100", "200"]


def test_a_bar_where_somebody_watches(printed: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what is done, of how many, how quickly, and what else there is to say."""
    monkeypatch.setattr(progress, "is_terminal", lambda: True)
    with counting("importing", "rows", quiet=False) as show:
        show(Tally(40, 80, 10.0, "[red]2 rejected[/]"))
    for said in ("importing", "40/80", "50%", "4/s", "2 rejected"):
        assert said in printed.getvalue()


def test_nothing_where_it_is_quiet(printed: io.StringIO) -> None:
    """Programs that read JSON want no lines between."""
    with counting("importing", "rows", quiet=True) as show:
        show(Tally(5000, None, 1.0, ""))
    assert printed.getvalue() == ""


def test_slow_and_gone_on_with(printed: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds each has a rate with two digits; what an earlier run did is no part of it."""
    monkeypatch.setattr(progress, "is_terminal", lambda: False)
    with counting("training", "steps", quiet=False, every=10) as show:
        show(Tally(40, 100, 30.0, "", before=30))
    assert printed.getvalue().startswith("40 of about 100 steps, 0.33/s")


def test_before_any_time_has_passed() -> None:
    """No division by zero."""
    assert (per_second(3, 0.0), per_second(3, 2.0)) == (0.0, 1.5)
