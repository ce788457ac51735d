"""What the drawn shop sells: styles of each kind of garment, and what each is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nitari.samples.drawn import bottoms, tops
from nitari.samples.drawn.fabric import Color, Fabric
from nitari.samples.drawn.kinds import KINDS, PALETTES, Kind
from nitari.samples.drawn.scenes import Garment
from nitari.samples.drawn.shapes import Part

NAMES = (
    *("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Ivy", "Juniper", "Katsura", "Larch"),
    *("Maple", "Nutmeg", "Oak", "Poplar", "Quince", "Rowan", "Spruce", "Tamarack", "Umber", "Viburnum", "Willow"),
    *("Yew", "Aspen", "Beech", "Clover", "Fern", "Heath", "Laurel", "Myrtle", "Olive", "Pine", "Sorrel", "Thyme"),
)
BRANDS = ("Polygon Supply", "Bezier & Daughters", "Pixel Loom", "Vector Atelier")
WORDS = {
    "plain": "",
    "melange": "Melange",
    "stripes": "Striped",
    "pinstripes": "Pinstripe",
    "checks": "Checked",
    "gingham": "Gingham",
    "dots": "Polka-Dot",
    "floral": "Floral",
    "camouflage": "Camouflage",
    "blocks": "Color-Block",
}


@dataclass(frozen=True, slots=True)
class Style:
    """A style: one cut in one pattern, sold in several colors.

    Args:
        group_id: The ``item_group_id``.
        kind: What it is.
        cut: Name of the cut.
        name: Title without the color.
        pattern: Of its cloth.
        gender: ``female``, ``male`` or ``unisex``.
        price: US dollars.
        brand: Who makes it.
        parts: Its pattern pieces.
        arms: See ``Garment``.
        colors: Names of its colors, as many as were asked for.
        seed: Of what is irregular in its cloth.
    """

    group_id: str
    kind: Kind
    cut: str
    name: str
    pattern: str
    gender: str
    price: int
    brand: str
    parts: tuple[Part, ...]
    arms: float
    colors: tuple[str, ...]
    seed: int

    def garment(self, color: str) -> Garment:
        """The style in one of its colors."""
        return Garment(self.parts, _wardrobe(self, color), self.kind.wear, self.arms, open=self._is_open)

    @property
    def _is_open(self) -> bool:
        return self.kind.name == "Blazer"


def seeded(*words: object) -> np.random.Generator:
    """A random generator whose stream depends on the words only."""
    digest = hashlib.sha256("\x1f".join(map(str, words)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def styles(*, seed: int, colors: int) -> Iterator[Style]:
    """Styles without end: every kind of garment once, then again in another cut or pattern.

    Args:
        seed: Of what is chosen.
        colors: How many colors each style comes in, at most 4 are distinct for every kind.
    """
    number = 0
    while True:
        yield _style(number, seed=seed, colors=colors)
        number += 1


def _style(number: int, *, seed: int, colors: int) -> Style:
    kind = KINDS[number % len(KINDS)]
    turn = number // len(KINDS)
    random = seeded("style", seed, number)
    cut_name, cut = kind.cuts[turn % len(kind.cuts)]
    pattern = kind.patterns[(turn + turn // max(len(kind.cuts), len(kind.patterns))) % len(kind.patterns)]
    parts, arms = _cut_out(cut, random)
    palette = list(PALETTES[kind.palette])
    chosen = [palette[int(index)] for index in random.permutation(len(palette))[:colors]]
    words = (NAMES[(number * 7 + seed) % len(NAMES)], WORDS[pattern], cut_name, kind.name)
    return Style(
        group_id=f"d{number:04d}",
        kind=kind,
        cut=cut_name,
        name=" ".join(word for word in words if word),
        pattern=pattern,
        gender=kind.genders[turn % len(kind.genders)],
        price=kind.price + 5 * int(random.integers(0, 5)),
        brand=BRANDS[int(random.integers(len(BRANDS)))],
        parts=parts,
        arms=arms,
        colors=tuple(chosen),
        seed=int(random.integers(2**31)),
    )


def _cut_out(cut: Any, random: np.random.Generator) -> tuple[tuple[Part, ...], float]:
    """Pattern pieces of a cut, its measures varied a little, and how far the arms are held from the body."""
    if isinstance(cut, tops.Cut):
        sleeve = cut.sleeve * float(random.uniform(0.92, 1.08)) if 0 < cut.sleeve < 1.5 else cut.sleeve
        length = cut.length + float(random.uniform(-0.12, 0.12))
        cut = replace(cut, sleeve=sleeve, length=length, ease=cut.ease + float(random.uniform(-0.02, 0.04)))
        return tops.top(cut), tops.arm_angle(cut.sleeve)
    if isinstance(cut, bottoms.Legs):
        length = cut.length + float(random.uniform(-0.15, 0.05))
        return bottoms.pants(replace(cut, length=length, hem=cut.hem * float(random.uniform(0.94, 1.08)))), 27.0
    if isinstance(cut, bottoms.SkirtCut):
        return bottoms.skirt(replace(cut, length=cut.length + float(random.uniform(-0.15, 0.15)))), 27.0
    draw: Callable[[], tuple[Part, ...]] = cut
    return draw(), 27.0


def _wardrobe(style: Style, color: str) -> dict[str, Fabric]:
    """What each part of the style is made of, in this color."""
    random = seeded("wardrobe", style.seed)
    ground = PALETTES[style.kind.palette][color]
    dark = sum(ground) < 330
    light = sum(ground) > 600
    second, third = _second(style.pattern, ground, dark=dark, random=random)
    scale = float(random.uniform(0.32, 0.5)) * (0.6 if style.kind.wear == "hat" else 1.0)
    main = Fabric(ground, second, third, style.pattern, scale, style.kind.weave, style.seed)
    plain = Fabric(ground, weave="canvas" if style.kind.weave in ("canvas", "denim") else style.kind.weave)
    contrast = bool(random.integers(3) == 0)
    trim = replace(plain, color=second if contrast and style.pattern != "plain" else _mix(ground, (0, 0, 0), 0.12))
    if style.kind.path.startswith(("Bags > Totes", "Bags > Hand")):
        trim = Fabric((116, 78, 52) if not contrast else (40, 38, 40), weave="leather")
    elif style.kind.path.startswith("Shoes > Sneakers"):
        trim = Fabric(_mix(ground, (255, 255, 255), 0.75) if dark or contrast else _mix(ground, (20, 24, 40), 0.6))
    elif style.kind.name == "Backpack":
        trim = Fabric(_mix(ground, (20, 22, 28), 0.65), weave="canvas")
    metal = (196, 168, 104) if random.integers(2) else (186, 188, 194)
    return {
        "main": main,
        "trim": trim,
        "rib": replace(trim, weave="rib"),
        "inside": replace(plain, color=_mix(ground, (0, 0, 0), 0.42 if not light else 0.22)),
        "collar": plain if contrast else main,
        "button": Fabric((60, 52, 46) if light else (236, 230, 218), weave="none"),
        "metal": Fabric(metal, weave="none"),
        "cord": Fabric((70, 70, 76) if light else (240, 238, 232)),
        "stitch": Fabric((214, 160, 84)),
        "sole": Fabric((58, 46, 40) if style.kind.name == "Boots" else (242, 240, 234), weave="none"),
    }


def _second(pattern: str, ground: Color, *, dark: bool, random: np.random.Generator) -> tuple[Color, Color]:
    """Colors of the pattern that go with the ground."""
    bright = _mix(ground, (255, 252, 244), 0.86)
    deep = _mix(ground, (16, 20, 36), 0.72)
    if pattern == "melange":
        return (bright if dark else deep), deep
    if pattern == "camouflage":
        return _mix(ground, (20, 24, 16), 0.5), _mix(ground, (236, 226, 196), 0.4)
    if pattern == "floral":
        petals = bright if dark else ((250, 246, 240), deep)[int(sum(ground) > 560)]
        return petals, _mix((70, 130, 84), ground, 0.2)
    if pattern == "checks":
        return deep if not dark else _mix(ground, (255, 255, 255), 0.35), ((244, 236, 214), (232, 190, 80))[
            int(random.integers(2))
        ]
    if pattern == "blocks":
        return (bright if dark or random.integers(2) else deep), ((236, 232, 224) if dark else (40, 44, 60))
    return (bright if sum(ground) < 520 else deep), deep


def _mix(color: Color, other: Color, share: float) -> Color:
    r, g, b = (round(a + (c - a) * share) for a, c in zip(color, other, strict=True))
    return r, g, b
