"""What searching costs on this machine: the constants of the planner's cost model, measured or assumed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from nitari.errors import StateError
from nitari.index import kernels


@dataclass(frozen=True, slots=True)
class Costs:
    """Nanoseconds of one thread. Only their ratios decide.

    Args:
        scan_ns: To compare a number of a row, rows lying side by side.
        gather_ns: To compare a number of a row picked out from among others.
        row_ns: For a row, whatever its width: to fetch it from where it lies when it is picked out.
        select_ns: For a row that was compared, to find the best ones.
        call_ns: For any exact comparison, whatever its size.
        codes_ns: For any question to a segment's engine.
        codes_factor: What an engine takes, in terms of what it says that it takes (``Searcher.cost_ns``).
        copy_ns: To copy a number of a row.

    Raises:
        StateError: where one of them is not a number above 0.
    """

    scan_ns: float
    gather_ns: float
    row_ns: float
    select_ns: float
    call_ns: float
    codes_ns: float
    codes_factor: float
    copy_ns: float

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 < value < math.inf:
                raise StateError(
                    f"the cost {name} is {value!r}, expected a number above 0", remedy="nitari doctor --tune"
                )

    def as_json(self) -> dict[str, float]:
        """Plain values, for a file."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Costs:
        """What ``as_json`` gave.

        Raises:
            StateError: where it is something else.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            raise StateError(
                f"costs are {sorted(values)}, expected {sorted(names)}",
                remedy="nitari doctor --tune measures them anew",
            )
        return cls(**values)

    def scan(self, rows: int, dim: int) -> float:
        """Nanoseconds to compare ``rows`` that lie side by side."""
        return self.call_ns + rows * (dim * self.scan_ns + self.select_ns)

    def gather(self, rows: int, dim: int) -> float:
        """Nanoseconds to compare ``rows`` picked out from among others."""
        return self.call_ns + rows * (dim * self.gather_ns + self.row_ns + self.select_ns)

    def copy(self, rows: int, dim: int) -> float:
        """Nanoseconds to copy ``rows`` picked out from among others."""
        return self.call_ns + rows * (dim * self.copy_ns + self.row_ns)


# Measured on a 2-core cloud machine (AVX-512); see ``tune.py``.
_COMPILED = Costs(
    scan_ns=0.08, gather_ns=0.08, row_ns=10.0, select_ns=2.0, call_ns=10e3, codes_ns=15e3, codes_factor=1.5, copy_ns=0.5
)
_PORTABLE = Costs(
    scan_ns=1.2, gather_ns=1.6, row_ns=20.0, select_ns=2.0, call_ns=25e3, codes_ns=15e3, codes_factor=1.0, copy_ns=0.5
)


def default_costs() -> Costs:
    """What is assumed where nothing was measured: by whether the kernels are compiled."""
    return _COMPILED if kernels.NATIVE else _PORTABLE
