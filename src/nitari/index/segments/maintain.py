"""The maintainer: seals what is new, merges segments, drops dead rows, saves the table of items, heals what is damaged.

It holds nothing that cannot be lost: what is to be done follows from the keys that the catalog has and the manifest.
Killed at any line, the next one sweeps what was not published and goes on. One process maintains an index at a time,
the one that holds the lease; it runs apart from those that answer queries, so that they never wait for it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Protocol

import numpy as np

from nitari.errors import NitariError, StateError
from nitari.index.segments.lease import Lease
from nitari.index.segments.manifest import Manifest, SegmentEntry, TableEntry
from nitari.index.segments.policy import Policy, Step, engine_for, next_step
from nitari.index.segments.scrub import Damage, Scrub, check_all
from nitari.index.segments.sealed import Calibrate, Part, SealedSegment, write_segment
from nitari.index.segments.store import IndexStore
from nitari.index.segments.survey import Survey, Truth, among, bring_up, rewritten, take_survey

_COPY_BYTES = 8 * 2**20
# Looking at the keys may take this share of the time at most, and saving the table while the catalog changes this one.
_SURVEY_SHARE = 0.05
_TABLE_SHARE = 0.1
_BACK_OFF_S = (5.0, 300.0)

log = logging.getLogger(__name__)


class Tables(Protocol):
    """What saves the table of items, of which this stage knows nothing more."""

    def check(self, saved: Path, seq: int) -> None:
        """See that a saved table is still of use: its folder, and the change that it is up to date with.

        Raises:
            StateError: it is not.
        """
        ...

    def save(self, last: tuple[Path, int] | None, folder: Path) -> int:
        """Save the table into ``folder``, from the last one where there is one. Returns the change that it is of."""
        ...


class Maintainer:
    """Keeps the index of one collection. Not for several threads. ``close`` it, to let others maintain.

    Args:
        store: Where.
        truth: The catalog.
        policy: When to do what.
        engine: The name of the engine of large segments, one of the store's; empty for none.
        threads: How many a build may use.
        calibrate: Measures an engine over rows.
        tables: Saves the table of items; ``None`` to do without.
        scrub_bytes_s: How many bytes a second to check; 0 for none.
        scrub_every_s: How long to wait after all of it was checked.
        survey_every_s: After how long all keys of the catalog are looked at again, and not only those that changed.
        clock: Seconds that do not go back.
    """

    def __init__(
        self,
        *,
        store: IndexStore,
        truth: Truth,
        policy: Policy | None = None,
        engine: str = "",
        threads: int = 1,
        calibrate: Calibrate | None = None,
        tables: Tables | None = None,
        scrub_bytes_s: float = 0.0,
        scrub_every_s: float = 3600.0,
        survey_every_s: float = 6 * 3600.0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._store = store
        self._truth = truth
        self._policy = policy or Policy()
        self._engine = engine
        self._threads = threads
        self._calibrate = calibrate
        self._tables = tables
        self._scrub = Scrub(store, bytes_s=scrub_bytes_s, every_s=scrub_every_s)
        self._clock = clock
        self._lease: Lease | None = None
        # When the catalog was last seen to change, and what it was at when it was last looked at.
        self._seq = -1
        self._changed_at = clock()
        self._surveyed: tuple[int, bool] | None = None
        self._patience = 0
        # What the last look at the keys found, to be brought up to date by what changed; good while the lease is held.
        self._known: Survey | None = None
        self._survey_every_s = survey_every_s
        self._survey_all_at = 0.0
        self._table_after = 0.0
        self._small_at = -1
        self._survey_after = 0.0
        self._not_before = 0.0
        self._back_off_s = 0.0

    @property
    def collection(self) -> str:
        """Whose index."""
        return self._store.origin.collection

    def close(self) -> None:
        """Let others maintain. Doing so twice is harmless."""
        if self._lease is not None:
            self._lease.release()
            self._lease = self._known = None

    def turn(self) -> bool:
        """Look whether something is due, and do it; to be called every second or so. Never raises for what may pass.

        Returns:
            Whether something was done.
        """
        now = self._clock()
        if now < self._not_before:
            return False
        try:
            if self._is_small() and not self._store.is_to_be_rebuilt:
                return False
            if not self._hold():
                self._not_before = now + 1.0
                return False
            damaged = self._scrub.turn(now)
            self._drop(damaged)
            done = bool(self.run_once()) if damaged or self._is_due(now) else False
            self._back_off_s = 0.0
        except (NitariError, OSError) as exc:
            self._back_off_s = min(max(2 * self._back_off_s, _BACK_OFF_S[0]), _BACK_OFF_S[1])
            self._not_before = now + self._back_off_s
            reason = exc.message if isinstance(exc, NitariError) else str(exc)
            log.warning("an index could not be maintained; trying again", extra=self._fields(reason=reason))
            self._store.note(problem=reason)
            return False
        return done

    def run_once(self, *, settle: bool = False) -> tuple[str, ...]:
        """Do all that is due, step by step, each of which is published.

        Args:
            settle: As if nothing had changed for long: also merge what is not urgent.

        Returns:
            What was done; empty also where another process maintains.

        Raises:
            StateError: the disk is full or the folder cannot be written (code ``index-write``). What was published
                stays so.
            DependencyError: the catalog cannot be read.
        """
        with _translated(self._store.folder):
            if not self._store.is_to_be_rebuilt and self._is_small():
                return ()
            if not self._hold():
                return ()
            done: list[str] = []
            if self._store.is_to_be_rebuilt:
                self._rebuild()
                done.append("all was built again")
            began, first = self._clock(), self._known is None
            survey = self._survey()
            # To look at all keys at first takes long, and says nothing about how long it takes to look again.
            self._survey_after = self._clock() + (0.0 if first else (self._clock() - began) / _SURVEY_SHARE)
            while True:
                quiet_s = np.inf if settle else self._clock() - self._changed_at
                step = self._next(survey, quiet_s)
                if step is None:
                    break
                self._carry_out(step, survey)
                done.append(step.reason)
                survey = self._survey()
            if self._tables is not None and self._table_is_due(self._tables, survey, settle=settle):
                self._renew_table(self._tables)
                done.append("the table of items was saved")
            self._surveyed = (survey.seq, settle or self._quiet())
            self._patience = self._policy.changes_to_wait(self._store.origin.dim, survey.new.size)
            if done:
                self._store.note(done=done[-1])
            self._store.sweep()
            return tuple(done)

    def scrub(self) -> tuple[Damage, ...]:
        """Check every block now, set aside what is damaged. ``run_once`` builds it again.

        Raises:
            StateError: the folder cannot be written, or another process maintains this index (code ``index-busy``).
        """
        with _translated(self._store.folder):
            if not self._hold():
                raise StateError(
                    f"the index in {self._store.folder} is maintained by another process",
                    remedy="it checks all blocks by itself, see `nitari index status`; or stop it first",
                    code="index-busy",
                )
            self._manifest()  # one that is damaged is set aside
            damaged = tuple(found for found in check_all(self._store) if isinstance(found, Damage))
            self._drop(damaged)
            return damaged

    def _is_small(self) -> bool:
        """Whether there is no index, and too little in the catalog for one: then not even a folder is made."""
        if self._lease is not None or self._store.folder.exists():
            return False
        seq = self._truth.seq()
        if seq == self._small_at:
            return True
        _, keys = self._truth.keys(collection=self.collection)
        small = keys.size < self._policy.fewest_to_seal(self._store.origin.dim)
        self._small_at = seq if small else -1
        return small

    def _rebuild(self) -> None:
        """Build everything from the catalog, beside what is published, and publish it in its place."""
        seq, keys = self._truth.keys(collection=self.collection)
        self._known = None
        made = [self._write([], Survey(seq, keys, (), {}), seal=True, engine=self._engine_for(keys.size))]
        segments = tuple(entry for entry in made if entry is not None)
        self._publish(replace(self._manifest(), segments=segments, table=None, seq=seq))
        self._store.was_rebuilt()

    def _hold(self) -> bool:
        if self._lease is None:
            self._lease = self._store.lease()
        return self._lease is not None

    def _quiet(self) -> bool:
        return self._clock() - self._changed_at >= self._policy.age_s

    def _is_due(self, now: float) -> bool:
        """Whether to look at the keys: after enough changes, and once when changes cease."""
        seq = self._truth.seq()
        self._saw(seq)
        if self._surveyed is None or self._store.is_to_be_rebuilt:
            return True
        if now < self._survey_after:
            return False
        at, quiet = self._surveyed
        if abs(seq - at) >= self._patience:
            return True
        return self._quiet() and (seq, True) != (at, quiet)

    def _manifest(self) -> Manifest:
        """What is published, or the beginning of a new index."""
        try:
            found = self._store.manifest()
        except StateError as exc:
            self._report("manifest", exc.message)
            self._store.set_aside(None)
            found = None
        if found is not None and found.seq > self._truth.seq():
            self._report("manifest", f"it is of change {found.seq}, which the catalog does not have")
            self._store.set_aside(None)
            found = None
        return found or Manifest(self._store.origin)

    def _survey(self) -> Survey:
        """Look at what changed, or at all keys. Segments that cannot be opened are set aside: their keys are new."""
        manifest = self._manifest()
        survey = None
        if self._known is not None and self._clock() < self._survey_all_at:
            survey = bring_up(self._known, self._store, self._truth, manifest)
        if survey is None:
            survey, damaged = take_survey(self._store, self._truth, manifest)
            self._survey_all_at = self._clock() + self._survey_every_s
            self._drop(damaged)
        self._known = survey
        self._saw(survey.seq)
        return survey

    def _saw(self, seq: int) -> None:
        """Note whether the catalog changed: also during a long step, after which it would seem to be quiet."""
        if seq != self._seq:
            self._seq, self._changed_at = seq, self._clock()

    def _drop(self, damaged: Sequence[Damage]) -> None:
        """Publish what is left without what is damaged, and set that aside."""
        if not damaged:
            return
        manifest = self._manifest()
        gone = {found.entry for found in damaged}
        segments = tuple(entry for entry in manifest.segments if entry not in gone)
        table = None if manifest.table in gone else manifest.table
        self._publish(replace(manifest, segments=segments, table=table))
        for found in damaged:
            kind = "table" if isinstance(found.entry, TableEntry) else "segment"
            self._report(f"{kind} {found.entry.name}", found.reason)
            self._store.set_aside(found.entry)

    def _engine_for(self, rows: int) -> str:
        return engine_for(self._policy, rows, self._engine, dim=self._store.origin.dim)

    def _next(self, survey: Survey, quiet_s: float) -> Step | None:
        return next_step(
            self._policy,
            dim=self._store.origin.dim,
            new=survey.new.size,
            segments=survey.held,
            quiet_s=quiet_s,
            engine=self._engine,
        )

    def _carry_out(self, step: Step, survey: Survey) -> None:
        """Write one segment and publish it in place of those that it is made of."""
        log.info("an index is maintained", extra=self._fields(reason=step.reason))
        manifest = self._manifest()
        merged = tuple(entry for entry in manifest.segments if entry.name in step.merge)
        if not all(self._is_sound(entry) for entry in merged):
            return  # what is left of it is looked at anew
        rows = sum(held.alive for held in survey.held if held.name in step.merge)
        rows += survey.new.size if step.seal else 0
        engine = self._engine_for(rows)
        made = self._write(merged, survey, seal=step.seal, engine=engine)
        segments = tuple(entry for entry in manifest.segments if entry not in merged)
        self._publish(replace(manifest, segments=(*segments, *([made] if made else [])), seq=survey.seq))
        self._known = rewritten(survey, self._store, merged, made)

    def _write(self, merged: Sequence[SegmentEntry], survey: Survey, *, seal: bool, engine: str) -> SegmentEntry | None:
        """Write one segment of the living rows of ``merged`` and of what is new; ``None`` where there are none."""
        with self._store.writing() as folder, ExitStack() as opened:
            sources = [self._opened(opened, entry) for entry in merged]
            count = write_segment(
                folder,
                self._parts(sources, survey, seal=seal),
                dim=self._store.origin.dim,
                engine=self._store.engines[engine] if engine else None,
                threads=self._threads,
                calibrate=self._calibrate,
            )
            return self._store.keep_segment(folder, count) if count else None

    def _opened(self, stack: ExitStack, entry: SegmentEntry) -> SealedSegment:
        segment = self._store.segment(entry)
        stack.callback(segment.close)
        return segment

    def _parts(self, sources: Sequence[SealedSegment], survey: Survey, *, seal: bool) -> Iterator[Part]:
        """The rows of a new segment: those of ``sources`` that are alive, and what is new, from the catalog."""
        step = max(1, _COPY_BYTES // (2 * self._store.origin.dim))
        for segment in sources:
            slots = np.flatnonzero(survey.alive[segment.name])
            for start in range(0, slots.size, step):
                some = slots[start : start + step]
                yield segment.keys[some], segment.rows[some]
        if seal and survey.new.size:
            few = survey.new.size < survey.rows // 2
            wanted = survey.new if few else None
            for keys, vectors in self._truth.vectors(collection=self.collection, keys=wanted):
                new = among(keys, survey.new)
                yield keys[new], vectors[new]

    def _table_is_due(self, tables: Tables, survey: Survey, *, settle: bool) -> bool:
        """Whether to save the table of items; one that is of no use any more is dropped first."""
        if survey.rows < self._policy.rows_to_seal(self._store.origin.dim):
            return False
        table = self._manifest().table
        if table is None:
            return True
        try:
            with closing(self._store.table(table)) as held:
                tables.check(held.path, held.seq)
        except StateError as exc:
            self._drop([Damage(table, exc.message)])
            return True
        quiet = settle or self._quiet()
        patience = self._policy.table_changes // (8 if quiet else 1)
        return survey.seq - table.seq > patience and (quiet or self._clock() >= self._table_after)

    def _renew_table(self, tables: Tables) -> None:
        """Save the table of items, brought up to date from the last one, and publish it."""
        began = self._clock()
        last = self._manifest().table
        with self._store.writing() as folder, ExitStack() as stack:
            held = None
            if last is not None and self._is_sound(last):
                held = stack.enter_context(closing(self._store.table(last)))
            seq = tables.save((held.path, held.seq) if held else None, folder)
            entry = self._store.keep_table(folder, seq)
        self._publish(replace(self._manifest(), table=entry))
        self._table_after = self._clock() + (self._clock() - began) / _TABLE_SHARE

    def _is_sound(self, entry: SegmentEntry | TableEntry) -> bool:
        """Whether all blocks are as they were written; if not, the part is dropped.

        What is damaged must not be copied: it would get a checksum that says it is right.
        """
        try:
            for _ in self._store.check(entry):
                pass
        except StateError as exc:
            self._drop([Damage(entry, exc.message)])
            return False
        return True

    def _publish(self, manifest: Manifest) -> None:
        self._store.publish(replace(manifest, number=manifest.number + 1))

    def _report(self, part: str, reason: str) -> None:
        log.error("a part of an index is damaged and is built again", extra=self._fields(part=part, reason=reason))
        self._store.note(damaged=part, problem=reason)

    def _fields(self, **values: str) -> dict[str, str]:
        return {"collection": self.collection, **values}


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    """Say in our words what the disk says."""
    try:
        yield
    except OSError as exc:
        raise StateError(
            f"the index in {folder} cannot be written: {exc}",
            remedy="make room or set permissions; until then searches go on, and new rows stay in memory",
            code="index-write",
        ) from exc
