"""``nitari search`` and ``nitari similar``: a photo or an item in, a table, JSON or a contact sheet out."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, TypeVar

import click

from nitari.catalog.base import Catalog
from nitari.cli.contact_sheet import contact_sheet, locate
from nitari.cli.output import CommandContext, json_option, print_json, print_table, show_value
from nitari.errors import DataError, FilterError, UsageError
from nitari.search.query import MAX_K, NEUTRAL, Query, RegionChoice, WornChoice
from nitari.server import present
from nitari.types import Answer, Box, Hit
from nitari.wiring import open_catalog, open_searcher

_Command = TypeVar("_Command", bound=Callable[..., Any])
# Below this an answer is told to be of photos that the model does not know.
_FAMILIAR = 0.5
_SHOWN = ("product_type", "color", "price")


def _answer_options(command: _Command) -> _Command:
    """Add the options that every query has."""
    count = click.IntRange(1, MAX_K)
    file = click.Path(path_type=Path, dir_okay=False)
    example = """Such as '{"price": {"lt": 50}, "color": ["red", "blue"]}'."""
    emphasis = "What being alike means: 0 the same shape, 1 the same color, 0.5 as the model weighs them."
    options = (
        click.option("-k", "--count", "k", type=count, default=10, show_default=True, help="How many hits."),
        click.option("--offset", type=click.IntRange(0), default=0, help="How many hits to leave out first."),
        click.option("--filter", "filter_json", metavar="JSON", help=example),
        click.option("--min-score", type=click.FloatRange(0, 1), help="Leave out hits below this score."),
        click.option("--group", is_flag=True, help="Only the best item of each group."),
        click.option("--emphasis", type=click.FloatRange(0, 1), default=NEUTRAL, show_default=True, help=emphasis),
        click.option(
            "--category",
            type=click.Choice(["boost", "restrict", "off"]),
            default="boost",
            show_default=True,
            help="What to do about the kind of product that the query seems to show.",
        ),
        click.option("--collapse/--no-collapse", default=True, help="Answer listings of the same photos once."),
        click.option("--why", is_flag=True, help="Also say what each score is made of."),
        click.option("--explain", is_flag=True, help="Also say how the index was searched, and why."),
        click.option("--sheet", type=file, help="Write an HTML contact sheet here."),
        click.option("--open", "open_sheet", is_flag=True, help="Open the contact sheet in a browser."),
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command("search")
@click.argument("photo", required=False)
@click.option("--box", metavar="X1,Y1,X2,Y2", help="Search with this part of the photo (shares of width and height).")
@click.option("--region", type=click.Choice(["auto", "whole", "largest"]), default="auto", show_default=True,
              help="Which part of the photo to search with, where no box is given.")  # fmt: skip
@click.option("--vector", "vector_file", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="Search with a vector: a JSON array of numbers in a file.")  # fmt: skip
@click.option("--worn", metavar="auto|off|0-1", default="auto", show_default=True,
              help="How much of what a wearer adds to the photo is taken out of it.")  # fmt: skip
@_answer_options
@click.pass_obj
def search_command(
    context: CommandContext,
    /,
    photo: str | None,
    *,
    box: str | None,
    region: str,
    vector_file: Path | None,
    worn: str,
    **options: Any,
) -> int:
    """Search with PHOTO, a file or an http(s) URL: the products that look alike, best first."""
    if (photo is None) == (vector_file is None):
        raise UsageError("give a photo or --vector, one of them", remedy="nitari search photo.jpg")
    asked: dict[str, Any] = {"region": _region(box, region), "worn": worn_choice(worn)}
    if vector_file is not None:
        asked = {"vector": _read_vector(vector_file)}
    elif photo is not None and photo.startswith(("http://", "https://")):
        asked["url"] = photo
    elif photo is not None:
        asked["photo"] = _read_photo(Path(photo))
    return _answer(context, asked, options, title=photo or str(vector_file))


@click.command("similar")
@click.argument("liked", nargs=-1, required=True)
@click.option("--unlike", "disliked", multiple=True, metavar="ID", help="An item to be unlike (may be repeated).")
@_answer_options
@click.pass_obj
def similar_command(
    context: CommandContext, /, liked: tuple[str, ...], *, disliked: tuple[str, ...], **options: Any
) -> int:
    """Find items that look like the items LIKED, by id; several make a recommendation. Needs no model."""
    several = len(liked) > 1 or disliked
    asked: dict[str, Any] = {"liked": liked, "disliked": disliked} if several else {"item_id": liked[0]}
    return _answer(context, asked, options, title=" ".join(liked))


def _answer(context: CommandContext, asked: dict[str, Any], options: dict[str, Any], *, title: str) -> int:
    """Ask, and show the answer as the options want it."""
    query = Query(
        **asked,
        k=options["k"],
        offset=options["offset"],
        filter=_read_filter(options["filter_json"]),
        min_score=options["min_score"],
        group_by="group" if options["group"] else "item",
        explain=options["explain"],
        emphasis=options["emphasis"],
        category=options["category"],
        collapse=options["collapse"],
        why=options["why"],
    )
    settings = context.settings()
    with open_searcher(settings) as searcher:
        answer = searcher.search(query)
        collection = searcher.stats().collection
    if options["sheet"] or options["open_sheet"]:
        with open_catalog(settings) as catalog:
            _write_sheet(catalog, query, answer, title, options)
    if options["as_json"]:
        print_json(present.answer(answer, collection=collection, asked=collection))
    else:
        _print_answer(answer)
    return 0


def _print_answer(answer: Answer) -> None:
    if answer.category is not None:
        click.echo(f"taken for: {answer.category.value} ({answer.category.probability:.0%})")
    if answer.worn is not None:
        click.echo(f"worn: {answer.worn:.0%}")
    if answer.familiarity is not None and answer.familiarity < _FAMILIAR:
        click.echo(f"familiar: {answer.familiarity:.0%} (the model was not trained on such photos)")
    if not answer.hits:
        _print_plan(answer)
        click.echo("nothing looks like this (with this filter and threshold)")
        return
    shown = [name for name in _SHOWN if any(name in hit.attributes for hit in answer.hits)]
    duplicates = ("same photos",) if any(hit.duplicates for hit in answer.hits) else ()
    made_of = _reasons(answer.hits)
    rows = [
        (
            str(rank),
            f"{hit.score:.3f}",
            *(why(hit) for why in made_of.values()),
            hit.item_id,
            hit.title,
            *(show_value(hit.attributes[name]) if name in hit.attributes else "" for name in shown),
            hit.image,
            *((" ".join(hit.duplicates),) if duplicates else ()),
        )
        for rank, hit in enumerate(answer.hits, start=1)
    ]
    names = ("#", "score", *made_of, "item", "title", *shown, "photo", *duplicates)
    print_table(names, rows, right=("#", "score", "price", *made_of))
    timing = ", ".join(f"{stage} {ms:.1f}" for stage, ms in answer.timing_ms.items())
    _print_plan(answer)
    click.echo(f"{len(answer.hits)} hits{', more with --offset' if answer.more else ''} (ms: {timing})")


def _reasons(hits: Sequence[Hit]) -> dict[str, Callable[[Hit], str]]:
    """The columns that tell what scores are made of, by name; none where nobody asked.

    First the parts of the likeness and their sum, then what category and second pass add to the score, with its sign.
    """
    told = [hit.why for hit in hits if hit.why is not None]
    if not told:
        return {}
    parts = dict.fromkeys(name for why in told for name in why.contributions)

    def part(name: str) -> Callable[[Hit], str]:
        return lambda hit: "" if hit.why is None else f"{hit.why.contributions.get(name, 0.0):.3f}"

    return {
        **{name: part(name) for name in parts},
        "= similar": lambda hit: "" if hit.why is None else f"{hit.why.similarity:.3f}",
        "category": lambda hit: "" if hit.why is None else f"{hit.why.category:+.3f}",
        "rerank": lambda hit: "" if hit.why is None else f"{hit.why.rerank:+.3f}",
    }


def _print_plan(answer: Answer) -> None:
    """How the index was searched, a line for each of its parts and query vectors."""
    if answer.plan is None:
        return
    names = ("part", "rows", "allowed", "how", "probes", "candidates", "ms", "reason")
    rows = [tuple(f"{step[name]:.3f}" if name == "ms" else str(step[name]) for name in names) for step in answer.plan]
    print_table(names, rows, right=("rows", "allowed", "probes", "candidates", "ms"))


def _write_sheet(catalog: Catalog, query: Query, answer: Answer, title: str, options: dict[str, Any]) -> None:
    path: Path = options["sheet"] or Path(mkdtemp(prefix="nitari-")) / "hits.html"
    path.write_text(contact_sheet(answer, title=title, photo=query.photo, link_of=partial(locate, catalog)), "utf-8")
    click.echo(f"contact sheet: {path}", err=True)
    if options["open_sheet"]:
        webbrowser.open(path.resolve().as_uri())


def _region(box: str | None, region: str) -> RegionChoice:
    if box is None:
        return region  # type: ignore[return-value]  # click has checked the choice
    try:
        x1, y1, x2, y2 = (float(part) for part in box.split(","))
    except ValueError as exc:
        raise UsageError(f"--box {box!r} is not four numbers", remedy="such as --box 0.1,0.2,0.6,0.9") from exc
    return Box(x1, y1, x2, y2)


def worn_choice(text: str) -> WornChoice:
    """What ``--worn`` says.

    Raises:
        UsageError: neither ``auto`` nor ``off`` nor a number.
    """
    if text in ("auto", "off"):
        return text  # type: ignore[return-value]  # one of the two words
    try:
        return float(text)
    except ValueError as exc:
        raise UsageError(f"--worn {text!r} is neither auto, off nor a number", remedy="such as --worn 0.5") from exc


def _read_filter(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except json.JSONDecodeError as exc:
        raise FilterError(f"--filter is not JSON: {exc}", remedy="""such as --filter '{"color": "red"}'""") from exc
    if not isinstance(value, dict):
        raise FilterError(f"--filter is {type(value).__name__}, expected a JSON object")
    return value


def _read_photo(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise DataError(f"photo {path} cannot be read: {exc.strerror}", remedy="name an image file") from exc


def _read_vector(path: Path) -> Any:
    import numpy as np

    try:
        return np.asarray(json.loads(path.read_text("utf-8")), dtype=np.float32)
    except (ValueError, TypeError) as exc:
        raise UsageError(f"{path} is not a JSON array of numbers: {exc}") from exc
