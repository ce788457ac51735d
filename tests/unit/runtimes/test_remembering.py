"""Networks that are not run twice on the same input."""

from __future__ import annotations

import numpy as np

from nitari.runtimes.remembering import OutputMemory
from nitari.types import FloatArray


class Counting:
    """A network that counts how often it is run."""

    def __init__(self) -> None:
        self.runs = 0

    def run(self, inputs: FloatArray) -> FloatArray:
        """Twice the input."""
        self.runs += 1
        return inputs * np.float32(2)


def test_each_input_is_run_once_for_all_models_of_a_name() -> None:
    """Another input, shape or network is run; what is kept cannot be changed by who got it first."""
    memory, network = OutputMemory(), Counting()
    first, again = memory.remembering("a", network), memory.remembering("a", network)
    inputs = np.ones((1, 4), np.float32)
    first.run(inputs)[:] = 0
    assert again.run(inputs).tolist() == [[2, 2, 2, 2]]
    assert (network.runs, len(memory)) == (1, 1)
    again.run(inputs.reshape(4, 1))
    again.run(inputs + 1)
    memory.remembering("b", network).run(inputs)
    assert (network.runs, len(memory)) == (4, 4)


def test_a_full_memory_only_costs_time() -> None:
    """What does not fit is computed again."""
    network = Counting()
    model = OutputMemory(most_bytes=16).remembering("a", network)
    for _ in range(2):
        for value in (1, 2):
            assert model.run(np.full((1, 4), value, np.float32)).tolist() == [[2 * value] * 4]
    assert network.runs == 3
