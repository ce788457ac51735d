"""The kinds of garments that the drawn shop sells, and the colors they come in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from nitari.samples.drawn import bottoms, extras, tops
from nitari.samples.drawn.fabric import Color

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
PALETTES: dict[str, dict[str, Color]] = {
    "calm": {name: COLORS[name] for name in _CALM},
    "all": COLORS,
    "denim": DENIM,
    "leather": {name: COLORS[name] for name in ("black", "brown", "camel", "burgundy", "beige", "gray")},
}
