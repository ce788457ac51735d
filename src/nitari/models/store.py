"""The model store: cards, and the converted networks behind them, in a cache that every home of the user shares.

Layout of the cache::

    <card>/<key>.json            what was pulled: written last, so that nothing half-written is ever believed
    <card>/<sha256[:16]>.onnx    the converted network, named by its content
    weights/<sha256>.<format>    downloaded weights, kept so that a newer converter needs no network
    tmp/                         work in progress; what a killed process left is removed a day later

Files appear under their names complete and synced or not at all, and those of one content have one name, so any number
of processes may pull at the same time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nitari.errors import ModelError, NotFoundError, UsageError
from nitari.models import sources
from nitari.models.card import FINGERPRINT_DIGITS, Card, Part, Source, find_cards, read_card
from nitari.models.check import check_network
from nitari.models.convert import CONVERTER_VERSION, convert, external_files
from nitari.models.sources import HUB, Progress

MAGIC = "nitari-model"
MANIFEST_FORMAT = 1
_STALE_S = 24 * 3600


def _silent(_message: str) -> None:
    """Progress that nobody wants to see."""


@dataclass(frozen=True, slots=True)
class Network:
    """A converted network in the cache, ready for ``runtimes.onnx.OnnxModel``.

    Args:
        card: The card of this network; for a composite's part, the part's.
        weight: What a composite multiplies this part's unit vector with; 1 for a network by itself.
        path: The ONNX file.
        weights_sha256: Of the weights that it was made of.
        source: Where those came from, for people.
    """

    card: Card
    weight: float
    path: Path
    weights_sha256: str
    source: str

    @property
    def fingerprint(self) -> str:
        """16 hex digits over everything that shapes this network's vectors, the weights included."""
        text = f"{self.card.fingerprint} {self.weights_sha256}"
        return hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """What ``nitari model list`` and ``show`` tell of a card.

    Args:
        name: The card's name, or its file's if it cannot be read.
        card: ``None`` where the card cannot be read.
        ready: Whether it can be used without a network.
        bytes: Size of its converted networks in the cache.
        networks: Those that are in the cache.
        problem: What is wrong with the card, if anything.
    """

    name: str
    card: Card | None
    ready: bool
    bytes: int = 0
    networks: tuple[Network, ...] = ()
    problem: ModelError | None = None

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``: plain values only."""
        described: dict[str, Any] = {"name": self.name, "ready": self.ready, "bytes": self.bytes}
        if self.card is not None:
            described |= {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.card).items()}
            described["fingerprint"] = self.card.fingerprint
        described["networks"] = [
            {
                "card": network.card.name,
                "weight": network.weight,
                "path": str(network.path),
                "source": network.source,
                "weights_sha256": network.weights_sha256,
                "fingerprint": network.fingerprint,
            }
            for network in self.networks
        ]
        if self.problem is not None:
            described["problem"] = self.problem.message
        return described


class ModelStore:
    """Cards by name, and their networks. Safe to use from several threads and processes.

    Args:
        cache: Folder of converted networks; made when something is put there.
        cards: Folder of the user's own cards, looked at before the built-in ones.
        download: Whether ``networks`` may fetch what is missing. ``pull`` always may.
        hub: Where ``hub`` sources lie.
    """

    def __init__(self, *, cache: Path, cards: Path | None = None, download: bool = True, hub: str = HUB) -> None:
        self._cache = cache
        self._cards = cards
        self._download = download
        self._hub = hub

    def card(self, name: str) -> Card:
        """A card by name, or by the path of its file (anything that ends in ``.toml``).

        Raises:
            NotFoundError: no card has this name.
            ModelError: the card, or one of its parts, is wrong.
        """
        card = self._read(name)
        self._parts(card)
        return card

    def part(self, composite: Card, part: Part) -> Card:
        """The card behind a composite's part, by name; a name that ends in ``.toml`` is a file beside the composite's.

        Raises:
            NotFoundError: no card has this name.
            ModelError: the card is wrong.
        """
        if part.name.endswith(".toml"):
            return read_card((composite.path.parent if composite.path else Path()) / part.name)
        return self._read(part.name)

    def list(self) -> tuple[ModelStatus, ...]:
        """Every card with its state, by name; a card that cannot be read says so and hides no other."""
        return tuple(self._status_of(name) for name in sorted(find_cards(self._cards)))

    def status(self, card: Card) -> ModelStatus:
        """What is there of a card. Fetches nothing."""
        parts = self._parts(card)
        networks = tuple(network for part, weight in parts if (network := self._load(part, weight)) is not None)
        size = sum(network.path.stat().st_size for network in networks)
        return ModelStatus(card.name, card, len(networks) == len(parts), size, networks)

    def ready(self, card: Card) -> bool:
        """Whether a card can be used without fetching anything."""
        return self.status(card).ready

    def networks(self, card: Card, *, progress: Progress | None = None) -> tuple[Network, ...]:
        """The networks behind a card, for use: one, or one a part in order. Missing ones are pulled if allowed.

        Raises:
            ModelError: one is missing and may not or cannot be fetched.
        """
        return tuple(
            self._load(part, weight) or self._first_use(part, weight, progress or _silent)
            for part, weight in self._parts(card)
        )

    def pull(
        self, card: Card, source: Path | None = None, *, force: bool = False, progress: Progress | None = None
    ) -> tuple[Network, ...]:
        """Get a card's weights, convert and check them. What is there already is left alone.

        Args:
            card: Which; a composite's parts are pulled.
            source: The user's own copy: the file, the wheel, or a folder that holds it. It replaces what is there.
            force: Convert again what is there already, and fetch it again where it was not kept.
            progress: Told what is going on.

        Raises:
            UsageError: a ``source`` that is one file for a composite of several.
            ModelError: weights that cannot be had, that are not what the card pins, or that do not behave as it says.
        """
        parts = self._parts(card)
        if source is not None and source.is_file() and len(parts) > 1:
            raise UsageError(
                f"model {card.name} has {len(parts)} parts, {source} is one file",
                remedy="give a folder with the files of all parts, or pull the parts one by one",
            )
        told = progress or _silent
        networks = []
        for part, weight in parts:
            network = None if force or source is not None else self._load(part, weight)
            networks.append(network or self._make(part, weight, source, told))
        return tuple(networks)

    def weights(self, card: Card, *, progress: Progress | None = None) -> Path:
        """A card's weights as they were published, for training that starts from them; fetched if allowed.

        Raises:
            ModelError: they cannot be had, or the card does not pin any.
        """
        self.networks(card, progress=progress)
        for source in card.weights:
            kept = self._kept(source)
            if source.sha256 and kept.is_file() and sources.digest(kept) == source.sha256:
                return kept
        raise ModelError(
            f"the weights of model {card.name} are not in {self._cache}",
            remedy=f"nitari model pull {card.name} --force",
        )

    def _read(self, name: str) -> Card:
        """A card by name or file, its parts not looked at."""
        if name.endswith(".toml"):
            return read_card(Path(name).expanduser())
        found = find_cards(self._cards)
        if name not in found:
            raise NotFoundError(
                f"there is no model card {name!r}; there are {', '.join(found)}",
                remedy="`nitari model list` shows the cards; a card of your own goes into the folder models.cards",
            )
        card = read_card(found[name])
        if card.name != name:
            raise ModelError(
                f"model card {found[name]}: name is {card.name!r}, expected {name!r}, as the file is called",
                remedy="rename the file or the card",
            )
        return card

    def _parts(self, card: Card) -> tuple[tuple[Card, float], ...]:
        """The cards that have networks, with their weights."""
        if card.kind != "composite":
            return ((card, 1.0),)
        of_part = [None if part.is_descriptor else self.part(card, part) for part in card.parts]
        parts = tuple((own, part.weight) for own, part in zip(of_part, card.parts, strict=True) if own is not None)
        wrong = [part.name for part, _ in parts if part.kind != "embedder"]
        width = sum(
            part.head.dim if part.head else own.dim if own else part.descriptor_dim
            for own, part in zip(of_part, card.parts, strict=True)
        )
        if wrong:
            raise ModelError(f"model card {card.path}: its part {wrong[0]} is no embedder", remedy="correct parts")
        if width != card.dim:
            raise ModelError(
                f"model card {card.path}: dim is {card.dim}, expected {width}, the sum of its parts",
                remedy="correct dim in that file",
            )
        return parts

    def _status_of(self, name: str) -> ModelStatus:
        try:
            return self.status(self.card(name))
        except (ModelError, NotFoundError) as exc:
            problem = exc if isinstance(exc, ModelError) else ModelError(exc.message, remedy=exc.remedy)
            return ModelStatus(name, None, ready=False, problem=problem)

    def _first_use(self, card: Card, weight: float, progress: Progress) -> Network:
        # What lies beside the card is here already: nothing is downloaded.
        if not self._download and not any(source.kind == "path" for source in card.weights):
            raise ModelError(
                f"model {card.name} is not in {self._cache}, and models.download is off",
                remedy=f"nitari model pull {card.name}",
            )
        return self._make(card, weight, None, progress)

    # What is in the cache.

    def _manifest_path(self, card: Card) -> Path:
        """Where a card's manifest is: another card, check or converter has another place."""
        check = json.dumps(asdict(card.check)) if card.check else ""
        text = f"{card.fingerprint} {check} {CONVERTER_VERSION}"
        return self._cache / card.name / f"{hashlib.sha256(text.encode()).hexdigest()[:FINGERPRINT_DIGITS]}.json"

    def _load(self, card: Card, weight: float) -> Network | None:
        """The converted network, if it is there whole; reading and hashing it takes about 1 ms for each megabyte."""
        manifest = _read_manifest(self._manifest_path(card))
        if manifest is None:
            return None
        path = self._cache / card.name / manifest["file"]
        try:
            if path.stat().st_size != manifest["bytes"] or sources.digest(path) != manifest["sha256"]:
                return None
        except OSError:
            return None
        return Network(card, weight, path, manifest["weights_sha256"], manifest["source"])

    # Putting it there.

    def _make(self, card: Card, weight: float, given: Path | None, progress: Progress) -> Network:
        """Fetch, convert, check and publish one network."""
        with self._workspace() as folder:
            if given is None:
                source, weights = self._fetch(card, folder, progress)
                origin = str(source)
            else:
                source, weights = sources.locate(card, given, folder)
                origin = f"path {given.resolve()}"
            weights_sha256 = _weights_digest(source, weights)
            progress(f"{card.name}: converting and checking")
            data = convert(card, source, weights)
            draft = folder / "model.onnx"
            _write_synced(draft, data)
            check_network(card, draft)
            self._keep(source, weights, folder)
            sha256 = hashlib.sha256(data).hexdigest()
            path = self._cache / card.name / f"{sha256[:FINGERPRINT_DIGITS]}.onnx"
            _publish(draft, path)
            manifest = {
                "magic": MAGIC,
                "format": MANIFEST_FORMAT,
                "card": card.name,
                "revision": card.revision,
                "converter": CONVERTER_VERSION,
                "file": path.name,
                "bytes": len(data),
                "sha256": sha256,
                "weights_sha256": weights_sha256,
                "source": origin,
            }
            draft_manifest = folder / "manifest.json"
            _write_synced(draft_manifest, json.dumps(manifest, indent=1).encode())
            _publish(draft_manifest, self._manifest_path(card))
        return Network(card, weight, path, weights_sha256, origin)

    def _kept(self, source: Source) -> Path:
        """Where pinned weights are kept."""
        return self._cache / "weights" / f"{source.sha256}.{source.format}"

    def _keep(self, source: Source, weights: Path, folder: Path) -> None:
        """Keep pinned weights; those that only the user has are large and are left where they are."""
        kept = self._kept(source)
        if not source.sha256 or weights == kept:
            return
        if not weights.is_relative_to(folder):
            weights = Path(shutil.copyfile(weights, folder / "copy"))
        _publish(weights, kept)

    def _fetch(self, card: Card, folder: Path, progress: Progress) -> tuple[Source, Path]:
        """Weights from the first of the card's sources that has them."""
        for source in card.weights:
            kept = self._kept(source)
            if source.sha256 and kept.is_file() and sources.digest(kept) == source.sha256:
                return source, kept
        failures: list[ModelError] = []
        for number, source in enumerate(card.weights):
            place = folder / str(number)
            place.mkdir()
            try:
                return source, sources.fetch(card, source, place, hub=self._hub, progress=progress)
            except ModelError as exc:
                failures.append(exc)
        if all(source.kind == "path" for source in card.weights):
            wanted = " or ".join(source.location for source in card.weights) or "its weights"
            raise ModelError(
                f"model {card.name} is not in the cache, and its card names no place to download it from",
                remedy=f"get it (`nitari model show {card.name}` tells where from), then "
                f"`nitari model pull {card.name} --from FOLDER`, FOLDER holding {wanted}",
            )
        best = next((exc for exc in failures if exc.remedy), failures[0])
        others = "; ".join(exc.message for exc in failures if exc is not best)
        raise ModelError(best.message + (f"; {others}" if others else ""), remedy=best.remedy, code=best.code) from best

    @contextmanager
    def _workspace(self) -> Iterator[Path]:
        """A folder of our own on the cache's file system; old ones that a killed process left are removed."""
        base = self._cache / "tmp"
        try:
            base.mkdir(parents=True, exist_ok=True)
            folder = Path(tempfile.mkdtemp(dir=base))
        except OSError as exc:
            raise ModelError(
                f"the model cache {self._cache} cannot be written: {exc}",
                remedy="set models.cache (NITARI__MODELS__CACHE) to a folder that can",
            ) from exc
        for old in base.iterdir():
            with contextlib.suppress(OSError):
                if old != folder and time.time() - old.stat().st_mtime > _STALE_S:
                    shutil.rmtree(old)
        try:
            yield folder
        except OSError as exc:  # a full disk, mostly
            raise ModelError(f"a model could not be put into {self._cache}: {exc}") from exc
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _read_manifest(path: Path) -> Mapping[str, Any] | None:
    """A manifest, if it is there and ours."""
    try:
        manifest = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    texts = ("file", "sha256", "weights_sha256", "source")
    right = (
        isinstance(manifest, dict)
        and manifest.get("magic") == MAGIC
        and manifest.get("format") == MANIFEST_FORMAT
        and all(isinstance(manifest.get(key), str) for key in texts)
        and Path(manifest["file"]).name == manifest["file"]
    )
    return manifest if right else None


def _weights_digest(source: Source, weights: Path) -> str:
    """SHA-256 of the weights: of the file, and of those that an ONNX file keeps beside it."""
    main = sources.digest(weights)
    beside = external_files(weights) if source.format == "onnx" else ()
    if not beside:
        return main
    lines = [main, *(f"{path.name} {sources.digest(path)}" for path in beside)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _write_synced(path: Path, data: bytes) -> None:
    """Write a file so that it is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _publish(draft: Path, path: Path) -> None:
    """Move a complete file to its name, synced: from then on it is there, before that it is not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    try:
        draft.replace(path)
    except PermissionError:
        # Windows: somebody has the old one open, which by its name is the same. A manifest is worth a second try.
        if path.suffix == ".json" or not path.is_file():
            raise
    if hasattr(os, "O_DIRECTORY"):
        handle = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
