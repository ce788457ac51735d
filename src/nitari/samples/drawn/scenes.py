"""Photos of a garment: flat on white, worn (or on a shelf), and as a shopper's phone takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from nitari.samples.drawn import figure
from nitari.samples.drawn.fabric import Color, Fabric, Field
from nitari.samples.drawn.painter import Layer, Placement, Wardrobe, blur, shifted
from nitari.samples.drawn.shapes import Part, bounds
from nitari.types import ByteArray

SIZE = (432, 576)
SKINS: tuple[Color, ...] = ((240, 208, 184), (226, 184, 150), (196, 146, 110), (150, 104, 76), (108, 74, 56))
HAIRS: tuple[Color, ...] = ((44, 34, 30), (84, 54, 36), (150, 106, 62), (30, 28, 34), (120, 60, 40))
WALLS: tuple[Color, ...] = (
    (226, 218, 208),
    (206, 216, 224),
    (228, 208, 204),
    (208, 220, 208),
    (222, 214, 230),
    (236, 226, 200),
    (196, 206, 212),
)
FRAMES = {
    "top": (-2.1, -0.95, 2.1, 4.6),
    "dress": (-2.3, -0.95, 2.3, 5.4),
    "bottom": (-2.3, 0.55, 2.3, 6.9),
    "hat": (-2.2, -1.9, 2.4, 4.2),
}
"""What a photo of someone who wears it shows: ``x1, y1, x2, y2`` in body units."""


@dataclass(frozen=True, slots=True)
class Garment:
    """Something to photograph.

    Args:
        parts: What it is made of.
        wardrobe: Its fabrics.
        wear: How it is shown on the second photo: ``top``, ``dress``, ``bottom``, ``hat`` or ``shelf``.
        arms: Degrees from the vertical at which the figure holds its arms.
        open: Whether something is to be worn under it.
    """

    parts: tuple[Part, ...]
    wardrobe: Wardrobe
    wear: str
    arms: float = 27.0
    open: bool = False


def product_photo(garment: Garment, generator: np.random.Generator) -> ByteArray:
    """Flat on white, straight from above, with a soft shadow: uint8 ``[576, 432, 3]``."""
    place = _fitted(bounds(garment.parts), fill=0.86, angle=float(generator.uniform(-1.5, 1.5)))
    layer = Layer(SIZE, place, folds=0.05, generator=generator)
    layer.paint(garment.parts, garment.wardrobe)
    ground = _flat((249, 249, 248)) - _vignette(0.03)[..., None]
    return _finished(_compose(ground, layer, shadow=0.32, reach=12, drop=(5, 9)))


def worn_photo(garment: Garment, generator: np.random.Generator) -> ByteArray:
    """Worn by a figure before a colored wall, or standing on a shelf: uint8 ``[576, 432, 3]``."""
    people = _people(generator)
    wall: Field = np.array(WALLS[int(generator.integers(len(WALLS)))], dtype=np.float32) / np.float32(255)
    if garment.wear == "shelf":
        return _shelf(garment, wall, generator)
    place = _fitted(FRAMES[garment.wear], fill=1.0, angle=float(generator.uniform(-3, 3)))
    layer = Layer(SIZE, place, folds=0.065, generator=generator)
    for parts in _dressed(garment):
        layer.paint(parts, {**people, **garment.wardrobe})
    ground = _flat((255, 255, 255)) * wall * (1.06 - _vignette(0.22))[..., None]
    return _finished(
        _compose(ground, layer, shadow=0.28, reach=26, drop=(26, 10)), warmth=float(generator.uniform(-1, 1))
    )


def snapshot(garment: Garment, generator: np.random.Generator) -> ByteArray:
    """As a phone takes it: askew, off-center, on a floor, in uneven light, with noise: uint8 ``[576, 432, 3]``."""
    angle = float(generator.uniform(-16, 16))
    place = _fitted(bounds(garment.parts), fill=float(generator.uniform(0.62, 0.76)), angle=angle)
    shift = generator.uniform(-0.05, 0.05, 2)
    place = Placement(place.scale, place.x + shift[0] * SIZE[0], place.y + shift[1] * SIZE[1], place.angle)
    layer = Layer(SIZE, place, folds=0.12, generator=generator)
    layer.paint(garment.parts, garment.wardrobe)
    photo = _compose(_floor(generator), layer, shadow=0.55, reach=8, drop=(4, 7))
    x, y = _grid()
    turn = generator.uniform(0, 6.28)
    slope = np.float32(np.cos(turn)) * x + np.float32(np.sin(turn)) * y
    photo *= (0.90 + 0.16 * slope - _vignette(0.18))[..., None]
    photo = np.stack([blur(photo[..., channel], 0.8) for channel in range(3)], axis=-1)
    photo += generator.standard_normal(photo.shape, dtype=np.float32) * np.float32(0.012)
    return _finished(photo, warmth=float(generator.uniform(-2.5, 3.5)))


def _dressed(garment: Garment) -> tuple[tuple[Part, ...], ...]:
    """The figure and its garment, from the lowest layer up."""
    behind = tuple(part for part in garment.parts if part.behind)
    front = tuple(part for part in garment.parts if not part.behind)
    if garment.wear == "hat":
        return figure.head(), garment.parts
    if garment.wear == "bottom":
        return figure.legs(), figure.upper_body(27.0), figure.plain_top(), garment.parts
    if garment.wear == "dress":
        return behind, figure.legs(), figure.upper_body(garment.arms), front
    shirt = figure.plain_top(0.0) if garment.open else ()
    return behind, figure.legs(), figure.upper_body(garment.arms), figure.plain_pants(), shirt, front


def _people(generator: np.random.Generator) -> Mapping[str, Fabric]:
    """Fabrics of the figure: skin, hair, and plain clothes that are not for sale."""
    number = int(generator.integers(len(SKINS)))
    plain = ((238, 236, 232), (58, 62, 72), (74, 84, 104))[int(generator.integers(3))]
    return {
        "skin": Fabric(SKINS[number], weave="none"),
        "hair": Fabric(HAIRS[int(generator.integers(len(HAIRS)))], weave="none"),
        "plain": Fabric(plain),
        "shoes": Fabric((236, 234, 230), weave="leather"),
    }


def _shelf(garment: Garment, wall: Field, generator: np.random.Generator) -> ByteArray:
    """Standing on a shelf before a colored wall, with a shadow on both."""
    x1, y1, x2, y2 = bounds(garment.parts)
    level = 0.80
    scale = min(0.78 * SIZE[0] / (x2 - x1), 0.66 * SIZE[1] / (y2 - y1))
    place = Placement(scale, SIZE[0] / 2 - scale * (x1 + x2) / 2, level * SIZE[1] - scale * y2)
    layer = Layer(SIZE, place, folds=0.05, generator=generator)
    layer.paint(garment.parts, garment.wardrobe)
    _, y = _grid()
    ground = _flat((255, 255, 255)) * wall * (1.05 - _vignette(0.16))[..., None]
    top = np.clip((y - np.float32(2 * (level - 0.06) - 1)) * 160, 0, 1)[..., None]
    wood = _planks(generator, (196, 158, 118), across=False)
    ground = ground * (1 - top) + wood * top
    foot = np.zeros(ground.shape[:2], dtype=np.float32)
    left, right = int(place.x + scale * x1), int(place.x + scale * x2)
    foot[int(level * SIZE[1]) - 8 : int(level * SIZE[1]) + 6, max(0, left + 8) : right - 8] = 1
    ground *= (1 - 0.55 * np.clip(blur(foot, 8), 0, 1))[..., None]
    return _finished(
        _compose(ground, layer, shadow=0.22, reach=18, drop=(22, 2)), warmth=float(generator.uniform(0, 2))
    )


def _floor(generator: np.random.Generator) -> Field:
    """Something to put clothes on: boards, a carpet, a bed sheet or tiles."""
    kind = int(generator.integers(4))
    if kind == 0:
        return _planks(
            generator, ((170, 128, 90), (120, 88, 64), (206, 178, 146))[int(generator.integers(3))], across=True
        )
    x, y = _grid()
    color = ((128, 134, 144), (150, 130, 122), (190, 184, 172), (96, 112, 120))[int(generator.integers(4))]
    noise = generator.standard_normal(x.shape, dtype=np.float32)
    if kind == 1:
        return _flat(color, light=1 + 0.4 * blur(noise, 1) + 0.05 * noise)
    if kind == 2:
        a, b = generator.uniform(0, 6.28, 2)
        creases = np.sin(5 * x + 2.2 * np.sin(2.5 * y + a) + b) + 0.7 * np.sin(4 * y - 3 * x + 2 * np.sin(2 * x + b))
        return _flat((214, 216, 222), light=0.96 + 0.045 * creases)
    across, down = np.abs((x * 2.3 + 9) % 1 - 0.5), np.abs((y * 3.1 + 9) % 1 - 0.5)
    joint = np.clip((np.maximum(across, down) - 0.475) * 60, 0, 1)
    return _flat((196, 192, 186), light=1 - 0.25 * joint + 0.015 * noise)


def _planks(generator: np.random.Generator, color: Color, *, across: bool) -> Field:
    """Wooden boards with grain."""
    x, y = _grid()
    along, over, place = (x, y, y * 4.3 + 20) if across else (y, x, x * 1.5 + 20)
    board = np.floor(place)
    tone = (board * 0.618) % 1
    grain = np.sin(over * 95 + 5 * np.sin(along * 3.1 + board * 2.3) + board) + 0.6 * np.sin(over * 210 + along * 7)
    joint = np.clip((np.abs(place % 1 - 0.5) - 0.485) * 80, 0, 1)
    noise = generator.standard_normal(x.shape, dtype=np.float32)
    return _flat(color, light=0.92 + 0.14 * tone + 0.025 * grain + 0.012 * noise - 0.35 * joint)


def _fitted(box: tuple[float, float, float, float], *, fill: float, angle: float) -> Placement:
    """The placement that shows ``box`` (body units) in the middle, filling this share of the picture."""
    x1, y1, x2, y2 = box
    turn = np.radians(abs(angle))
    width = (x2 - x1) * np.cos(turn) + (y2 - y1) * np.sin(turn)
    height = (y2 - y1) * np.cos(turn) + (x2 - x1) * np.sin(turn)
    scale = float(fill * min(SIZE[0] / width, SIZE[1] / height))
    middle = Placement(scale, 0.0, 0.0, angle).pixels(np.array([[(x1 + x2) / 2, (y1 + y2) / 2]]))[0]
    return Placement(scale, SIZE[0] / 2 - float(middle[0]), SIZE[1] / 2 - float(middle[1]), angle)


def _compose(ground: Field, layer: Layer, *, shadow: float, reach: float, drop: tuple[int, int]) -> Field:
    """The layer over the ground, with its shadow on it, moved by ``drop`` (right, down) pixels."""
    cast = shifted(blur(layer.alpha, reach), *drop)
    contact = blur(layer.alpha, 3)
    dark = (1 - shadow * np.clip(cast, 0, 1)) * (1 - 0.25 * contact)
    out: Field = ground * dark[..., None] * (1 - layer.alpha)[..., None] + layer.rgb
    return out


def _finished(photo: Field, *, warmth: float = 0.0) -> ByteArray:
    """Color balance (percent warmer), clipped, as bytes."""
    balance = np.array([1 + warmth / 100, 1.0, 1 - warmth / 100], dtype=np.float32)
    pixels: ByteArray = np.rint(np.clip(photo * balance, 0, 1) * 255).astype(np.uint8)
    return pixels


def _flat(color: Color, *, light: Field | None = None) -> Field:
    """One color all over the picture, times the brightness of each pixel."""
    ground = np.array(color, dtype=np.float32) / np.float32(255)
    bright = np.ones((SIZE[1], SIZE[0]), dtype=np.float32) if light is None else light.astype(np.float32)
    out: Field = bright[..., None] * ground
    return out


def _grid() -> tuple[Field, Field]:
    """``x`` and ``y`` of each pixel, -1 to 1."""
    y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]].astype(np.float32)
    return x / np.float32(SIZE[0] / 2) - 1, y / np.float32(SIZE[1] / 2) - 1


def _vignette(strength: float) -> Field:
    x, y = _grid()
    fall: Field = (np.float32(strength) * (x * x + y * y) / 2).astype(np.float32)
    return fall
