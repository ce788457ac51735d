"""The descriptors that cards may name."""

from __future__ import annotations

from collections.abc import Mapping

from nitari.embeddings.aspect import AspectDescriptor
from nitari.embeddings.base import Descriptor
from nitari.embeddings.layout import ColorLayoutDescriptor, TextureDescriptor
from nitari.embeddings.lowlevel import LowLevelDescriptor

_ALL: tuple[Descriptor, ...] = (
    LowLevelDescriptor(),
    ColorLayoutDescriptor(),
    TextureDescriptor(),
    AspectDescriptor(),
)
DESCRIPTORS: Mapping[str, Descriptor] = {descriptor.name: descriptor for descriptor in _ALL}
"""By name. They keep no state, so one of each serves everybody."""
