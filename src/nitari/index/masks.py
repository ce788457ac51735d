"""Filters as an index sees them: which of its rows are allowed, remembered under the filter's token."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np

from nitari.index.base import Allowed
from nitari.index.checks import check_mask
from nitari.types import BoolArray, KeyArray

_REMEMBERED = 16


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """What a filter allows of an index's rows: bool ``[n]``, and how many that are."""

    bits: BoolArray
    count: int

    @classmethod
    def of(cls, allowed: Allowed, keys: KeyArray) -> Mask:
        """Ask ``allowed`` about the keys of all rows, in row order."""
        bits = allowed.mask(keys)
        check_mask(bits, keys.size)
        return cls(bits, int(np.count_nonzero(bits)))


class MaskCache:
    """The masks of the last few filters, by token. Valid until the rows of the index change: then ``clear`` it.

    Safe for several reading threads; two that ask for the same new filter at once may both compute it.
    """

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._masks: OrderedDict[str, Mask] = OrderedDict()
        self._lock = Lock()

    def get(self, allowed: Allowed, keys: KeyArray) -> Mask:
        """The mask of ``allowed`` over ``keys`` (int64 ``[n]``, the index's rows in order)."""
        token = allowed.token
        with self._lock:
            known = self._masks.get(token)
            if known is not None:
                self._masks.move_to_end(token)
                return known
        mask = Mask.of(allowed, keys)
        with self._lock:
            self._masks[token] = mask
            while len(self._masks) > self._remembered:
                self._masks.popitem(last=False)
        return mask

    def clear(self) -> None:
        """Forget everything: rows came, went or moved."""
        with self._lock:
            self._masks.clear()
