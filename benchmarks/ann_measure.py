"""The phases of ``ann.py``: build, tune, rounds, open, edit, readers. Each result is kept, and measured once."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ann_protocol as ann
from ann_systems import FailedError, Process, Spec

TARGETS = (0.9, 0.95, 0.99)
FILTER_TARGET = 0.99
TUNE_S, ROUND_S, NEW_ROUND_S = 1.2, 1.5, 0.6
BUILD_S = 3 * 3600
CANDIDATES = 2
"""Of so many settings that reach a target, the best are timed in rounds."""
READERS = 4


@dataclass
class Bench:
    """Where a run keeps what it makes.

    Args:
        work: The cache folder.
        core: On which core systems run.
        rounds: Repetitions of timed queries.
        hurry: Measure each thing for this share of the usual time only.
        failures: What did not work: (system, data, phase, reason).
    """

    work: Path
    core: int | None
    rounds: int = 5
    hurry: float = 1.0
    failures: list[tuple[str, str, str, str]] = field(default_factory=list)

    def state(self, spec: Spec, data: ann.DataSet) -> Path:
        """Folder of a built index."""
        return self.work / "state" / data.name / spec.name

    def result(self, spec: Spec, data: ann.DataSet, phase: str) -> Path:
        """File of a phase's figures."""
        return self.work / "results" / data.name / spec.name / f"{phase}.json"

    def kept(self, spec: Spec, data: ann.DataSet, phase: str) -> Any:
        """Figures of a phase, ``None`` where they are missing or of something else by now."""
        path = self.result(spec, data, phase)
        if not path.exists():
            return None
        record = json.loads(path.read_text(encoding="utf-8"))
        return record["figures"] if record.get("key") == spec.key else None

    def keep(self, spec: Spec, data: ann.DataSet, phase: str, figures: Any) -> None:
        """Write a phase's figures."""
        path = self.result(spec, data, phase)
        path.parent.mkdir(parents=True, exist_ok=True)
        making = path.with_suffix(".making")
        making.write_text(json.dumps({"key": spec.key, "figures": figures}, indent=1), encoding="utf-8")
        making.replace(path)

    def start(self, spec: Spec, data: ann.DataSet, state: Path | None = None) -> Process:
        """A process of a system over a data set."""
        return Process(spec, work=self.work, data=data.folder, state=state or self.state(spec, data), core=self.core)

    @contextmanager
    def noted(self, spec: Spec, data: ann.DataSet, phase: str) -> Iterator[None]:
        """A failure inside is noted, and what is left goes on."""
        say(f"{data.name}: {spec.name}: {phase}")
        try:
            yield
        except FailedError as exc:
            self.fail(spec, data, phase, exc)

    def fail(self, spec: Spec, data: ann.DataSet, phase: str, why: FailedError) -> None:
        """Note a failure."""
        say(f"{data.name}: {spec.name}: {phase} FAILED: {why}")
        self.failures.append((spec.name, data.name, phase, str(why)))


def say(text: str) -> None:
    """Progress."""
    print(text, file=sys.stderr, flush=True)


def build(bench: Bench, data: ann.DataSet, specs: Sequence[Spec]) -> list[Spec]:
    """Indexes that are missing. Returns the systems that have one."""
    for spec in specs:
        state = bench.state(spec, data)
        if bench.kept(spec, data, "build") is not None and state.exists():
            continue
        with bench.noted(spec, data, "build"):
            shutil.rmtree(state, ignore_errors=True)
            shutil.rmtree(bench.result(spec, data, "build").parent, ignore_errors=True)
            with bench.start(spec, data) as process:
                bench.keep(spec, data, "build", process.ask("build", timeout=BUILD_S))
    return [spec for spec in specs if bench.kept(spec, data, "build") is not None]


def tune(bench: Bench, data: ann.DataSet, specs: Sequence[Spec]) -> None:
    """For each system and filter, which settings reach which recall."""
    for spec in specs:
        tuned = bench.kept(spec, data, "tune") or {}
        missing = [name for name in (None, *data.filters) if str(name) not in tuned]
        if not missing:
            continue
        with bench.noted(spec, data, "tune"), bench.start(spec, data) as process:
            process.ask("open")
            bench.result(spec, data, "rounds").unlink(missing_ok=True)
            for name in missing:
                targets = TARGETS if name is None else (FILTER_TARGET,)
                try:
                    tuned[str(name)] = _tuned(process, name, targets, TUNE_S * bench.hurry)
                except FailedError as exc:
                    if not process.alive:
                        raise
                    bench.fail(spec, data, f"tune, filter {name}", exc)
                    tuned[str(name)] = {"chosen": {}, "evaluated": []}
                bench.keep(spec, data, "tune", tuned)


def _tuned(process: Process, filter_name: str | None, targets: Sequence[float], seconds: float) -> dict[str, Any]:
    """Settings by target: the quickest ones among the cheapest that reach it on each ladder."""
    evaluated: dict[str, dict[str, Any]] = {}

    def recall(setting: ann.Setting) -> float:
        text = json.dumps(setting, sort_keys=True)
        if text not in evaluated:
            modes = ("returning",) if filter_name is None else ("new", "returning")
            found = [
                process.ask(
                    "search", setting=setting, filter_name=filter_name, mode=mode, first=0, count=10**6,
                    seconds=seconds,
                )
                for mode in modes
            ]  # fmt: skip
            # A filter that returns may be answered in another way by then: the target is to be reached in both.
            evaluated[text] = {"setting": setting, **found[-1], "recall": min(one["recall"] for one in found)}
        return float(evaluated[text]["recall"])

    ladders: list[list[ann.Setting]] = process.ask("ladders", filter_name=filter_name)
    chosen: dict[str, list[ann.Setting]] = {}
    for target in targets:
        reach = [found for ladder in ladders if (found := cheapest(ladder, recall, target)) is not None]
        reach.sort(key=lambda setting: -evaluated[json.dumps(setting, sort_keys=True)]["qps_cpu"])
        chosen[f"{target:.2f}"] = reach[:CANDIDATES]
    return {"chosen": chosen, "evaluated": list(evaluated.values())}


def cheapest(
    ladder: Sequence[ann.Setting], recall: Callable[[ann.Setting], float], target: float
) -> ann.Setting | None:
    """The first setting of a ladder whose recall reaches the target, by bisection; ``None`` where its last does not.

    Recall is taken to grow along the ladder; where it does not, a later setting may come out, never one that misses.
    """
    if not ladder or recall(ladder[-1]) < target:
        return None
    low, high = 0, len(ladder) - 1
    while low < high:
        middle = (low + high) // 2
        if recall(ladder[middle]) >= target:
            high = middle
        else:
            low = middle + 1
    return ladder[high]


def rounds(bench: Bench, data: ann.DataSet, specs: Sequence[Spec]) -> None:
    """Time the chosen settings, system after system in turn, so that what else the machine does falls on all alike."""
    with ExitStack() as stack:
        running: list[tuple[Spec, Process, dict[str, Any], list[dict[str, Any]]]] = []
        for spec in specs:
            tuned, done = bench.kept(spec, data, "tune"), bench.kept(spec, data, "rounds") or []
            complete = tuned is not None and all(str(name) in tuned for name in (None, *data.filters))
            if tuned is None or not complete or _rounds_of(done) >= bench.rounds:
                continue
            with bench.noted(spec, data, "open for rounds"):
                process = stack.enter_context(bench.start(spec, data))
                process.ask("open")
                running.append((spec, process, tuned, done))
        for number in range(min((_rounds_of(done) for *_, done in running), default=0), bench.rounds):
            say(f"{data.name}: round {number + 1} of {bench.rounds}")
            due = [one for one in running if _rounds_of(one[-1]) == number]
            failed: set[str] = set()
            for name in (None, *data.filters):
                turn = number % max(1, len(due))
                for spec, process, tuned, done in due[turn:] + due[:turn]:
                    if spec.name in failed:
                        continue
                    try:
                        done.extend(_round(process, tuned, name, number, bench.hurry))
                    except FailedError as exc:
                        failed.add(spec.name)
                        bench.fail(spec, data, "rounds", exc)
            running = [one for one in running if one[0].name not in failed]
            for spec, _, _, done in due:
                if spec.name not in failed:
                    done.append({"round_done": number})
                    bench.keep(spec, data, "rounds", done)


def _rounds_of(done: list[dict[str, Any]]) -> int:
    """How many rounds were finished."""
    return sum("round_done" in figures for figures in done)


def _round(
    process: Process, tuned: dict[str, Any], name: str | None, number: int, hurry: float
) -> Iterator[dict[str, Any]]:
    """One filter's settings, each timed once in each mode."""
    settings: list[ann.Setting] = []
    for chosen in tuned[str(name)]["chosen"].values():
        settings.extend(setting for setting in chosen if setting not in settings)
    for setting in settings:
        for mode in ("returning",) if name is None else ("new", "returning"):
            figures = process.ask(
                "search", setting=setting, filter_name=name, mode=mode, first=number * 200,
                count=300 if mode == "new" else 1000, seconds=hurry * (NEW_ROUND_S if mode == "new" else ROUND_S),
            )  # fmt: skip
            yield {"filter": name, "mode": mode, "setting": setting, "round": number, **figures}


def opening(bench: Bench, data: ann.DataSet, specs: Sequence[Spec]) -> None:
    """Open three times in fresh processes; memory after opening, and after queries."""
    for spec in specs:
        if bench.kept(spec, data, "open") is not None:
            continue
        with bench.noted(spec, data, "open"):
            figures = []
            for _ in range(3):
                with bench.start(spec, data) as process:
                    figures.append(process.ask("open"))
                    _work(process, bench.kept(spec, data, "tune"))
                    figures[-1]["steady"] = process.ask("memory")
            bench.keep(spec, data, "open", figures)


def _work(process: Process, tuned: dict[str, Any] | None) -> None:
    """Some queries at the highest recall that is reached, so that memory is what it is in use."""
    process.ask("search", setting=_setting(process, tuned), filter_name=None, mode="returning", first=0, count=1000,
                seconds=5)  # fmt: skip


def _setting(process: Process, tuned: dict[str, Any] | None) -> ann.Setting:
    """What reaches the highest target, else the most thorough."""
    chosen = (tuned or {}).get("None", {}).get("chosen", {})
    reached = [settings[0] for _, settings in sorted(chosen.items()) if settings]
    setting: ann.Setting = reached[-1] if reached else process.ask("ladders", filter_name=None)[-1][-1]
    return setting


def edit(bench: Bench, data: ann.DataSet, specs: Sequence[Spec]) -> None:
    """Insert and delete, on a copy of the index."""
    for spec in specs:
        if bench.kept(spec, data, "edit") is not None:
            continue
        with bench.noted(spec, data, "edit"):
            state = bench.work / "state" / data.name / f"{spec.name}.edit"
            shutil.rmtree(state, ignore_errors=True)
            shutil.copytree(bench.state(spec, data), state)
            try:
                with bench.start(spec, data, state) as process:
                    about = process.ask("about")
                    if not about["edits"]:
                        bench.keep(spec, data, "edit", {})
                        continue
                    process.ask("open")
                    setting = _setting(process, bench.kept(spec, data, "tune"))
                    bench.keep(spec, data, "edit", process.ask("edit", setting=setting, singles=300, batch=1000))
            finally:
                shutil.rmtree(state, ignore_errors=True)


def readers(bench: Bench, data: ann.DataSet, specs: Sequence[Spec]) -> None:
    """Memory of several processes that have one index open and have answered the same queries."""
    for spec in specs:
        if not spec.ours or bench.kept(spec, data, "readers") is not None:
            continue
        with bench.noted(spec, data, "readers"), ExitStack() as stack:
            figures = []
            processes: list[Process] = []
            for count in (1, READERS):
                while len(processes) < count:
                    processes.append(stack.enter_context(bench.start(spec, data)))
                    processes[-1].ask("open")
                    _work(processes[-1], bench.kept(spec, data, "tune"))
                figures.append([process.ask("memory") for process in processes])
            bench.keep(spec, data, "readers", {"one": figures[0], "all": figures[1]})


PHASES: dict[str, Callable[[Bench, ann.DataSet, Sequence[Spec]], None]] = {
    "tune": tune,
    "rounds": rounds,
    "open": opening,
    "edit": edit,
    "readers": readers,
}
