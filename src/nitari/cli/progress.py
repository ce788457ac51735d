"""How far a long run has come: a bar for people, a line now and then for logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from nitari.cli.output import err, is_terminal

# A line each time that so many more are done.
_LINE_EVERY = 1000


@dataclass(frozen=True, slots=True)
class Tally:
    """What is done of a run by now.

    Args:
        done: How many.
        total: Of about how many, ``None`` if unknown.
        seconds: Since it began.
        note: What else there is to say, in rich's markup.
        before: How many of those done an earlier run did, which say nothing of how fast this one is.
    """

    done: int
    total: int | None
    seconds: float
    note: str
    before: int = 0

    @property
    def rate(self) -> float:
        """How many a second."""
        return per_second(self.done - self.before, self.seconds)


def per_second(count: int, seconds: float) -> float:
    """How many a second; 0 before any time has passed."""
    return count / seconds if seconds else 0.0


@contextmanager
def counting(doing: str, unit: str, *, quiet: bool, every: int = _LINE_EVERY) -> Iterator[Callable[[Tally], None]]:
    """A bar on a terminal, lines elsewhere, nothing where ``quiet``.

    Args:
        doing: What is being done.
        unit: What is counted, in the plural.
        quiet: Whether to show nothing.
        every: Where it is not a terminal, how many more are done from one line to the next.
    """
    if quiet:
        yield lambda _tally: None
        return
    if not is_terminal():
        yield _Lines(unit, every)
        return
    columns = (
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=err) as progress:
        task = progress.add_task("", total=None, rate="0", note="")

        def show(tally: Tally) -> None:
            progress.update(task, total=tally.total, completed=tally.done, rate=_rounded(tally.rate), note=tally.note)

        yield show


class _Lines:
    """A line for a log whenever many more are done."""

    def __init__(self, unit: str, every: int) -> None:
        self._unit = unit
        self._every = self._next = every

    def __call__(self, tally: Tally) -> None:
        if tally.done < self._next:
            return
        self._next = tally.done // self._every * self._every + self._every
        of = f" of about {tally.total}" if tally.total else ""
        err.print(f"{tally.done}{of} {self._unit}, {_rounded(tally.rate)}/s, {tally.note}")


def _rounded(rate: float) -> str:
    """A rate as people read it: slow ones with two digits."""
    return f"{rate:.0f}" if rate >= 10 or not rate else f"{rate:.2g}"
