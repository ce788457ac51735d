"""For tests of what needs PyTorch, which is no dependency of development: CI must have it, a laptop need not."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec


def need_torch(missing: Callable[[str], None]) -> None:
    """Skip, or fail where CI=true, without PyTorch.

    Args:
        missing: The fixture of that name.
    """
    if find_spec("torch") is None:
        missing("PyTorch is not installed: pip install 'nitari[train]'")
