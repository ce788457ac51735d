"""A network that is loaded when it is first run."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Protocol

from nitari.types import FloatArray


class Runs(Protocol):
    """A network wherever it runs."""

    def run(self, inputs: FloatArray) -> FloatArray:
        """Its first output, float32, for a float32 batch."""
        ...


class LazyModel:
    """Loads a network at its first use, once, whichever thread comes first.

    So a searcher that answers by item id never waits for a network, and everything that a card alone can tell (widths,
    fingerprints) costs no load.

    Args:
        load: Makes the network; where it fails, the next use tries again.
    """

    def __init__(self, load: Callable[[], Runs]) -> None:
        self._load = load
        self._lock = Lock()
        self._model: Runs | None = None

    def warm(self) -> Runs:
        """Load the network now, if it is not loaded."""
        if self._model is None:
            with self._lock:
                if self._model is None:
                    self._model = self._load()
        return self._model

    def run(self, inputs: FloatArray) -> FloatArray:
        """Run the network, loading it first where need be."""
        return self.warm().run(inputs)
