"""Which query transform a model has in a home: the home's own, or else what its card says, or none where it is off.

The home's own lies in ``home/transforms/<card>.npz``; ``<card>.off`` beside it says that none is wanted. Both are
written whole or not at all.
"""

from __future__ import annotations

import hashlib
import logging
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from nitari.disk import write_whole
from nitari.embeddings.transforms import LinearTransform, from_bytes, to_bytes
from nitari.errors import ModelError

if TYPE_CHECKING:
    from nitari.embeddings.base import Embedder
    from nitari.models.card import Card

log = logging.getLogger(__name__)

FOLDER = "transforms"
# The table in a card's text, up to the next one.
_TABLE = re.compile(r"^\[transform\][^\n]*\n(?:(?!\[)[^\n]*\n?)*", re.MULTILINE)
Origin: TypeAlias = Literal["home", "card", "none"]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What applies to a model's query photos.

    Args:
        transform: ``None`` where nobody learned one for these vectors.
        origin: Whether it is the home's own or the card's.
        path: Where it lies, ``None`` where there is none.
        disabled: Whether the home wants none, whatever there is.
        stale: A home's own that was learned for other vectors, and is passed over.
    """

    transform: LinearTransform | None
    origin: Origin
    path: Path | None
    disabled: bool
    stale: Path | None = None


def open_transform(home: Path, card: Card, embedder: Embedder) -> LinearTransform | None:
    """What takes the wearer out of query photos; ``None`` where there is nothing, or nothing is wanted.

    Raises:
        ModelError: a file that is damaged or is not the one that the card means.
    """
    found = find_transform(home, card, embedder)
    if found.stale is not None:
        log.warning(
            "a query transform was learned for other vectors and is not used; run nitari transform fit again",
            extra={"model": embedder.name, "file": str(found.stale)},
        )
    return None if found.disabled else found.transform


def find_transform(home: Path, card: Card, embedder: Embedder) -> Found:
    """As ``open_transform``, with what people want to know about it, and the transform even where it is off.

    Raises:
        ModelError: a file that is damaged or is not the one that the card means.
    """
    disabled = marker_path(home, embedder.name).exists()
    own = own_path(home, embedder.name)
    stale = None
    if own.is_file():
        made = _read(own)
        if made.embedder == embedder.fingerprint:
            return Found(made, "home", own, disabled)
        stale = own
    if card.transform is None:
        return Found(None, "none", None, disabled, stale)
    path = Path(card.transform.file)
    path = path if card.path is None else card.path.parent / path
    made = _read(path, sha256=card.transform.sha256)
    if made.embedder != embedder.fingerprint:
        raise ModelError(
            f"the query transform {path} of model card {card.name} was learned for vectors of fingerprint "
            f"{made.embedder}, the card makes those of {embedder.fingerprint}",
            remedy="learn it anew (nitari transform fit), or take [transform] out of the card",
        )
    if card.transform.strength is not None:
        made = replace(made, base=card.transform.strength)
    return Found(made, "card", path, disabled, stale)


def own_path(home: Path, name: str) -> Path:
    """Where a home's own transform for a model of this name is kept."""
    return home / FOLDER / f"{name}.npz"


def marker_path(home: Path, name: str) -> Path:
    """The file that says that no transform is wanted for a model of this name."""
    return home / FOLDER / f"{name}.off"


def keep_transform(path: Path, transform: LinearTransform) -> str:
    """Write a transform in place of an older one, whole or not at all. Returns the SHA-256 of the file, hex."""
    data = to_bytes(transform)
    write_whole(path, data)
    return hashlib.sha256(data).hexdigest()


def name_in_card(card: Card, transform: LinearTransform) -> tuple[Path, str]:
    """Write a transform beside a card and name it in the card's ``[transform]``, in place of an older one.

    Files are named by their content: who is killed between the two leaves a card that names the older one, whole.

    Returns:
        Where it was written, and its SHA-256, hex.

    Raises:
        ModelError: a card that came with Nitari, or none on disk.
    """
    from nitari.models.card import BUILT_IN

    if card.path is None or card.path.parent.resolve() == BUILT_IN.resolve():
        raise ModelError(
            f"model card {card.name} came with Nitari and is not to be changed",
            remedy="learn a transform for this home (without --into-card), or copy the card into models.cards first",
        )
    data = to_bytes(transform)
    sha256 = hashlib.sha256(data).hexdigest()
    path = card.path.with_name(f"{card.path.stem}.transform-{sha256[:8]}.npz")
    write_whole(path, data)
    text = _TABLE.sub("", card.path.read_text(encoding="utf-8")).rstrip()
    table = f'[transform]\nfile = "{path.name}"\nsha256 = "{sha256}"\n'
    write_whole(card.path, f"{text}\n\n{table}".encode())
    return path, sha256


def disable(home: Path, name: str) -> None:
    """Want no transform for a model of this name from now on; what was learned stays where it is."""
    write_whole(marker_path(home, name), b"")


def enable(home: Path, name: str) -> None:
    """Take ``disable`` back."""
    marker_path(home, name).unlink(missing_ok=True)


def _read(path: Path, *, sha256: str = "") -> LinearTransform:
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ModelError(
            f"the query transform {path} cannot be read: {exc}", remedy="bring it back, or nitari transform fit"
        ) from exc
    found = hashlib.sha256(data).hexdigest()
    if sha256 and found != sha256:
        raise ModelError(
            f"the query transform {path} has SHA-256 {found}, its card says {sha256}",
            remedy="install Nitari again, or correct the card",
        )
    return from_bytes(data, origin=f"the query transform {path}")
