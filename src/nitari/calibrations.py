"""Which calibration a collection's scores have: a home's own fit, or else what its model card says."""

from __future__ import annotations

import json
import logging
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nitari.errors import NitariError, StateError

if TYPE_CHECKING:
    from nitari.catalog.base import CollectionSpec
    from nitari.search.calibration import Calibration
    from nitari.settings import Settings

log = logging.getLogger(__name__)

FOLDER = "calibration"
_FORMAT = 1


def open_calibration(settings: Settings, spec: CollectionSpec) -> Calibration | None:
    """What turns likeness in a collection into probabilities; ``None`` where nobody measured it, or nobody wants it.

    A fit of the home's own wins. It belongs to the very vectors that it was made with: where the collection's are of
    another fingerprint by now, it is not used, and the log says so.

    Raises:
        StateError: the home's own file is damaged.
    """
    if not settings.search.calibrated:
        return None
    own, cards = _own(calibration_path(settings, spec), spec), _of_card(settings, spec)
    if own is None or cards is None:
        return own or cards
    return replace(own, unfamiliar=cards.unfamiliar)  # which a catalog's own items cannot tell


def calibration_path(settings: Settings, spec: CollectionSpec) -> Path:
    """Where a home's own fit for a collection is kept."""
    return settings.home / FOLDER / f"{spec.name}.json"


def keep_calibration(
    settings: Settings, spec: CollectionSpec, calibration: Calibration, told: Mapping[str, Any]
) -> Path:
    """Keep a home's own fit, in place of an older one. Searchers that are opened from now on use it.

    Args:
        settings: Whose home.
        spec: The collection that it was made with.
        calibration: The fit.
        told: What it was made from, for people to read.
    """
    path = calibration_path(settings, spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "format": _FORMAT,
        "collection": spec.name,
        "fingerprint": spec.fingerprint,
        "slope": calibration.slope,
        "offset": calibration.offset,
        "recommended": calibration.recommended,
        "told": dict(told),
    }
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as file:
        json.dump(document, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    return path


def _own(path: Path, spec: CollectionSpec) -> Calibration | None:
    """A home's own fit, where there is one that fits."""
    from nitari.search.calibration import Calibration

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as exc:
        raise _damaged(path, f"it cannot be read: {exc}") from exc
    if not isinstance(found, dict) or found.get("format") != _FORMAT:
        raise _damaged(path, f"it is not a calibration of format {_FORMAT}")
    if found.get("fingerprint") != spec.fingerprint:
        log.warning(
            "a calibration was made with other vectors and is not used; run nitari calibrate again",
            extra={"collection": spec.name, "file": str(path)},
        )
        return None
    numbers = [found.get(name) for name in ("slope", "offset", "recommended")]
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in numbers):
        raise _damaged(path, f"its numbers are {numbers}")
    slope, offset, recommended = map(float, numbers)  # type: ignore[arg-type]  # all were looked at
    try:
        return Calibration(slope, offset, recommended)
    except NitariError as exc:
        raise _damaged(path, exc.message) from exc


def _of_card(settings: Settings, spec: CollectionSpec) -> Calibration | None:
    """What the card of the collection's embedder says, where it can be read."""
    from nitari.recipes import open_store
    from nitari.search.calibration import Calibration

    # Where there is no recipe (a catalog of version 1), the collection is named like its embedder.
    embedder = (spec.recipe or {}).get("embedder", spec.name)
    try:
        found = open_store(settings).card(str(embedder)).calibration
    except NitariError as exc:  # a collection is searched, by item and by vector, though its card is gone
        log.warning("a model card cannot be read for its calibration", extra={"reason": exc.message})
        return None
    if found is None:
        return None
    return Calibration(found.slope, found.offset, found.recommended, found.unfamiliar)


def _damaged(path: Path, found: str) -> StateError:
    return StateError(
        f"the calibration {path} cannot be used: {found}", remedy="delete it, or run `nitari calibrate` again"
    )
