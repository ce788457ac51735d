"""A request that is turned away before any route sees it, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from types import MappingProxyType

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is turned away.

    Args:
        status: Of HTTP.
        code: A stable word for programs.
        detail: What was found and what was expected.
        remedy: What to do about it.
        headers: Further headers of the answer.
    """

    status: HTTPStatus
    code: str
    detail: str
    remedy: str
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS)
