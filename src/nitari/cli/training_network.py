"""The part of ``nitari train embedding`` that fine-tunes the network itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from nitari.cli.output import err
from nitari.cli.progress import Tally, counting, per_second
from nitari.recipes import open_store

if TYPE_CHECKING:
    from nitari.cli.training_looking import Looking
    from nitari.settings import Settings
    from nitari.training.finetune_batches import Tuning
    from nitari.training.finetune_card import Parent
    from nitari.training.head_examples import Example
    from nitari.training.head_features import Sights
    from nitari.training.head_fit import Plan
    from nitari.training.head_train import Behind, Earlier, Wish


@dataclass(frozen=True, slots=True)
class FineTuning:
    """What is to be fine-tuned, and that it can be.

    Args:
        parent: The network to begin with.
        tuning: How.
        device: Where.
        workers: Threads that prepare batches.
    """

    parent: Parent
    tuning: Tuning
    device: str
    workers: int

    @property
    def told(self) -> dict[str, Any]:
        """For the provenance: plain values."""
        return {"from": self.parent.card.name, "device": self.device, **asdict(self.tuning)}


def prepared(settings: Settings, network: str, tuning: Tuning, device: str) -> FineTuning:
    """See that fine-tuning can be done, before photos are looked at.

    Raises:
        MissingExtraError: PyTorch is not installed.
        UsageError: the device is not there.
        ModelError: the network cannot be trained.
    """
    from nitari.training.finetune_card import Parent
    from nitari.training.finetune_train import ready

    store = open_store(settings)
    (there,) = store.networks(store.card(network), progress=lambda message: err.print(message, markup=False))
    found, version = ready(device, there.path)
    err.print(f"fine-tuning on {found}, PyTorch {version}", markup=False)
    return FineTuning(Parent(there.card, there.path, there.weights_sha256), tuning, found, settings.ingest.workers)


def fine_tuned(
    fine: FineTuning,
    looking: Looking,
    examples: Sequence[Example],
    sights: Sights,
    plan: Plan,
    wish: Wish,
    out: Path,
    *,
    quiet: bool,
) -> tuple[list[Behind], Earlier]:
    """Fine-tune a network for each fold and the final one, and look at all photos with each of them.

    Returns:
        What heads are to be trained behind, and what there was before.
    """
    from nitari.training.finetune_folds import Photos, Work, tuned_networks
    from nitari.training.finetune_train import SAVE_EVERY
    from nitari.training.head_train import Behind

    shots, digests = looking.gather(examples, max(fine.parent.card.network_input.size))
    with counting("fine-tuning", "steps", quiet=quiet, every=SAVE_EVERY) as show:
        clock = _Clock()

        cards, earlier = tuned_networks(
            fine.parent,
            Photos(examples, sights, digests, shots),
            plan,
            fine.tuning,
            wish,
            Work(out, fine.device, fine.workers),
            on_heads=lambda what, _step, _steps, loss: show(clock.heads(what, loss)),
            on_tuned=lambda what, done, total, loss: show(clock.step(what, done, total, loss)),
        )
    behind = []
    for card in cards:
        eye = looking.eye(str(card))
        looking.see(examples, eye)  # kept on the disk: all of them together would fill the memory
        behind.append(Behind(card.name, partial(_seen, looking, examples, str(card))))
    return behind, earlier


def _seen(looking: Looking, examples: Sequence[Example], card: str) -> Sights:
    return looking.see(examples, looking.eye(card), again=True)[1]


class _Clock:
    """Tells how fast steps are and how long the rest takes.

    Steps of an earlier run, and the heads that are trained before each network, say nothing of that.
    """

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None
        self._done = 0
        self._total: int | None = None

    def heads(self, what: str, loss: float) -> Tally:
        """While the heads are trained that the next network begins with."""
        self._began = None
        return Tally(self._done, self._total, 0.0, f"{what}, heads, loss {loss:.2f}")

    def step(self, what: str, done: int, total: int, loss: float) -> Tally:
        """When ``done`` of ``total`` steps of all networks are."""
        now = perf_counter()
        if self._began is None:
            self._began = now, done
        (since, before), self._done, self._total = self._began, done, total
        rate = per_second(done - before, now - since)
        left = f"{timedelta(seconds=round((total - done) / rate))} left" if rate else "no telling how long"
        return Tally(done, total, now - since, f"{what}, loss {loss:.3f}, {left}", before)
