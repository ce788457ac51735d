"""A typed client of the HTTP API: everything a server can do, from Python.

::

    from nitari import Client

    with Client("http://127.0.0.1:8321") as client:
        for hit in client.search(photo="dress.jpg", k=5, filter={"price": {"lt": 50}}).hits:
            print(f"{hit.score:.2f} {hit.item_id} {hit.title}")

Answers are the models of ``nitari.server.schemas``, by the names that the OpenAPI document gives them.
"""

from nitari.client.arguments import Operation, PhotoSource, RankingArgs, SearchArgs
from nitari.client.client import Client
from nitari.client.errors import (
    AccessError,
    ApiBusyError,
    ApiDataError,
    ApiError,
    ApiNotFoundError,
    ApiServerError,
    ApiUsageError,
    JobError,
    UnreachableError,
)
from nitari.server.schemas import DeleteOperation, ItemBody, PutOperation

__all__ = [
    "AccessError",
    "ApiBusyError",
    "ApiDataError",
    "ApiError",
    "ApiNotFoundError",
    "ApiServerError",
    "ApiUsageError",
    "Client",
    "DeleteOperation",
    "ItemBody",
    "JobError",
    "Operation",
    "PhotoSource",
    "PutOperation",
    "RankingArgs",
    "SearchArgs",
    "UnreachableError",
]
