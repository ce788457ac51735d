"""The queue of imports: durable, one runner, canceled and retried at will."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from nitari.errors import DependencyError, FeedError, NotFoundError, UsageError
from nitari.ingest import jobs as module
from nitari.ingest.job_files import Job, JobFiles
from nitari.ingest.jobs import ImportRequest, Jobs
from nitari.ingest.worker import ImportReport

PATIENCE_S = 60.0
URL = "https://x.example/feed.csv"


def eventually(jobs: Jobs, job_id: str, *states: str) -> Job:
    """The job once it is in one of these states."""
    end = monotonic() + PATIENCE_S
    while (job := jobs.get(job_id)).state not in states:
        assert monotonic() < end, f"still {job}"
        sleep(0.01)
    return job


class Runner:
    """Runs jobs as a test tells it: commits and waits until it may go on."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, str]] = []
        self.running = threading.Event()
        self.go_on = threading.Event()
        self.error: Exception | None = None

    def __call__(self, job: Job, source: str, on_progress: Callable[[ImportReport], None]) -> ImportReport:
        """Commit every few milliseconds until told to go on."""
        self.runs.append((job.feed, source))
        report = ImportReport(job.feed_id or job.feed)
        while True:
            report.rows += 1
            on_progress(report)
            self.running.set()
            if self.go_on.wait(0.005):
                break
        if self.error is not None:
            raise self.error
        report.complete = True
        on_progress(report)
        return report


@pytest.fixture
def runner() -> Runner:
    """One that waits."""
    return Runner()


@pytest.fixture
def jobs(tmp_path: Path, runner: Runner) -> Iterator[Jobs]:
    """A queue that is not started."""
    with Jobs(folder=tmp_path / "jobs", run=runner) as made:
        yield made
        runner.go_on.set()


def test_an_import_runs(jobs: Jobs, runner: Runner) -> None:
    """Queued, running, succeeded, with counts and times; every commit is told of."""
    commits: list[int] = []
    job = jobs.submit(ImportRequest("https://u:p@x.example/feed.csv?token=1", sync=True))
    assert (job.state, job.feed, job.feed_id) == ("queued", "https://x.example/feed.csv?...", None)
    runner.go_on.set()
    jobs.start(lambda: commits.append(1))
    done = eventually(jobs, job.job_id, "succeeded")
    assert runner.runs == [("https://x.example/feed.csv?...", "https://u:p@x.example/feed.csv?token=1")]
    assert done.progress is not None
    assert (done.progress.rows, done.progress.complete, done.attempts, done.sync) == (1, True, 1, True)
    assert done.created_at <= (done.started_at or done.created_at) <= (done.finished_at or done.created_at)
    assert len(commits) == 2
    assert jobs.list() == (done,)


def test_oldest_first_newest_listed_first(jobs: Jobs, runner: Runner) -> None:
    """Jobs run in the order in which they were submitted."""
    submitted = [jobs.submit(ImportRequest(f"https://x/{n}")) for n in range(5)]
    assert [job.job_id for job in jobs.list()] == [job.job_id for job in reversed(submitted)]
    runner.go_on.set()
    jobs.start(lambda: None)
    eventually(jobs, submitted[-1].job_id, "succeeded")
    assert [source for _, source in runner.runs] == [f"https://x/{n}" for n in range(5)]


def test_uploaded_feeds(jobs: Jobs, runner: Runner, tmp_path: Path) -> None:
    """The file is there while it is needed; its feed is named after it, so that it can be imported again."""
    job = jobs.submit(ImportRequest("../shop.csv", data=b"id"))
    assert (job.feed, job.feed_id) == ("shop.csv", "upload:shop.csv")
    jobs.start(lambda: None)
    assert runner.running.wait(PATIENCE_S)
    path = Path(runner.runs[0][1])
    assert path.parent == tmp_path / "jobs"
    assert path.suffix == ".csv"
    assert path.read_bytes() == b"id"
    runner.go_on.set()
    eventually(jobs, job.job_id, "succeeded")
    end = monotonic() + PATIENCE_S
    while path.exists():
        assert monotonic() < end
        sleep(0.01)


@pytest.mark.parametrize(
    ("error", "code", "remedy"),
    [
        (FeedError("row 3 is bad", remedy="mend it", code="broken"), "broken", "mend it"),
        (DependencyError("down"), "dependency", ""),
        (ZeroDivisionError("x"), "internal", "see the server's log, and report it"),
    ],
)
def test_failed_jobs_say_why_and_can_be_retried(
    jobs: Jobs, runner: Runner, error: Exception, code: str, remedy: str
) -> None:
    """The queue goes on; the same job runs again when asked to, its feed included."""
    runner.error = error
    runner.go_on.set()
    job = jobs.submit(ImportRequest("shop.csv", data=b"id"))
    jobs.start(lambda: None)
    failed = eventually(jobs, job.job_id, "failed")
    assert failed.error is not None
    assert (failed.error.code, failed.error.remedy) == (code, remedy)
    assert str(error) in failed.error.message
    assert failed.progress is not None
    runner.error = None
    again = jobs.retry(job.job_id)
    assert (again.job_id, again.state, again.error, again.created_at) == (job.job_id, "queued", None, job.created_at)
    assert eventually(jobs, job.job_id, "succeeded").attempts == 2


def test_cancel_what_waits(jobs: Jobs, runner: Runner) -> None:
    """It is canceled at once, twice is as good as once, and it can be retried."""
    job = jobs.submit(ImportRequest(URL))
    assert jobs.cancel(job.job_id).state == "canceled"
    assert jobs.cancel(job.job_id).state == "canceled"
    runner.go_on.set()
    jobs.start(lambda: None)
    later = jobs.submit(ImportRequest(URL))
    eventually(jobs, later.job_id, "succeeded")
    assert len(runner.runs) == 1
    jobs.retry(job.job_id)
    eventually(jobs, job.job_id, "succeeded")


def test_cancel_what_runs(jobs: Jobs, runner: Runner) -> None:
    """It stops at a commit; what it committed is counted."""
    job = jobs.submit(ImportRequest(URL))
    jobs.start(lambda: None)
    assert runner.running.wait(PATIENCE_S)
    assert jobs.cancel(job.job_id).cancel_asked
    canceled = eventually(jobs, job.job_id, "canceled")
    assert canceled.progress is not None
    assert canceled.progress.rows > 0
    assert not canceled.cancel_asked
    assert canceled.finished_at is not None


def test_what_cannot_be_asked(jobs: Jobs, runner: Runner, tmp_path: Path) -> None:
    """Unknown jobs, ended ones, those whose feed is gone: each is told apart."""
    for ask in (jobs.get, jobs.cancel, jobs.retry):
        with pytest.raises(NotFoundError):
            ask("0" * 32)
        with pytest.raises(NotFoundError):
            ask("../../etc/passwd")
    job = jobs.submit(ImportRequest("a.csv", data=b"id"))
    with pytest.raises(UsageError, match="queued"):
        jobs.retry(job.job_id)
    jobs.cancel(job.job_id)
    JobFiles(tmp_path / "jobs").drop_feed(job.job_id)
    with pytest.raises(UsageError, match="no longer kept"):
        jobs.retry(job.job_id)
    done = jobs.submit(ImportRequest(URL))
    runner.go_on.set()
    jobs.start(lambda: None)
    eventually(jobs, done.job_id, "succeeded")
    with pytest.raises(UsageError, match="succeeded"):
        jobs.retry(done.job_id)
    with pytest.raises(UsageError, match="succeeded"):
        jobs.cancel(done.job_id)


def test_bounds(jobs: Jobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only so many wait; of the finished ones the oldest are forgotten, and large feeds before them."""
    monkeypatch.setattr(module, "MAX_QUEUED", 3)
    monkeypatch.setattr(module, "MAX_FINISHED", 2)
    monkeypatch.setattr(module, "MAX_FEED_BYTES", 3)
    submitted = [jobs.submit(ImportRequest("a.csv", data=b"id")) for _ in range(3)]
    with pytest.raises(UsageError) as caught:
        jobs.submit(ImportRequest(URL))
    assert caught.value.code == "too-many-jobs"
    for job in submitted:
        jobs.cancel(job.job_id)
    jobs.submit(ImportRequest(URL))
    kept = [job.job_id for job in jobs.list() if job.finished]
    assert kept == [submitted[2].job_id, submitted[1].job_id]
    files = JobFiles(tmp_path / "jobs")
    assert [files.feed(job.job_id) is not None for job in submitted] == [False, False, True]


def test_closing_leaves_the_job_to_the_next_start(tmp_path: Path, runner: Runner) -> None:
    """A clean stop is no failure: the job waits at the head of the queue."""
    with Jobs(folder=tmp_path, run=runner) as jobs:
        first, second = jobs.submit(ImportRequest(URL)), jobs.submit(ImportRequest(f"{URL}?2"))
        jobs.start(lambda: None)
        assert runner.running.wait(PATIENCE_S)
    assert jobs.get(first.job_id).state == "queued"
    assert jobs.get(first.job_id).interruptions == 0
    runner.go_on.set()
    with Jobs(folder=tmp_path, run=runner) as again:
        again.start(lambda: None)
        eventually(again, second.job_id, "succeeded")
        assert again.get(first.job_id).attempts == 2
    assert [source for _, source in runner.runs] == [URL, URL, f"{URL}?2"]


CHILD = """
import sys, time
from pathlib import Path
from nitari.ingest.jobs import ImportRequest, Jobs
from nitari.ingest.worker import ImportReport

def run(job, source, on_progress):
    print("running", job.job_id, flush=True)
    on_progress(ImportReport("feed", rows=1))
    time.sleep(600)

with Jobs(folder=Path(sys.argv[1]), run=run) as jobs:
    if len(sys.argv) > 2:
        print("accepted", jobs.submit(ImportRequest("a.csv", data=b"id")).job_id, flush=True)
    jobs.start(lambda: None)
    time.sleep(600)
"""


def child(folder: Path, *words: str) -> subprocess.Popen[str]:
    """A process that submits a job (if ``words`` say something) and runs jobs without ever ending one."""
    command = [sys.executable, "-c", CHILD, str(folder), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_kill_9_and_two_processes(tmp_path: Path, runner: Runner) -> None:
    """While one process runs a job, another one only waits; when the first is killed, the second takes it up."""
    with child(tmp_path, "submit") as process:
        assert process.stdout is not None
        job_id = process.stdout.readline().split()[1]
        assert process.stdout.readline() == f"running {job_id}\n"
        with Jobs(folder=tmp_path, run=runner) as jobs:
            jobs.start(lambda: None)
            second = jobs.submit(ImportRequest(URL))
            sleep(3 * module.POLL_S)
            assert runner.runs == []
            assert jobs.get(job_id).state == "running"
            process.kill()
            process.wait()
            runner.go_on.set()
            job = eventually(jobs, job_id, "succeeded")
            assert (job.attempts, job.interruptions) == (2, 0)
            eventually(jobs, second.job_id, "succeeded")
            assert [Path(source).suffix for _, source in runner.runs] == [".csv", ".csv"]


def test_another_process_submits_and_cancels(tmp_path: Path, runner: Runner) -> None:
    """Who does not run jobs can still ask; the runner finds what it is asked."""
    with Jobs(folder=tmp_path, run=runner) as running, Jobs(folder=tmp_path, run=runner) as asking:
        running.start(lambda: None)
        job = asking.submit(ImportRequest(URL))
        assert runner.running.wait(PATIENCE_S)
        asking.cancel(job.job_id)
        eventually(asking, job.job_id, "canceled")


def test_a_job_that_kills_its_process(tmp_path: Path, runner: Runner) -> None:
    """After some times it is given up, so that the server can live; a retry gives it another chance."""
    files = JobFiles(tmp_path)
    with Jobs(folder=tmp_path, run=runner) as jobs:
        job_id = jobs.submit(ImportRequest(URL)).job_id
    for _ in range(module.MAX_INTERRUPTIONS):
        job = files.get(job_id)
        assert job is not None
        assert job.state == "queued"
        files.put(replace(job, state="running"))
        with Jobs(folder=tmp_path, run=runner) as jobs:
            assert jobs._hold()
            taken = jobs._take()
            if taken is not None:
                files.put(replace(taken, state="queued"))
            jobs._runner.release()
    failed = jobs.get(job_id)
    assert failed.error is not None
    assert (failed.state, failed.error.code) == ("failed", "interrupted")
    assert jobs.retry(job_id).state == "queued"


def test_a_canceled_job_of_a_dead_process(tmp_path: Path, runner: Runner) -> None:
    """It is not begun again."""
    files = JobFiles(tmp_path)
    with Jobs(folder=tmp_path, run=runner) as jobs:
        job = jobs.submit(ImportRequest(URL))
        files.put(replace(job, state="running"))
        assert jobs.cancel(job.job_id).state == "running"
        jobs.start(lambda: None)
        eventually(jobs, job.job_id, "canceled")
    assert runner.runs == []


def test_a_full_disk(jobs: Jobs, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that cannot be kept is not accepted; one whose end cannot be written is run again, not lost."""
    job = jobs.submit(ImportRequest(URL))
    put, broken = JobFiles.put, threading.Event()

    def fail(files: JobFiles, job: Job) -> None:
        if broken.is_set():
            raise OSError(28, "No space left on device")
        put(files, job)

    monkeypatch.setattr(JobFiles, "put", fail)
    jobs.start(lambda: None)
    assert runner.running.wait(PATIENCE_S)
    broken.set()
    with pytest.raises(DependencyError, match="No space left"):
        jobs.submit(ImportRequest(URL))
    runner.go_on.set()
    sleep(2 * module.POLL_S)
    assert jobs.get(job.job_id).state == "running"
    broken.clear()
    eventually(jobs, job.job_id, "succeeded")


def test_progress_is_kept_now_and_then(jobs: Jobs, runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """A running job's counts can be seen, and a listener that fails does no harm."""
    monkeypatch.setattr(module, "PERSIST_S", 0.0)

    def fail() -> None:
        raise ZeroDivisionError

    job = jobs.submit(ImportRequest(URL))
    jobs.start(fail)
    end = monotonic() + PATIENCE_S
    while (progress := jobs.get(job.job_id).progress) is None or progress.rows < 3:
        assert monotonic() < end
        sleep(0.01)
    runner.go_on.set()
    eventually(jobs, job.job_id, "succeeded")


class Queue(RuleBasedStateMachine):
    """Clients of two processes do as they like while nobody runs jobs; every answer is right, and nothing is lost."""

    def __init__(self) -> None:
        super().__init__()

        self._temporary = tempfile.TemporaryDirectory()
        folder = Path(self._temporary.name)
        self._queues = [Jobs(folder=folder, run=Runner()) for _ in range(2)]
        self._expected: dict[str, str] = {}

    @rule(which=st.integers(0, 1), uploaded=st.booleans())
    def submit(self, which: int, uploaded: bool) -> None:
        """A job is accepted."""
        request = ImportRequest("a.csv", data=b"id") if uploaded else ImportRequest(URL)
        self._expected[self._queues[which].submit(request).job_id] = "queued"

    @precondition(lambda self: self._expected)
    @rule(which=st.integers(0, 1), retry=st.booleans(), data=st.data())
    def change(self, which: int, retry: bool, data: st.DataObject) -> None:
        """A job is canceled or retried."""
        job_id = data.draw(st.sampled_from(sorted(self._expected)))
        queue = self._queues[which]
        if not retry:
            assert queue.cancel(job_id).state == "canceled"
            self._expected[job_id] = "canceled"
        elif self._expected[job_id] == "canceled":
            assert queue.retry(job_id).state == "queued"
            self._expected[job_id] = "queued"
        else:
            with pytest.raises(UsageError):
                queue.retry(job_id)

    @invariant()
    def both_see_all(self) -> None:
        """Either process lists all jobs, newest first, in the state that was acknowledged."""
        for queue in self._queues:
            listed = queue.list()
            assert {job.job_id: job.state for job in listed} == self._expected
            assert [job.job_id for job in listed] == sorted(self._expected, reverse=True)

    def teardown(self) -> None:
        """Nothing stays behind."""
        for queue in self._queues:
            queue.close()
        self._temporary.cleanup()


Queue.TestCase.settings = settings(
    max_examples=15, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
TestQueue = Queue.TestCase
