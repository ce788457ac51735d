"""What the drawn shop sells: kinds of garments, styles of each, and the colors of each style."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nitari.samples.drawn import bottoms, extras, tops
from nitari.samples.drawn.fabric import Color, Fabric
from nitari.samples.drawn.scenes import Garment
from nitari.samples.drawn.shapes import Part

COLORS: dict[str, Color] = {
    "black": (38, 38, 43),
    "white": (240, 239, 235),
    "gray": (142, 145, 150),
    "navy": (34, 46, 82),
    "blue": (50, 100, 182),
    "sky blue": (140, 186, 222),
    "red": (194, 42, 48),
    "burgundy": (116, 32, 50),
    "pink": (234, 164, 180),
    "orange": (230, 122, 50),
    "mustard": (216, 166, 52),
    "yellow": (242, 212, 92),
    "green": (52, 124, 80),
    "olive": (108, 112, 64),
    "mint": (164, 214, 192),
    "teal": (30, 128, 136),
    "purple": (108, 74, 146),
    "lavender": (188, 172, 220),
    "beige": (216, 200, 170),
    "brown": (116, 78, 52),
    "camel": (188, 140, 90),
}
DENIM: dict[str, Color] = {"indigo": (52, 70, 116), "blue denim": (78, 110, 158), "light wash": (142, 170, 202)}
DENIM["black"] = (48, 48, 54)
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
class Kind:
    """A kind of garment.

    Args:
        name: What it is called in a title.
        path: Below the gender in ``product_type``.
        cuts: Named ways to cut it.
        patterns: Patterns it comes in, the usual one first.
        weave: Of its cloth.
        material: In the feed.
        price: Of the simplest style, US dollars.
        wear: See ``Garment``.
        genders: Who it is for, one style after the other.
        palette: Which colors.
    """

    name: str
    path: str
    cuts: tuple[tuple[str, Any], ...]
    patterns: tuple[str, ...]
    weave: str
    material: str
    price: int
    wear: str
    genders: tuple[str, ...] = ("female", "male")
    palette: str = "all"


def _with(cut: tops.Cut, **changes: Any) -> tops.Cut:
    return replace(cut, **changes)


_TEE = tops.Cut()
_LONG = tops.Cut(sleeve=2.9, ease=0.02)
_SHIRT = tops.Cut(neck="shirt", sleeve=2.9, front="buttons", pockets="chest", length=3.0, ease=0.03)
_HOODIE = tops.Cut(neck="hood", sleeve=2.95, ease=0.12, ribbed=True, pockets="kangaroo")
_JACKET = tops.Cut(neck="shirt", sleeve=2.95, ease=0.10, ribbed=True, front="zip", pockets="slits", waist=0.0)
_DRESS = tops.Cut(neck="scoop", sleeve=0.8, length=4.4, flare=0.5, waist=0.12, tiers=1)

KINDS: tuple[Kind, ...] = (
    Kind(
        "T-Shirt",
        "Tops > T-Shirts",
        (("Crew-Neck", _TEE), ("V-Neck", _with(_TEE, neck="v")), ("Cropped", _with(_TEE, length=2.15, ease=0.05))),
        ("plain", "stripes", "blocks", "melange"),
        "jersey",
        "Cotton",
        19,
        "top",
    ),
    Kind(
        "Dress",
        "Dresses",
        (
            ("", _DRESS),
            ("Belted Midi", _with(_DRESS, neck="straps", sleeve=0.0, length=5.1, flare=0.45, belt=True, tiers=0)),
            ("Tiered", _with(_DRESS, neck="v", sleeve=2.3, length=4.9, flare=0.55, tiers=2)),
        ),
        ("floral", "plain", "dots", "gingham"),
        "satin",
        "Viscose",
        59,
        "dress",
        ("female",),
    ),
    Kind(
        "Jeans",
        "Bottoms > Jeans",
        (
            ("Straight", bottoms.Legs(jeans=True)),
            ("Slim", bottoms.Legs(jeans=True, hem=0.24)),
            ("Wide-Leg", bottoms.Legs(jeans=True, hem=0.44, ease=0.04, turnup=True)),
        ),
        ("plain",),
        "denim",
        "Denim",
        64,
        "bottom",
        ("male", "female"),
        "denim",
    ),
    Kind(
        "Sneakers",
        "Shoes > Sneakers",
        (("Low-Top", lambda: extras.sneakers()), ("High-Top", lambda: extras.sneakers(high=True))),
        ("plain",),
        "canvas",
        "Canvas",
        69,
        "shelf",
        ("unisex",),
    ),
    Kind(
        "Shirt",
        "Tops > Shirts",
        (("", _SHIRT), ("Short-Sleeve", _with(_SHIRT, sleeve=1.05))),
        ("checks", "plain", "pinstripes", "gingham"),
        "canvas",
        "Cotton",
        39,
        "top",
        ("male", "female"),
    ),
    Kind(
        "Hoodie",
        "Tops > Hoodies",
        (("", _HOODIE), ("Zip", _with(_HOODIE, front="zip", pockets="slits"))),
        ("plain", "melange", "blocks"),
        "jersey",
        "Cotton fleece",
        49,
        "top",
        ("unisex",),
    ),
    Kind(
        "Skirt",
        "Bottoms > Skirts",
        (
            ("Pleated", bottoms.SkirtCut(pleats=9, length=3.9, flare=0.45)),
            ("Buttoned Mini", bottoms.SkirtCut(buttons=True, length=3.4)),
            ("Midi", bottoms.SkirtCut(length=5.0, flare=0.4)),
        ),
        ("plain", "checks", "dots", "floral"),
        "canvas",
        "Polyester",
        42,
        "bottom",
        ("female",),
    ),
    Kind(
        "Backpack",
        "Bags > Backpacks",
        (("", extras.backpack),),
        ("plain", "camouflage", "checks"),
        "canvas",
        "Nylon",
        55,
        "shelf",
        ("unisex",),
    ),
    Kind(
        "Sweater",
        "Tops > Sweaters",
        (
            ("Turtleneck", _with(_LONG, neck="high", ease=0.10, ribbed=True)),
            ("Crew-Neck", _with(_LONG, ease=0.10, ribbed=True)),
            ("V-Neck", _with(_LONG, neck="v", ease=0.08, ribbed=True)),
        ),
        ("plain", "stripes", "blocks"),
        "knit",
        "Wool",
        59,
        "top",
    ),
    Kind(
        "Cap",
        "Accessories > Hats",
        (("Baseball", extras.cap),),
        ("plain", "camouflage", "checks"),
        "canvas",
        "Cotton",
        22,
        "hat",
        ("unisex",),
    ),
    Kind(
        "Shorts",
        "Bottoms > Shorts",
        (
            ("Cargo", bottoms.Legs(length=4.1, hem=0.44, cargo=True)),
            ("Chino", bottoms.Legs(length=3.9, hem=0.42)),
            ("Sweat", bottoms.Legs(length=3.8, hem=0.44, ribbed=True)),
        ),
        ("plain", "camouflage", "checks"),
        "canvas",
        "Cotton",
        34,
        "bottom",
        ("male", "female"),
        palette="calm",
    ),
    Kind(
        "Jacket",
        "Outerwear > Jackets",
        (("Bomber", _JACKET), ("Trucker", _with(_JACKET, front="buttons", pockets="flaps", length=2.6, ribbed=False))),
        ("plain", "camouflage", "blocks"),
        "satin",
        "Nylon",
        89,
        "top",
        ("male", "female"),
    ),
    Kind(
        "Tote Bag",
        "Bags > Totes",
        (("", extras.tote),),
        ("plain", "stripes", "floral", "dots"),
        "canvas",
        "Cotton canvas",
        29,
        "shelf",
        ("unisex",),
    ),
    Kind(
        "Long-Sleeve Top",
        "Tops > Long Sleeves",
        (("Crew-Neck", _LONG), ("Boat-Neck", _with(_LONG, neck="boat"))),
        ("stripes", "plain", "dots", "melange"),
        "jersey",
        "Cotton",
        27,
        "top",
    ),
    Kind(
        "Polo Shirt",
        "Tops > Polo Shirts",
        (("", tops.Cut(neck="shirt", sleeve=1.0, front="polo")),),
        ("plain", "stripes", "blocks"),
        "jersey",
        "Cotton piqué",
        35,
        "top",
        ("male", "female"),
    ),
    Kind(
        "Chinos",
        "Bottoms > Pants",
        (("Slim", bottoms.Legs(crease=True, hem=0.27)), ("Wide", bottoms.Legs(crease=True, hem=0.42, ease=0.03))),
        ("plain", "pinstripes", "checks"),
        "canvas",
        "Cotton",
        49,
        "bottom",
        ("male", "female"),
        palette="calm",
    ),
    Kind(
        "Handbag",
        "Bags > Handbags",
        (("", extras.handbag),),
        ("plain",),
        "leather",
        "Leather",
        95,
        "shelf",
        ("female",),
    ),
    Kind(
        "Tank Top",
        "Tops > Tank Tops",
        (("", tops.Cut(neck="straps", sleeve=0.0)), ("Cropped", tops.Cut(neck="straps", sleeve=0.0, length=2.1))),
        ("plain", "stripes", "melange", "floral"),
        "jersey",
        "Cotton",
        15,
        "top",
        ("female", "male"),
    ),
    Kind(
        "Beanie",
        "Accessories > Hats",
        (("", extras.beanie),),
        ("plain", "stripes", "melange"),
        "knit",
        "Wool",
        24,
        "hat",
        ("unisex",),
    ),
    Kind(
        "Blazer",
        "Outerwear > Blazers",
        (("", tops.Cut(neck="lapel", sleeve=2.95, ease=0.08, front="open", pockets="flaps", length=3.1)),),
        ("plain", "pinstripes", "checks"),
        "canvas",
        "Wool",
        129,
        "top",
        ("female", "male"),
        palette="calm",
    ),
    Kind(
        "Joggers",
        "Bottoms > Joggers",
        (("", bottoms.Legs(ribbed=True)), ("Cargo", bottoms.Legs(ribbed=True, cargo=True))),
        ("melange", "plain", "camouflage"),
        "jersey",
        "Cotton fleece",
        39,
        "bottom",
        ("unisex",),
        palette="calm",
    ),
    Kind(
        "Boots",
        "Shoes > Boots",
        (("Chelsea", extras.boots),),
        ("plain",),
        "leather",
        "Leather",
        119,
        "shelf",
        ("male", "female"),
        "leather",
    ),
    Kind(
        "Coat",
        "Outerwear > Coats",
        (
            (
                "Belted",
                tops.Cut(
                    neck="lapel",
                    sleeve=2.95,
                    ease=0.12,
                    front="open",
                    length=4.6,
                    flare=0.22,
                    pockets="slits",
                    belt=True,
                ),
            ),
            (
                "Shirt",
                tops.Cut(
                    neck="shirt", sleeve=2.95, ease=0.12, front="buttons", length=4.4, flare=0.12, pockets="flaps"
                ),
            ),
        ),
        ("plain", "checks"),
        "canvas",
        "Wool",
        149,
        "dress",
        ("female", "male"),
        palette="calm",
    ),
    Kind(
        "Bucket Hat",
        "Accessories > Hats",
        (("", extras.bucket_hat),),
        ("plain", "floral", "gingham"),
        "canvas",
        "Cotton",
        25,
        "hat",
        ("unisex",),
    ),
)

_CALM = ("black", "gray", "navy", "beige", "olive", "camel", "brown", "burgundy", "sky blue", "white", "green")
_PALETTES: dict[str, dict[str, Color]] = {
    "calm": {name: COLORS[name] for name in _CALM},
    "all": COLORS,
    "denim": DENIM,
    "leather": {name: COLORS[name] for name in ("black", "brown", "camel", "burgundy", "beige", "gray")},
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
    palette = list(_PALETTES[kind.palette])
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
    ground = _PALETTES[style.kind.palette][color]
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
