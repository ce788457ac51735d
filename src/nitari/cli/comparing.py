"""``nitari compare``: two runs beside each other, in the terminal, as JSON, as a page, and as a gate."""

from __future__ import annotations

import os
import re
import webbrowser
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache, partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from nitari.cli.comparing_sides import Asked, kept_queries, run_of
from nitari.cli.output import CommandContext, json_option, print_error, print_json, print_table
from nitari.disk import write_whole
from nitari.errors import DataError, UsageError
from nitari.evaluate.compare import Comparison, as_dict, compare, drops, entered, left
from nitari.evaluate.compare_marks import MarksFile
from nitari.evaluate.compare_page import is_link, page
from nitari.evaluate.compare_run import SavedRun, write_saved
from nitari.server.reencode import reencode
from nitari.wiring import open_decoder

if TYPE_CHECKING:
    from nitari.evaluate.compare import Drop
    from nitari.evaluate.compare_stats import Paired
    from nitari.images.base import Decoder
    from nitari.settings import Settings

DROPPED = 8
"""Exit code of ``--fail-on-drop``."""
MARKS = "judgments"
THUMBNAIL = 256
"""Longest side of photos in a page, pixels."""
QUALITY = 78
_REMEMBERED = 4096
# Queries listed for people; JSON and the page have all.
_CHANGED = 10
_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("compare")
@click.argument("a")
@click.argument("b")
@click.option("--protocol", nargs=2, type=(str, click.Path(path_type=Path)), metavar="NAME DIR",
              help="Ask what is no saved run this protocol of `nitari eval`.")  # fmt: skip
@click.option("--queries", type=click.Path(path_type=Path, exists=True), metavar="PATH",
              help="Ask the home these photos instead: a folder, or a queries.csv. Needs no labels.")  # fmt: skip
@click.option("--kept-queries", is_flag=True, help="Ask the home the query photos that its server keeps.")
@click.option("--judgments", type=_FILE, help="Judgments (qrels) that count more than those of the runs.")
@click.option("--measure", "primary", multiple=True, metavar="NAME", help="The measure that decides; may be repeated.")
@click.option("--page", "page_file", type=_FILE, metavar="FILE.html", help="Write the page here.")
@click.option("--embed-photos", is_flag=True, help="Put the photos, made small, into the page.")
@click.option("--photos", type=_FOLDER, metavar="DIR", help="Where photos lie that the runs name by relative path.")
@click.option("--serve", "serves", is_flag=True, help="Serve the page on this machine, and keep judgments made there.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="With --serve: port (default: any free one).")
@click.option("--open", "opens", is_flag=True, help="Open the page in a browser.")
@click.option("--save", "save_folder", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Save both runs here, as a.json and b.json.")  # fmt: skip
@click.option("--fail-on-drop", is_flag=True, help=f"Exit with {DROPPED} where B is significantly worse.")
@click.option("--alpha", type=click.FloatRange(0, 1), default=0.05, show_default=True, help="Level of --fail-on-drop.")
@click.option("--details", is_flag=True, help="With --json: every query too.")
@json_option
@click.pass_obj
def compare_command(context: CommandContext, /, a: str, b: str, **options: Any) -> int:
    r"""Compare A with B, which may take its place: measures with significance, by category, and what moved.

    \b
    A and B are each
      a run that `nitari eval ... --save RUN.json` wrote,
      a model card, or the .toml of one,
      a .toml of settings,
      a folder of folds, as `nitari train` writes it,
      a collection or an alias of the home,
    and after all but the first, options of the query: NAME?worn=off&emphasis=1.
    """
    asked = _asked(context, options)
    runs = (run_of(a, asked), run_of(b, asked))
    if options["save_folder"] is not None:
        for name, run in zip(("a", "b"), runs, strict=True):
            write_saved(options["save_folder"] / f"{name}.json", run)
    marks = _marks(context, options, runs[1])
    weigh = partial(compare, *runs, primary=options["primary"])
    found = weigh(marks=marks.marks if marks else None)
    dropped = drops(found, alpha=options["alpha"]) if options["fail_on_drop"] else []
    settings = context.settings()
    if options["page_file"] is not None:  # before anything is printed, whose reader may stop reading
        _write_page(found, marks, settings, options)
    if options["as_json"]:
        told = as_dict(found, details=options["details"])
        print_json({**told, "dropped": [one.measure for one in dropped]} if options["fail_on_drop"] else told)
    else:
        _print(found)
    for one in dropped:
        print_error(_drop(one), "look at what moved with --page FILE.html; if it is meant, accept the new run")
    if options["serves"] and marks is not None:
        _serve(weigh, marks, settings, options)
    return DROPPED if dropped else 0


def _asked(context: CommandContext, options: Mapping[str, Any]) -> Asked:
    """How to ask, from options that do not contradict each other."""
    given = [name for name in ("protocol", "queries", "kept_queries") if options[name]]
    if len(given) > 1:
        raise UsageError(f"give one of --protocol, --queries and --kept-queries, not {len(given)} of them")
    if (options["embed_photos"] or options["opens"]) and not (options["page_file"] or options["serves"]):
        raise UsageError("there is no page to do that with", remedy="add --page FILE.html")
    queries = kept_queries(context) if options["kept_queries"] else options["queries"]
    return Asked(context, options["protocol"], queries, quiet=options["as_json"])


def _marks(context: CommandContext, options: Mapping[str, Any], run: SavedRun) -> MarksFile | None:
    """The judgments that were named; for ``--serve`` a file that need not be there yet, in the home by default."""
    given: Path | None = options["judgments"]
    if options["serves"]:
        name = re.sub(r"[^a-z0-9-]", "-", run.protocol)
        return MarksFile(given or context.settings().home / MARKS / f"{name}.txt")
    if given is None:
        return None
    if not given.is_file():
        raise DataError(f"{given} is not there", remedy="name a file of judgments (qrels)", code="qrels")
    return MarksFile(given)


def _write_page(found: Comparison, marks: MarksFile | None, settings: Settings, options: Mapping[str, Any]) -> None:
    """Write the page, with photos by relative path or in it."""
    path: Path = options["page_file"]
    show = _Embedded(settings) if options["embed_photos"] else partial(relative, path.resolve().parent)
    text = page(found, show=show, folder=options["photos"], marks=marks.marks if marks else None).encode()
    try:
        write_whole(path, text)
    except OSError as exc:
        raise UsageError(f"the page cannot be written to {path}: {exc.strerror}", remedy="name another file") from exc
    click.echo(f"page: {path} ({len(text) / 2**20:.1f} MiB)", err=True)
    if isinstance(show, _Embedded) and show.missing:
        click.echo(f"{show.missing} photos cannot be read, and are not in it", err=True)
    if options["opens"] and not options["serves"]:
        webbrowser.open(path.resolve().as_uri())


def _serve(weigh: Callable[..., Comparison], marks: MarksFile, settings: Settings, options: Mapping[str, Any]) -> None:
    """Serve the page until Ctrl-C."""
    from nitari.evaluate.compare_serve import CompareServer, CompareSite

    photos = _Numbered(settings)

    def render(made: Mapping[str, Mapping[str, int]]) -> str:
        found = weigh(marks=made)
        return page(found, show=photos.show, folder=options["photos"], marks=made, marks_file=str(marks.path))

    queries = frozenset(pair.query_id for pair in weigh().pairs)
    site = CompareSite(render=render, picture=photos.picture, marks=marks, queries=queries)
    with CompareServer(site, options["port"]) as server:
        click.echo(f"open the page: {server.url}\njudgments go to {marks.path} (Ctrl-C stops)")
        if options["opens"]:  # on a thread: some browsers keep their caller waiting
            Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        with suppress(KeyboardInterrupt):
            server.run()


class _Numbered:
    """Photos by number, so that nothing but a photo of the page can be asked for."""

    def __init__(self, settings: Settings) -> None:
        self._numbers: dict[str, int] = {}
        self._small = lru_cache(_REMEMBERED)(partial(thumbnail, open_decoder(settings)))

    def show(self, place: str) -> str:
        """Where the page finds a photo."""
        if is_link(place):
            return place
        return f"photo/{self._numbers.setdefault(place, len(self._numbers))}"

    def picture(self, number: int) -> bytes:
        """A photo, made small."""
        places = list(self._numbers)
        if number >= len(places):
            raise DataError(f"there is no photo {number}")
        return self._small(places[number])


class _Embedded:
    """Photos as ``data:`` URIs. Links to the web stay links."""

    def __init__(self, settings: Settings) -> None:
        self._decoder = open_decoder(settings)
        self.missing = 0

    def __call__(self, place: str) -> str:
        if is_link(place):
            return place
        try:
            return "data:image/jpeg;base64," + b64encode(thumbnail(self._decoder, place)).decode()
        except DataError:
            self.missing += 1
            return ""


def thumbnail(decoder: Decoder, place: str) -> bytes:
    """A photo made small, as a JPEG with nothing but pixels in it.

    Raises:
        DataError: a file that cannot be read, or is no photo.
    """
    try:
        data = Path(place).read_bytes()
    except OSError as exc:
        raise DataError(f"photo {place} cannot be read: {exc.strerror}") from exc
    return reencode(decoder, data, longest=THUMBNAIL, quality=QUALITY)


def relative(folder: Path, place: str) -> str:
    """How a page in a folder names a photo: by relative path, so that both may be moved together."""
    if is_link(place):
        return place
    try:
        return quote(Path(os.path.relpath(place, folder)).as_posix())
    except ValueError:  # on another drive (Windows)
        return Path(place).resolve().as_uri()


def _drop(drop: Drop) -> str:
    one = drop.paired
    return (
        f"{drop.measure} dropped from {one.a:.3f} to {one.b:.3f} ({one.difference:+.3f}, {one.low:+.3f} to "
        f"{one.high:+.3f}, p = {drop.p:.4f}): {one.lost} queries lost, {one.won} won"
    )


def _print(found: Comparison) -> None:
    """A comparison for people."""
    click.echo(f"A: {_who(found.a)}\nB: {_who(found.b)}")
    left_out = f", {found.left_out} that only one was asked are left out" if found.left_out else ""
    click.echo(f"{found.b.protocol}: {len(found.pairs)} queries{left_out}")
    if found.measures:
        rows = [_row(f"{name}{' *' if name in found.primary else ''}", one) for name, one in found.measures.items()]
        print_table(("measure", *_COLUMNS, "p"), rows, right=(*_COLUMNS, "p"))
    for measure in found.primary[:1]:
        rows = [
            _row(category, results[measure].paired, results[measure].p_holm)
            for category, results in found.categories.items()
            if measure in results
        ]
        if len(rows) > 1:
            print_table((f"{measure} by category", *_COLUMNS, "p (Holm)"), rows, right=(*_COLUMNS, "p (Holm)"))
    agreed = found.agreement
    click.echo(
        f"first ten in common {agreed.overlap:.0%}, rank-biased overlap {agreed.rbo:.3f}, "
        f"same first hit {agreed.same_first:.0%}, very same first ten {agreed.same_ten:.0%}"
    )
    if found.recut:
        click.echo(f"queries with further judgments were measured anew, from their first {found.recut} ranks")
    if not found.measures:
        _print_changed(found)
        click.echo("nothing was judged: mark hits with --serve, and they count")


def _print_changed(found: Comparison) -> None:
    """The queries that are answered most differently."""
    changed = sorted((pair for pair in found.pairs if pair.rbo < 1), key=lambda pair: pair.rbo)[:_CHANGED]
    rows = [
        (pair.query_id, f"{pair.overlap:.1f}", f"{pair.rbo:.3f}", " ".join(entered(pair)), " ".join(left(pair)))
        for pair in changed
    ]
    if rows:
        print_table(("most changed", "overlap", "RBO", "entered", "left"), rows, right=("overlap", "RBO"))


_COLUMNS = ("A", "B", "B - A", "95 % interval", "won", "lost", "tied")


def _row(name: str, one: Paired, p: float | None = None) -> tuple[str, ...]:
    p = one.p if p is None else p
    told = (f"{one.a:.3f}", f"{one.b:.3f}", f"{one.difference:+.3f}", f"{one.low:+.3f} to {one.high:+.3f}")
    return (name, *told, str(one.won), str(one.lost), str(one.tied), "< .001" if p < 0.001 else f"{p:.3f}")


def _who(run: SavedRun) -> str:
    failed = sum(1 for query in run.queries if query.failure)
    return f"{run.name}, {run.made}" + (f", {failed} queries failed" if failed else "")
