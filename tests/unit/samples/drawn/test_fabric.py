"""Cloth: every pattern shows its colors, every weave keeps its brightness."""

from __future__ import annotations

import numpy as np
import pytest

from nitari.samples.drawn.fabric import PATTERNS, Fabric, dye, weave

V, U = np.mgrid[0:4:160j, -1:1:80j].astype(np.float32)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_mix_their_own_colors_only(pattern: str) -> None:
    """Plain cloth has one color; a pattern has more; none leaves the range of a color."""
    fabric = Fabric((200, 40, 40), (240, 240, 240), (20, 20, 60), pattern, 0.4, seed=3)
    color = dye(fabric, U, V, 0.025)
    assert color.shape == (160, 80, 3)
    assert color.dtype == np.float32
    assert color.min() >= 0
    assert color.max() <= 1
    assert (float(np.ptp(color, axis=(0, 1)).max()) == 0) == (pattern == "plain")


@pytest.mark.parametrize("kind", ["jersey", "denim", "knit", "rib", "canvas", "satin", "leather", "none"])
def test_weaves_keep_the_brightness(kind: str) -> None:
    """A weave is relief around 1, not a different color."""
    grain = np.random.default_rng(0).standard_normal(U.shape).astype(np.float32)
    relief = weave(kind, U, V, grain)
    assert relief.dtype == np.float32
    assert float(relief.mean()) == pytest.approx(1, abs=0.03)
    assert 0.6 < float(relief.min()) <= float(relief.max()) < 1.4


def test_stripes_repeat() -> None:
    """A stripe pattern is the same one repeat further down."""
    fabric = Fabric((0, 0, 0), pattern="stripes", scale=0.5)
    assert np.allclose(dye(fabric, U, V, 0.01), dye(fabric, U, V + np.float32(0.5), 0.01), atol=1e-3)
