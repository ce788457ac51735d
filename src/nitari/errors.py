"""Everything Nitari raises on purpose.

The class says whose fault it is; the message says what was found and what was expected; ``remedy`` says what to do.

::

    NitariError
    ├── UsageError            the caller asked for something that cannot be (HTTP 400, exit 2)
    │   ├── FilterError       a filter that does not parse
    │   └── NotFoundError     an item, card or collection that is not there (HTTP 404)
    ├── DataError             the catalog's data is at fault; during an import it becomes a rejection (HTTP 422, exit 4)
    │   ├── FeedError         a feed that cannot be read at all
    │   ├── SyncRefusedError  a --sync that would delete too much
    │   ├── FetchError        an image link that cannot be fetched
    │   │   └── BlockedError  an image link that must not be fetched (private address, outside the feed's folder)
    │   └── ImageError        bytes that are not a usable photo
    ├── ConfigurationError    the operator's set-up is at fault (HTTP 500, exit 5)
    │   ├── MissingExtraError an optional library is not installed
    │   └── ModelError        a model card, its weights, or their checksum
    ├── DependencyError       a service outside this process failed (HTTP 503, exit 6)
    ├── BusyError             more is asked at a time than this process does (HTTP 503 with Retry-After, exit 6)
    └── StateError            files of our own that are damaged, or from another version (HTTP 500, exit 7)
"""

from __future__ import annotations

from typing import ClassVar


class NitariError(Exception):
    """Base of the tree: a message for people, a ``code`` for programs, a ``remedy`` to try next.

    Args:
        message: What was found and what was expected, naming the thing.
        remedy: What to do about it, as a sentence or a command; empty if there is nothing to do.
        code: A stable kebab-case word for programs; the class's own where not given.
    """

    default_code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, remedy: str = "", code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code or self.default_code


class UsageError(NitariError):
    """The caller asked for something that cannot be."""

    default_code = "usage"
    exit_code = 2


class FilterError(UsageError):
    """A filter that does not parse; the message names the offending part."""

    default_code = "filter"


class NotFoundError(UsageError):
    """An item, model card or collection that is not there."""

    default_code = "not-found"


class DataError(NitariError):
    """The catalog's data is at fault. During an import it is recorded as a rejection and the import goes on."""

    default_code = "data"
    exit_code = 4


class FeedError(DataError):
    """A feed that cannot be read at all (a single bad row is a rejection instead)."""

    default_code = "feed"


class SyncRefusedError(DataError):
    """A ``--sync`` that would delete a larger share of the feed's items than is allowed."""

    default_code = "sync-refused"


class FetchError(DataError):
    """An image link whose bytes could not be had (missing file, timeout, HTTP status, too large)."""

    default_code = "fetch"


class BlockedError(FetchError):
    """An image link that must not be followed: a private address, a path outside the feed's folder, a scheme."""

    default_code = "blocked"


class ImageError(DataError):
    """Bytes that are not a photo we can use: not an image, truncated, too large, too costly to decode."""

    default_code = "image"


class ConfigurationError(NitariError):
    """Settings that contradict each other or the data in the home folder."""

    default_code = "configuration"
    exit_code = 5


class MissingExtraError(ConfigurationError):
    """A feature whose optional library is not installed.

    Args:
        feature: What was asked for, in the user's words.
        extra: The name of the extra that brings the library.
    """

    default_code = "missing-extra"

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional library that is not installed", remedy=f"pip install 'nitari[{extra}]'"
        )


class ModelError(ConfigurationError):
    """A model card that is wrong, weights that cannot be had, or weights that are not what the card pins."""

    default_code = "model"


class DependencyError(NitariError):
    """A service outside this process (database, remote model server) failed or timed out."""

    default_code = "dependency"
    exit_code = 6


class BusyError(NitariError):
    """More is asked at a time than this process does. Nothing was begun; the same request may be sent again."""

    default_code = "busy"
    exit_code = 6


class StateError(NitariError):
    """A file of ours that is damaged or was written by an incompatible version."""

    default_code = "state"
    exit_code = 7
