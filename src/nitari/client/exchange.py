"""Options become the JSON or the form of a request, and answers the models of ``nitari.server.schemas``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nitari.client.arguments import PhotoSource, json_bytes, photo_part
from nitari.client.connection import Connection, Files
from nitari.client.errors import ApiServerError, shown

_Model = TypeVar("_Model", bound=BaseModel)


class Exchange:
    """A connection that answers with models. Safe for several threads.

    Args:
        connection: To the server. Whoever made it closes it.
    """

    def __init__(self, connection: Connection) -> None:
        self._http = connection

    def send(
        self,
        model: type[_Model],
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: bytes | None = None,
        files: Files | None = None,
        repeatable: bool = True,
        timeout: float | None = None,
    ) -> _Model:
        """Send a request and return the answer; the arguments are those of ``Connection.send``.

        Raises:
            ApiServerError: the answer is another one than expected.
        """
        body = self._http.send(
            method, path, params=params, json=json, files=files, repeatable=repeatable, timeout=timeout
        )
        try:
            return model.model_validate_json(body)
        except ValidationError as exc:
            raise ApiServerError(
                f"the answer is not a {model.__name__}; it begins {shown(body)}",
                status=200,
                code="answer",
                remedy="see whether base_url names a Nitari server of this client's version",
            ) from exc

    def get(self, model: type[_Model], path: str) -> _Model:
        """What is there."""
        return self.send(model, "GET", path)

    def ask(
        self, model: type[_Model], path: str, options: Mapping[str, Any], photo: PhotoSource | None = None
    ) -> _Model:
        """A question as JSON, or as a form where a photo goes with it."""
        body = json_bytes(options)
        if photo is None:
            return self.send(model, "POST", path, json=body)
        files: Files = [photo_part(photo)]
        if body != b"{}":
            files.insert(0, ("options", (None, body, "application/json")))
        return self.send(model, "POST", path, files=files)
