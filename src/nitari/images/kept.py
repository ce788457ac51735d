"""What stands for the web where nothing is to be fetched: photos that are not kept are told apart from lost ones."""

from __future__ import annotations

from nitari.errors import FetchError
from nitari.images.base import NotModified, Original, Validators, shown


class NotFetching:
    """Follows no link; says that the photo is not kept here, and what to do."""

    def fetch(self, link: str, *, known: Validators | None = None) -> Original | NotModified:
        """Nothing.

        Raises:
            FetchError: always, code ``original-missing``.
        """
        raise FetchError(
            f"the original of image link {shown(link)} is not kept here (any more)",
            remedy="repeat with --refetch, which follows its link",
            code="original-missing",
        )

    def close(self) -> None:
        """Nothing to close."""
