"""What a process holds of one collection: an index, attribute columns, and what hits show. (Signatures first.)"""

from __future__ import annotations

from nitari.catalog.base import Catalog
from nitari.index.base import VectorIndex


class Gallery:
    """One collection in memory, following the catalog. Build with ``Gallery.open``."""

    @classmethod
    def open(
        cls, *, catalog: Catalog, index: VectorIndex, collection: str, indexed_at: int | None = None
    ) -> Gallery:
        """Read the catalog and catch up with its change log.

        Args:
            catalog: The truth. The gallery closes it.
            index: Empty, or loaded from a snapshot of this collection. The gallery closes it.
            collection: Whose vectors.
            indexed_at: The catalog change that a loaded ``index`` was complete with (``Gallery.seq`` when it was
                saved); ``None`` for an index without a past, whose content is dropped.
        """
        raise NotImplementedError

    @property
    def seq(self) -> int:
        """The catalog change that the gallery is up to date with."""
        raise NotImplementedError

    def refresh(self) -> int:
        """Apply what happened in the catalog since. Returns how many items were read again."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the index and the catalog."""
        raise NotImplementedError
