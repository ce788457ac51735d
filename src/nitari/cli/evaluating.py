"""``nitari eval``: how good the answers are, with intervals, through the production searcher."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nitari.cli.output import CommandContext, err, is_terminal, json_option, print_error, print_json, print_table
from nitari.recipes import Extractors
from nitari.wiring import open_decoder, open_feed, open_ingester, open_searcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nitari.evaluate.compare_run import SavedRun
    from nitari.evaluate.protocols import Materials
    from nitari.evaluate.runner import Run
    from nitari.settings import Settings

HOMES = "eval"


@click.command("eval")
@click.argument("protocol", type=click.Choice(["luma", "flat", "worn", "color", "unrelated", "general", "qrels"]))
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--run", "run_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the TREC run here.")
@click.option("--details", is_flag=True, help="With --json: the measures of every query too.")
@click.option("--judgments", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Further judgments (qrels), which count more than the protocol's own.")  # fmt: skip
@click.option("--save", "save_file", type=click.Path(path_type=Path, dir_okay=False),
              help="Save the run here, for `nitari compare`.")  # fmt: skip
@click.option("--small", is_flag=True, help="With --save: 20 ranks, no photos, no paths: fit to be committed.")
@json_option
@click.pass_obj
def eval_command(
    context: CommandContext,
    /,
    protocol: str,
    folder: Path,
    *,
    run_file: Path | None,
    details: bool,
    judgments: Path | None,
    save_file: Path | None,
    small: bool,
    as_json: bool,
) -> int:
    r"""Measure PROTOCOL on DIR, which holds feed.csv (and, for qrels, queries.csv and perhaps qrels.txt).

    \b
    luma   back views find their style among all main photos
    flat   1,500 photos find their type, other sellers' photos only
    qrels  your own queries and judgments

    The gallery is kept in the home folder, so that a repetition embeds nothing twice.
    """
    from nitari.evaluate.compare_marks import with_marks
    from nitari.evaluate.qrels import write_run
    from nitari.evaluate.report import report

    run = measure(context.settings(), protocol, folder, quiet=as_json)
    if judgments is not None:
        run = with_marks(run, judgments)
    if run_file is not None:
        write_run(run_file, run.rankings)
    found = report(run, settings=_told(context.settings()), details=details)
    if save_file is not None:
        save(run, save_file, settings=context.settings(), is_small=small)
    if as_json:
        print_json(found)
    else:
        _print_report(found)
    return 3 if run.failures or run.gallery.rejected else 0


def saved(run: Run, settings: Settings, *, name: str | None = None) -> SavedRun:
    """The run as `nitari compare` takes it, with the measures that the report tells."""
    from nitari.evaluate.compare_run import of_run

    return of_run(run, name=name or settings.models.embedder, settings=_told(settings))


def save(run: Run, path: Path, *, settings: Settings, is_small: bool = False) -> None:
    """Save a run for `nitari compare`."""
    from nitari.evaluate.compare_run import small, write_saved

    whole = saved(run, settings)
    write_saved(path, small(whole) if is_small else whole)


def measure(settings: Settings, protocol: str, folder: Path, *, quiet: bool) -> Run:
    """Import the protocol's gallery into a home of its own and ask its queries there."""
    from nitari.evaluate.protocols import make_protocol
    from nitari.evaluate.runner import home_for, run_protocol

    asked = make_protocol(protocol, folder.resolve(), _materials(settings))
    home = home_for(settings.home / HOMES, asked, Extractors(settings).build().fingerprint)
    there = settings.model_copy(update={"home": home})
    with open_ingester(there) as ingester, _progress(quiet=quiet) as bar:
        return run_protocol(
            asked,
            ingester=ingester,
            open_searcher=lambda: open_searcher(there),
            workers=settings.ingest.workers,
            on_import=lambda counts: bar("gallery", counts.rows, counts.total or 0),
            on_query=lambda done, total: bar("queries", done, total),
        )


def _materials(settings: Settings) -> Materials:
    from nitari.evaluate.protocols import Materials

    return Materials(
        open_feed=lambda folder: open_feed(settings, str(folder)),
        decoder=open_decoder(settings),
        work=settings.home / HOMES / "made",
    )


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """Two progress bars on a terminal, nothing elsewhere."""
    if quiet or not is_terminal():
        yield lambda _stage, _done, _total: None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as progress:
        tasks = {stage: progress.add_task(stage, total=None) for stage in ("gallery", "queries")}
        yield lambda stage, done, total: progress.update(tasks[stage], completed=done, total=total)


def _told(settings: Settings) -> dict[str, Any]:
    """The settings that shape an answer."""
    return {
        "embedder": settings.models.embedder,
        "regions": settings.extract.regions,
        "views": settings.extract.views,
        "engine": settings.index.engine,
    }


def _print_report(found: dict[str, Any]) -> None:
    click.echo(
        f"{found['protocol']}: {found['queries']} queries ({found['judged']} judged, {found['failed']} failed) "
        f"over {found['gallery']['items']} items"
    )
    if found["measures"]:
        rows = [
            (name, f"{measure['value']:.3f}", f"{measure['low']:.3f} - {measure['high']:.3f}")
            for name, measure in found["measures"].items()
        ]
        print_table(("measure", "value", "95 % interval"), rows, right=("value",))
    if len(found["categories"]) > 1:
        names = list(found["measures"])
        rows = [
            (category, str(entry["queries"]), *(f"{entry['measures'][name]['value']:.3f}" for name in names))
            for category, entry in found["categories"].items()
        ]
        print_table(("category", "queries", *names), rows, right=("queries", *names))
    for query_id, reason in found["failures"].items():
        print_error(f"query {query_id}: {reason}")
    timing = ", ".join(f"{stage} {spent:.1f}" for stage, spent in found["timing_ms"].items())
    click.echo(f"mean ms a query: {timing}; {found['seconds']:.0f} s of queries")
