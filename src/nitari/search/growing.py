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
