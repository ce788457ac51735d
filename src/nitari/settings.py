"""Settings: one TOML file plus ``NITARI__SECTION__KEY`` variables, read once, frozen, passed on.

The only module that reads the environment. Order, strongest first: arguments, environment, ``nitari.toml`` in the
home folder (or the file that ``NITARI__CONFIG`` names), the defaults below.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from nitari.errors import ConfigurationError

CONFIG_NAME = "nitari.toml"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ModelSettings(_Section):
    """Which networks, and where their weights live."""

    embedder: str = "nitari-fashion"
    """Name of the embedder's model card, or a path to a card file."""
    cache: Path = Field(default_factory=lambda: Path(platformdirs.user_cache_dir("nitari")) / "models")
    """Folder for weights, shared by all homes of this user."""
    cards: Path | None = None
    """A folder with cards of your own, looked at before the built-in ones."""
    download: bool = True
    """Whether a missing model may be fetched on first use from the sources that its card pins."""


class ExtractSettings(_Section):
    """How a photo becomes vectors. What was imported stays as it was made, until ``nitari reembed`` makes it anew."""

    regions: Literal["whole", "saliency", "garments"] = "garments"
    """``garments`` finds garments and products, many on one photo, each with a label; ``saliency`` finds what stands
    out, in six times the time; ``whole`` takes the whole photo and is fastest."""
    views: Literal["whole", "box", "mean", "both"] = "mean"
    """What a photo is searched by: the ``whole`` photo, the product's ``box``, ``both`` as separate vectors, or the
    ``mean`` of two vectors: of the photo's center square, and of the product's box (of the whole photo where there is
    none). See docs/accuracy.md."""
    detail: Literal["full", "low"] = "full"
    """How much of a photo is seen: ``low`` decodes it smaller, and shows networks whose cards say so a smaller input,
    in two thirds of the time."""
    lowlevel: bool = True
    """Whether to compute and keep the color/texture descriptor of the product region."""


class RuntimeSettings(_Section):
    """Where networks run."""

    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    """ONNX Runtime execution providers, best first (``CUDAExecutionProvider``, ``OpenVINOExecutionProvider``)."""
    threads: int = Field(default=1, ge=1, le=256)
    """Threads inside one network call. Throughput is best at 1 with one worker a core."""


class ImageSettings(_Section):
    """Caps on what one photo may cost."""

    max_bytes: int = Field(default=32 * 2**20, ge=1024)
    """Largest image file, bytes."""
    max_pixels: int = Field(default=100_000_000, ge=1024)
    """Most pixels of one image."""


class HttpSettings(_Section):
    """How image links that are URLs are fetched."""

    timeout_s: float = Field(default=20.0, gt=0)
    """Longest wait for a connection, and between two pieces of an answer."""
    total_timeout_s: float = Field(default=60.0, gt=0)
    """Longest time for one download, all redirects included."""
    retries: int = Field(default=3, ge=0, le=10)
    """Further tries after a passing failure (timeouts, 429, 5xx), with backoff."""
    max_feed_bytes: int = Field(default=2**30, ge=1024)
    """Largest feed that is itself a URL, bytes; it is held in memory while it is read."""
    per_host: int = Field(default=4, ge=1, le=64)
    """Most connections to one host at a time."""
    allow_private: bool = False
    """Whether links may lead to private, loopback or link-local addresses."""
    user_agent: str = "nitari (+https://github.com/nitari-search/nitari)"
    """What servers see as the User-Agent."""


class IndexSettings(_Section):
    """How nearest neighbors are found, and how the index on disk is kept."""

    engine: Literal["auto", "exact", "faiss", "ngt"] = "auto"
    """``auto``: segments on disk, for catalogs of any size. The others hold every vector in the memory of each process
    and read all of them from the catalog at each start: ``exact`` compares all; ``faiss``, ``ngt`` need their extra."""
    segments: Literal["ivf", "ngt", "none"] = "ivf"
    """What makes large segments quick: inverted lists of codes, a neighbor graph (needs extra ``ngt``), nothing."""
    recall_target: float = Field(default=0.98, gt=0, lt=1)
    """Share of the true nearest neighbors that a search finds on average."""
    seal_rows: int = Field(default=16_384, ge=256)
    """So many new vectors (fewer where they are wide) become a segment on disk; up to then they are in memory."""
    maintain: bool = True
    """Whether servers and imports keep the index on disk by themselves; else `nitari index maintain` is to be run."""
    build_threads: int = Field(default_factory=lambda: max(1, (os.cpu_count() or 1) // 2), ge=1, le=256)
    """Threads that build large segments."""
    scrub_mib_s: float = Field(default=8.0, ge=0)
    """How fast the index on disk is checked for damage in the background, MiB a second; 0 not to."""


class CatalogSettings(_Section):
    """How the catalog is kept."""

    history_days: int = Field(default=7, ge=0, le=3650)
    """For how many days the catalog can be taken back to what it was (``nitari catalog rollback``); 0 to keep nothing
    beyond the next import or, in a server, the next hour. An edit of attributes costs a few hundred bytes of history,
    one of photos as much as the item takes; new items cost nothing."""


class SearchSettings(_Section):
    """How answers are ranked and scored."""

    category: str = "product_type"
    """Which attribute says what an item is: queries prefer what is of the kind that they show, as far as the catalog's
    own items teach it. Empty to leave that alone."""
    calibrated: bool = True
    """Whether a score is the probability that the item is relevant, as the model card or ``nitari calibrate`` has it;
    otherwise it is the cosine."""


class IngestSettings(_Section):
    """How an import runs."""

    workers: int = Field(default_factory=lambda: max(1, os.cpu_count() or 1), ge=1, le=256)
    """Threads that fetch, decode and embed."""
    commit_items: int = Field(default=64, ge=1, le=10_000)
    """Items in one transaction: what a kill can cost is this much work, never anything counted."""


class ServerSettings(_Section):
    """The HTTP server."""

    host: str = "127.0.0.1"
    """Address to bind to."""
    port: int = Field(default=8321, ge=0, le=65535)
    """Port to bind to; 0 for any free one."""
    refresh_s: float = Field(default=0.25, gt=0)
    """How often the change log is looked at."""
    token: SecretStr | None = Field(default=None, min_length=16)
    """What callers send as ``Authorization: Bearer``; needed beyond loopback. At least 16 characters."""
    token_file: Path | None = None
    """A file with the token in it, instead of ``token``: for mounted secrets."""
    open_search: bool = False
    """Whether searching, reading items and seeing thumbnails need no token; edits, jobs and metrics always do."""
    insecure: bool = False
    """Whether to bind beyond loopback without a token: everybody who reaches the port may edit the catalog."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names that requests may be addressed to, beside ``localhost`` and IP addresses; a leading ``*.`` stands for
    any subdomain. Others are refused, so that no web page can reach the server under a name of its own."""
    max_body_bytes: int = Field(default=33 * 2**20, ge=1024)
    """Largest request body."""
    workers: int = Field(default_factory=lambda: max(1, os.cpu_count() or 1), ge=1, le=256)
    """Threads that answer queries."""
    queue: int = Field(default=64, ge=0, le=100_000)
    """Most requests that wait for a thread; further ones are answered 503 with ``Retry-After``."""
    query_cache: int = Field(default=256, ge=0, le=100_000)
    """Query photos whose vectors (never the photos) are remembered, so that a filter or a page costs no network."""
    query_photo_days: int = Field(default=30, ge=0, le=3650)
    """How long a query photo is kept that a shopper asked to keep for a link; 0 to refuse such requests."""
    query_photos: int = Field(default=10_000, ge=0)
    """Most kept query photos; the oldest go first."""
    thumbnail_cache_bytes: int = Field(default=2**30, ge=0)
    """Most disk space for thumbnails, bytes."""
    facets: tuple[str, ...] = ()
    """Attributes that the page offers as filters, in order; empty to choose by what the catalog holds."""


class SnapshotSettings(_Section):
    """Snapshots of the home, kept elsewhere."""

    url: str | None = None
    """Where they are kept unless a command says otherwise: a folder, ``s3://BUCKET/PREFIX``, or another URL that fsspec
    knows. Credentials are taken from the environment."""
    keep: int = Field(default=14, ge=1)
    """How many of the newest a prune leaves."""
    keep_days: float | None = Field(default=None, ge=0)
    """A prune also leaves all that are younger than this many days."""


PRESETS: Mapping[str, Mapping[str, Any]] = {"accurate": {}, "fast": {"extract": {"views": "box", "detail": "low"}}}
"""What each preset sets, where nothing else does (docs/accuracy.md has what it costs and loses)."""


class Settings(BaseSettings):
    """All settings. Build with ``load_settings``; pass values on; never read the environment elsewhere."""

    model_config = SettingsConfigDict(
        env_prefix="NITARI__",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("nitari")))
    """Folder of the catalog and everything derived from it."""
    config: Path | None = None
    """The TOML file to read instead of ``nitari.toml`` in the home folder."""
    preset: Literal["accurate", "fast"] = "accurate"
    """How a photo becomes vectors, unless settings under ``extract`` say otherwise: ``accurate``, or ``fast``, which
    looks at each photo once (``extract.views = "box"``) for about half of the time."""
    models: ModelSettings = ModelSettings()
    extract: ExtractSettings = ExtractSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    images: ImageSettings = ImageSettings()
    http: HttpSettings = HttpSettings()
    index: IndexSettings = IndexSettings()
    catalog: CatalogSettings = CatalogSettings()
    search: SearchSettings = SearchSettings()
    ingest: IngestSettings = IngestSettings()
    server: ServerSettings = ServerSettings()
    snapshots: SnapshotSettings = SnapshotSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the TOML file, then the preset; no ``.env``, no secrets folder."""
        given, variables = init_settings(), env_settings()
        toml = TomlConfigSettingsSource(settings_cls, toml_file=_config_file(given, variables))
        chosen = next((source["preset"] for source in (given, variables, toml()) if source.get("preset")), "accurate")
        # An unknown one sets nothing here, and is then refused with all other mistakes.
        preset = InitSettingsSource(settings_cls, init_kwargs=dict(PRESETS.get(str(chosen), {})))
        return init_settings, env_settings, toml, preset


def _config_file(*given: dict[str, Any]) -> Path | None:
    """The TOML file to read, from what arguments and environment say (in that order)."""
    for source in given:
        if source.get("config"):
            path = Path(source["config"])
            if not path.is_file():
                raise ConfigurationError(
                    f"config file {path} does not exist", remedy="create it or unset NITARI__CONFIG"
                )
            return path
    home = next((Path(source["home"]) for source in given if source.get("home")), None)
    home = home or Path(platformdirs.user_data_dir("nitari"))
    path = home / CONFIG_NAME
    return path if path.is_file() else None


def load_settings(**overrides: Any) -> Settings:
    """Read settings; ``overrides`` win (``None`` values are ignored).

    Raises:
        ConfigurationError: naming the setting, what was found and what was expected.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as exc:
        first = exc.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        variable = "NITARI__" + "__".join(str(part) for part in first["loc"]).upper()
        raise ConfigurationError(
            f"setting {name} is {first.get('input')!r}: {first['msg']}",
            remedy=f"correct it in {CONFIG_NAME} or in the variable {variable}",
        ) from exc
    except ValueError as exc:  # a TOML file that does not parse
        raise ConfigurationError(f"settings cannot be read: {exc}", remedy=f"correct {CONFIG_NAME}") from exc
