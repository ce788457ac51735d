"""``nitari doctor``: what is here, what is missing, and how to get it. Downloads nothing."""

from __future__ import annotations

import os
import platform
import shutil
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import click

from nitari import __version__
from nitari.cli.output import CommandContext, json_option, out, print_json
from nitari.errors import NitariError
from nitari.indexes import tune
from nitari.settings import Settings
from nitari.wiring import REGION_CARDS, open_catalog, open_store, settings_in_use

_EXTRAS = {
    "faiss": ("faiss", "catalogs of more than 50,000 vectors search faster"),
    "heic": ("pi_heif", "iPhone photos (HEIC)"),
    "parquet": ("pyarrow", "Parquet feeds"),
    "postgres": ("psycopg", "feeds from PostgreSQL"),
}
_REQUIRED = ("numpy", "onnxruntime", "onnx", "pillow", "simplejpeg", "sqlalchemy", "fastapi", "uvicorn")
_MIN_FREE = 2**30
_MARKS = {"ok": "[green]ok  [/]", "note": "[yellow]note[/]", "bad": "[red]bad [/]"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: ``bad`` keeps Nitari from working, ``note`` does not."""

    state: Literal["ok", "note", "bad"]
    what: str
    found: str
    remedy: str = ""


@click.command("doctor")
@click.option("--tune", "measure", is_flag=True, help="Measure for some seconds what searching costs on this machine, "
              "and keep it in the home folder, for searches to be planned by.")  # fmt: skip
@json_option
@click.pass_obj
def doctor_command(context: CommandContext, /, *, measure: bool, as_json: bool) -> int:
    """Say what is missing and how to get it. Downloads nothing, changes nothing but with --tune.

    Exit 5 where something is bad.
    """
    settings = context.settings()
    tuned = [Finding("ok", "tuning", f"measured, kept in {tune(settings)}")] if measure else []
    findings = [*tuned, *_machine(), *_packages(), *_extras(), *_models(settings), *_home(settings)]
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            out.print(f"{_MARKS[finding.state]} {finding.what}: ", end="")
            out.print(finding.found, markup=False, soft_wrap=True)
            if finding.remedy:
                out.print(f"       do: {finding.remedy}", markup=False, soft_wrap=True)
    return 5 if any(finding.state == "bad" for finding in findings) else 0


def _machine() -> list[Finding]:
    python = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return [Finding("ok", "nitari", __version__), Finding("ok", "machine", python)]


def _packages() -> list[Finding]:
    """Whether the base libraries are here; a broken installation lacks one."""
    findings = []
    for name in _REQUIRED:
        try:
            findings.append(Finding("ok", name, version(name)))
        except PackageNotFoundError:
            findings.append(Finding("bad", name, "not installed", "pip install --force-reinstall nitari"))
    return findings


def _extras() -> list[Finding]:
    findings = []
    for extra, (module, purpose) in _EXTRAS.items():
        if find_spec(module) is not None:
            findings.append(Finding("ok", f"extra {extra}", "installed"))
        else:
            findings.append(
                Finding("note", f"extra {extra}", f"not installed ({purpose})", f"pip install 'nitari[{extra}]'")
            )
    return findings


def _models(settings: Settings) -> list[Finding]:
    """The cards that the home uses, and whether their weights are in the cache."""
    store = open_store(settings)
    try:
        used = settings_in_use(settings)
    except NitariError:  # a home that cannot be read is another finding
        used = settings
    finder = REGION_CARDS.get(used.extract.regions)
    names = [used.models.embedder, *([finder] if finder else [])]
    findings = []
    for name in names:
        try:
            status = store.status(store.card(name))
        except NitariError as exc:
            findings.append(Finding("bad", f"model {name}", exc.message, exc.remedy))
            continue
        if status.ready:
            findings.append(
                Finding("ok", f"model {name}", f"ready, {status.bytes / 2**20:.0f} MiB in {settings.models.cache}")
            )
        else:
            found = f"weights are not in {settings.models.cache}; they are fetched on first use"
            state: Literal["note", "bad"] = "note" if settings.models.download else "bad"
            findings.append(Finding(state, f"model {name}", found, f"nitari model pull {name}"))
    return findings


def _home(settings: Settings) -> list[Finding]:
    """The home folder: writable, with room, and a catalog that opens."""
    home = settings.home
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    findings = []
    if not os.access(there, os.W_OK):
        findings.append(Finding("bad", "home", f"{home} is not writable", "choose another with --home or NITARI__HOME"))
    free = shutil.disk_usage(there).free
    if free < _MIN_FREE:
        findings.append(Finding("note", "disk", f"{free / 2**20:.0f} MiB free at {home}", "make room"))
    if not any(home.glob("catalog.*")) if home.is_dir() else True:
        return [*findings, Finding("note", "catalog", f"none in {home}", "nitari import FEED")]
    return [*findings, _catalog(settings, home)]


def _catalog(settings: Settings, home: Path) -> Finding:
    try:
        with open_catalog(settings) as catalog:
            stats = catalog.stats()
    except NitariError as exc:
        return Finding("bad", "catalog", exc.message, exc.remedy)
    return Finding(
        "ok", "catalog", f"{stats.items} items, {stats.images} photos, {stats.rejections} rejections in {home}"
    )
