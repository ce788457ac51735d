"""Looking at the photos of feeds for ``nitari train embedding``, with progress; what was seen is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from nitari.cli.progress import Tally, counting
from nitari.errors import FetchError
from nitari.images.base import ImageSource, NotModified
from nitari.recipes import Extractors
from nitari.wiring import open_decoder, open_photos

if TYPE_CHECKING:
    from nitari.settings import Settings
    from nitari.training.finetune_shots import Shots
    from nitari.training.head_examples import Example
    from nitari.training.head_features import Eye, Fetch, Sights

_Show = Callable[[int, int], None]


class Looking:
    """Looks at photos as networks do.

    Args:
        settings: Of the extractor.
        bases: Where the photos of each feed lie.
        out: The folder in which what was seen is kept.
        quiet: Whether to show no progress.
    """

    def __init__(self, settings: Settings, bases: Sequence[str | None], out: Path, *, quiet: bool) -> None:
        self._settings = settings
        self._bases = bases
        self._out = out
        self._quiet = quiet
        self._extractors = Extractors(settings)

    def eye(self, network: str) -> Eye:
        """The production extractor's parts.

        Args:
            network: Card of the network, by name or file.
        """
        from nitari.embeddings.aspect import AspectDescriptor
        from nitari.embeddings.layout import ColorLayoutDescriptor, TextureDescriptor
        from nitari.training.head_features import Eye

        return Eye(
            decoder=open_decoder(self._settings),
            regions=self._extractors.finder(self._settings),
            network=self._extractors.network(network),
            color=ColorLayoutDescriptor(),
            texture=TextureDescriptor(),
            aspect=AspectDescriptor(),
        )

    def see(
        self, examples: Sequence[Example], eye: Eye, *, again: bool = False
    ) -> tuple[tuple[Example, ...], Sights, Mapping[str, str]]:
        """What is seen of all photos, looked at now or in an earlier run; see ``head_features.see``.

        Args:
            examples: Whose photos.
            eye: What looks.
            again: Whether they were looked at in this run, so that there is no progress to show.
        """
        from nitari.training.head_features import SightStore, see

        store = SightStore(self._out / "sights", eye.fingerprint)
        with self._fetching(quiet=again) as (fetch, show):
            return see(examples, eye=eye, store=store, fetch=fetch, progress=show)

    def gather(self, examples: Sequence[Example], side: int) -> tuple[Shots, tuple[str, ...]]:
        """The photos, kept small, and their digests; see ``finetune_shots``.

        Args:
            examples: Whose photos are usable.
            side: Pixels of the network's input.
        """
        from nitari.training.finetune_shots import Shots, gather

        decoder, regions = open_decoder(self._settings), self._extractors.finder(self._settings)
        shots = Shots(self._out / "shots", decoder=decoder, regions=regions, side=side)
        with self._fetching(quiet=False) as (fetch, show):
            return shots, gather(examples, shots, fetch, show)

    @contextmanager
    def _fetching(self, *, quiet: bool) -> Iterator[tuple[Fetch, _Show]]:
        """What gets photos, and what tells how many are done."""
        with ExitStack() as stack, counting("photos", "photos", quiet=quiet or self._quiet) as show:
            started = perf_counter()
            sources = [stack.enter_context(closing(open_photos(self._settings, base))) for base in self._bases]
            yield (
                lambda example: _bytes(sources[example.feed], example.link),
                lambda done, total: show(Tally(done, total, perf_counter() - started, "")),
            )


def _bytes(source: ImageSource, link: str) -> bytes:
    original = source.fetch(link)
    if isinstance(original, NotModified):
        raise FetchError(f"{link} was not sent, though nobody asked whether it had changed", code="not-sent")
    return original.data
