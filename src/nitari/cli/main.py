"""The ``nitari`` command: global options, the list of commands, and how errors become messages and exit codes."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

import click

from nitari import __version__
from nitari.cli.lazy import LazyGroup
from nitari.cli.output import CommandContext, print_error
from nitari.errors import NitariError

# Where each command lives; a module is imported only when its command is asked for, so that help and doctor are quick.
_COMMANDS = {
    "import": ("nitari.cli.importing", "import_command"),
    "search": ("nitari.cli.searching", "search_command"),
    "similar": ("nitari.cli.searching", "similar_command"),
    "delete": ("nitari.cli.catalog", "delete_command"),
    "rejects": ("nitari.cli.catalog", "rejects_command"),
    "stats": ("nitari.cli.catalog", "stats_command"),
    "catalog": ("nitari.cli.catalog", "catalog_group"),
    "serve": ("nitari.cli.serving", "serve_command"),
    "train": ("nitari.cli.training", "train_group"),
    "eval": ("nitari.cli.evaluating", "eval_command"),
    "compare": ("nitari.cli.comparing", "compare_command"),
    "model": ("nitari.cli.modeling", "model_group"),
    "cache": ("nitari.cli.caching", "cache_group"),
    "calibrate": ("nitari.cli.calibrating", "calibrate_command"),
    "transform": ("nitari.cli.transforming", "transform_group"),
    "index": ("nitari.cli.indexing", "index_group"),
    "snapshot": ("nitari.cli.snapshotting", "snapshot_group"),
    "reembed": ("nitari.cli.collections", "reembed_command"),
    "collection": ("nitari.cli.collections", "collection_group"),
    "alias": ("nitari.cli.collections", "alias_group"),
    "sample": ("nitari.cli.sampling", "sample_command"),
    "doctor": ("nitari.cli.doctor", "doctor_command"),
}

EXIT_CODES = """\b
Exit codes:
  0  all well
  1  a bug in Nitari, or an error nobody foresaw
  2  wrong usage: an argument, a filter, an unknown item
  3  done, but some of the input was rejected (see `nitari rejects`)
  4  the data cannot be used: an unreadable feed, a query photo, a refused --sync
  5  the set-up is wrong: a setting, a model, a missing extra
  6  a service that Nitari depends on failed
  7  a file of the home folder is damaged or too new
  8  `nitari compare --fail-on-drop`: a measure dropped significantly
  130  interrupted; everything counted is kept"""


@click.group(
    cls=LazyGroup,
    homes=_COMMANDS,
    epilog=EXIT_CODES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--home",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the catalog (or NITARI__HOME; default: your user data folder).",
)
@click.version_option(__version__, prog_name="nitari")
@click.pass_context
def cli(ctx: click.Context, home: Path | None) -> None:
    """Visual product search: a photo in, the products that look alike out.

    Start with `nitari import FEED`, then `nitari search photo.jpg`.
    """
    ctx.obj = CommandContext(home=home)


def main() -> NoReturn:
    """Run the command line; every error ends as a message on standard error and a documented exit code."""
    try:
        code = cli.main(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.Abort:
        print_error("interrupted", "everything counted is kept; run the same command again to go on")
        sys.exit(130)
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except KeyboardInterrupt:
        print_error("interrupted", "everything counted is kept; run the same command again to go on")
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        sys.stderr.close()
        sys.exit(0)
    except NitariError as exc:
        print_error(exc.message, exc.remedy)
        sys.exit(exc.exit_code)
