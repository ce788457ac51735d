"""The tree of errors: drawn as it is, every class with its own code and exit status."""

from __future__ import annotations

import inspect

import pytest

from nitari import errors
from nitari.errors import MissingExtraError, NitariError

CLASSES = [value for value in vars(errors).values() if inspect.isclass(value) and issubclass(value, NitariError)]


@pytest.mark.parametrize("kind", CLASSES)
def test_every_class_is_drawn(kind: type[NitariError]) -> None:
    """The docstring of errors.py shows every class."""
    assert kind.__name__ in (errors.__doc__ or "")


def test_codes_are_unique() -> None:
    """A program can tell classes apart by code."""
    codes = [kind.default_code for kind in CLASSES]
    assert len(set(codes)) == len(codes)


def test_missing_extra_says_what_to_install() -> None:
    """The remedy is a command to type."""
    assert "pip install 'nitari[faiss]'" in MissingExtraError("Faiss", "faiss").remedy
