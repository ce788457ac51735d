"""A network that is loaded when it is first run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nitari.errors import ModelError
from nitari.runtimes.lazy import LazyModel
from nitari.types import FloatArray


class Doubling:
    """A network that doubles."""

    def run(self, inputs: FloatArray) -> FloatArray:
        """Twice the input."""
        return inputs * np.float32(2)


def test_loads_once_for_all_threads() -> None:
    """Eight threads at once, one load."""
    loads: list[int] = []

    def load() -> Doubling:
        loads.append(1)
        return Doubling()

    model = LazyModel(load)
    assert not loads
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: model.run(np.ones(3, dtype=np.float32)).tolist(), range(8)))
    assert (answers, loads) == ([[2.0, 2.0, 2.0]] * 8, [1])


def test_failed_load_is_tried_again() -> None:
    """A model that could not be fetched once is asked for again at the next use."""
    tries: list[int] = []

    def load() -> Doubling:
        tries.append(1)
        if len(tries) == 1:
            raise ModelError("offline")
        return Doubling()

    model = LazyModel(load)
    with pytest.raises(ModelError, match="offline"):
        model.warm()
    assert model.run(np.ones(1, dtype=np.float32)).tolist() == [2.0]
