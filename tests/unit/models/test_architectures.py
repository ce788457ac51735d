"""The layers of the networks that are rebuilt, against the papers' totals."""

from __future__ import annotations

import pytest

from nitari.models.architectures import ARCHITECTURES, Conv

# Parameters of the published networks less their classifiers of 1,281,000.
PARAMETERS = {"mobilenet-v2": 3_504_872 - 1_281_000, "efficientnet-lite0": 4_652_008 - 1_281_000}


def convs(name: str) -> list[Conv]:
    """All convolutions in order."""
    return [conv for block in ARCHITECTURES[name].blocks for conv in block.convs]


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_parameters(name: str) -> None:
    """Kernels and batch norms have as many parameters as the published network."""
    total, channels = 0, 3
    for conv in convs(name):
        fan_in = 1 if conv.depthwise else channels
        total += conv.channels * fan_in * conv.kernel**2 + 2 * conv.channels
        channels = conv.channels
    assert total == PARAMETERS[name]


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_shape_of_the_network(name: str) -> None:
    """An input of 224 ends at 7x7, weights are named once, and projections are linear."""
    assert [conv.stride for conv in convs(name)].count(2) == 5
    names = [conv.weight for conv in convs(name)]
    assert len(set(names)) == len(names)
    for block in ARCHITECTURES[name].blocks[1:-1]:
        assert [conv.relu6 for conv in block.convs] == [True] * (len(block.convs) - 1) + [False]
        assert block.convs[-2].depthwise
    assert sum(block.residual for block in ARCHITECTURES[name].blocks) == {"mobilenet-v2": 10}.get(name, 9)
