"""A query over a database as a feed, by SQLAlchemy: read-only, streamed, passwords kept out of names and messages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from nitari.catalog.feeds.columns import check_header
from nitari.catalog.feeds.records import RawValue, Record
from nitari.catalog.feeds.values import json_list
from nitari.errors import ConfigurationError, DependencyError, FeedError, MissingExtraError, UsageError
from nitari.types import Rejection

BATCH = 1000
# Parts of a URL's query that say which database it is; all others (sslpassword, options, ...) stay out of its name.
_NAMING = ("host", "port", "dbname", "database", "service", "unix_socket")


class SqlReader:
    """Reads the rows that a query yields; its columns need Merchant Center names (``select sku as id, ...``).

    Args:
        url: SQLAlchemy's form, e.g. ``postgresql://user:password@host/shop`` or ``sqlite:///shop.db``.
        query: One statement; the connection is read-only where the database can be told so.

    Raises:
        UsageError: a URL that is none.
        FeedError: an SQLite file that is not there.
        ConfigurationError: a database driver that is not installed.
    """

    unit = "row"
    size_hint: int | None = None

    def __init__(self, url: str, query: str) -> None:
        self._url = _parsed(url)
        self._query = query.strip().rstrip(";")
        if not self._query:
            raise UsageError("the query is empty", remedy="give --query 'select id, image_link, ... from ...'")
        if self._url.get_backend_name() == "sqlite":
            _check_sqlite(self._url)
        self._engine_or_raise().dispose()

    @property
    def name(self) -> str:
        """The database without credentials, and which query: stable, fit for a feed's id."""
        digest = hashlib.sha256(" ".join(self._query.split()).encode()).hexdigest()[:12]
        return f"{self._shown}#query={digest}"

    @property
    def _shown(self) -> str:
        naming = {key: value for key, value in self._url.query.items() if key in _NAMING}
        database = self._url.database
        if self._url.get_backend_name() == "sqlite" and database:
            database = Path(database).resolve().as_posix()
        bare = URL.create(
            self._url.get_backend_name(), host=self._url.host, port=self._url.port, database=database, query=naming
        )
        return bare.render_as_string(hide_password=True)

    def records(self) -> Iterator[Record | Rejection]:
        """The rows.

        Raises:
            DependencyError: a database that cannot be reached.
            FeedError: a query that fails, or whose columns are not those of a feed.
        """
        engine = self._engine_or_raise()
        try:
            with self._connected(engine) as connection, self._querying():
                result = connection.execution_options(
                    no_parameters=True, stream_results=True, max_row_buffer=BATCH
                ).exec_driver_sql(self._query)
                if not result.returns_rows:
                    raise FeedError(
                        f"the query over {self._shown} yields no rows: it is no select",
                        remedy="give --query 'select id, image_link, ... from ...'",
                        code="query",
                    )
                names = tuple(map(str, result.keys()))
                check_header(names, f"the query over {self._shown}")
                for number, row in enumerate(result.yield_per(BATCH), start=1):
                    yield Record(number, names, [_cell(value) for value in row], typed=True)
        finally:
            engine.dispose()

    def _engine_or_raise(self) -> Engine:
        try:
            return create_engine(self._url, poolclass=NullPool, hide_parameters=True)
        except ModuleNotFoundError as exc:
            if self._url.drivername == "postgresql+psycopg":
                raise MissingExtraError("reading from PostgreSQL", "postgres") from exc
            raise ConfigurationError(
                f"the driver for {self._url.drivername} is not installed: {exc}", remedy=f"pip install {exc.name}"
            ) from exc
        except NoSuchModuleError as exc:
            raise UsageError(
                f"there is no database called {self._url.drivername!r}",
                remedy="use postgresql://, mysql+pymysql://, sqlite:///PATH, ...",
            ) from exc
        except (ArgumentError, TypeError, ValueError) as exc:
            raise UsageError(f"the database URL {self._shown} cannot be used: {self._scrubbed(exc)}") from exc

    @contextmanager
    def _connected(self, engine: Engine) -> Iterator[Connection]:
        """A connection that cannot write, as far as the database can be told so."""
        try:
            connection = engine.connect()
        except SQLAlchemyError as exc:
            raise DependencyError(
                f"{self._shown} cannot be reached: {self._scrubbed(exc)}",
                remedy="check the address, the credentials and that the database runs",
                code="database",
            ) from exc
        with connection:
            if engine.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA query_only = ON")
            elif engine.dialect.name == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            yield connection

    @contextmanager
    def _querying(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as exc:
            lost = isinstance(exc, DBAPIError) and exc.connection_invalidated
            error = DependencyError if lost else FeedError
            raise error(
                f"the query over {self._shown} failed: {self._scrubbed(exc)}",
                remedy="" if lost else "try the query in the database's own shell",
                code="query",
            ) from exc

    def _scrubbed(self, exc: Exception) -> str:
        """The driver's own words on one line, without the password."""
        cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
        text = " ".join(str(cause).split())
        return text.replace(str(self._url.password), "***") if self._url.password else text


def _cell(value: RawValue) -> RawValue:
    """Most databases hand out JSON columns as text: an array among them is a list."""
    spelled = json_list(value.strip()) if isinstance(value, str) else None
    return value if spelled is None else spelled


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as exc:
        # The text may hold a password: it is not repeated, and neither is the cause.
        raise UsageError(
            f"the {url.partition('://')[0]} URL cannot be read",
            remedy="write it as postgresql://user:password@host:5432/database, special characters percent-encoded",
        ) from exc
    if parsed.drivername in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    return parsed


def _check_sqlite(url: URL) -> None:
    """SQLite would create a file that is not there."""
    if not url.database or url.database == ":memory:":
        raise UsageError("sqlite:// names no file", remedy="write sqlite:///PATH, or sqlite:////PATH from the root")
    if not url.database.startswith("file:") and not Path(url.database).is_file():
        raise FeedError(
            f"the SQLite file {url.database} does not exist",
            remedy="check the path: sqlite:///PATH, or sqlite:////PATH from the root",
            code="not-found",
        )
