"""Arrays that grow at their end, as columns of append-only rows do."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_Scalar = TypeVar("_Scalar", bound=np.generic)
_FIRST = 16


class Growing(Generic[_Scalar]):
    """A numpy array that grows by doubling: ``extend`` costs amortized O(n), and earlier ``view``s stay valid.

    Args:
        dtype: Of its elements.
        width: For rows of that many elements; ``None`` for one dimension.
    """

    def __init__(self, dtype: DTypeLike, width: int | None = None) -> None:
        self._data: NDArray[Any] = np.empty((0,) if width is None else (0, width), dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    @property
    def view(self) -> NDArray[_Scalar]:
        """What is in it, without a copy: ``[n]`` or ``[n, width]``."""
        return self._data[: self._size]

    def extend(self, values: ArrayLike) -> None:
        """Append ``values`` (``[m]`` or ``[m, width]``)."""
        added = np.asarray(values, self._data.dtype)
        size = self._size + len(added)
        if size > len(self._data):
            data = np.empty((max(size, 2 * len(self._data), _FIRST), *self._data.shape[1:]), self._data.dtype)
            data[: self._size] = self.view
            self._data = data
        self._data[self._size : size] = added
        self._size = size


class Layered(Generic[_Scalar]):
    """An array that never changes, perhaps memory-mapped, and one behind it that grows.

    Args:
        base: ``[n]`` or ``[n, width]``.
    """

    def __init__(self, base: NDArray[_Scalar]) -> None:
        self.base = base
        self._tail: Growing[_Scalar] = Growing(base.dtype, base.shape[1] if base.ndim == 2 else None)

    def __len__(self) -> int:
        return len(self.base) + len(self._tail)

    @property
    def tail(self) -> NDArray[_Scalar]:
        """What came behind the base."""
        return self._tail.view

    def extend(self, values: ArrayLike) -> None:
        """Append ``values`` (``[m]`` or ``[m, width]``)."""
        self._tail.extend(values)

    def take(self, numbers: NDArray[np.integer[Any]]) -> NDArray[_Scalar]:
        """The elements ``numbers`` (``[k]``, none negative), copied: ``[k]`` or ``[k, width]``."""
        first = len(self.base)
        taken: NDArray[_Scalar]
        if not first or not len(self._tail):
            taken = (self.base if first else self.tail)[numbers]
            return taken
        taken = np.empty((numbers.size, *self.base.shape[1:]), self.base.dtype)
        old = numbers < first
        taken[old] = self.base[numbers[old]]
        taken[~old] = self.tail[numbers[~old] - first]
        return taken

    def slice(self, begin: int, end: int) -> NDArray[_Scalar]:
        """The elements ``begin``..``end``, all of the base or all behind it, without a copy."""
        first = len(self.base)
        return self.base[begin:end] if begin < first else self.tail[begin - first : end - first]
