"""Sessions of people who signed in with the token: a cookie that expires and does not hold it."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from threading import Lock
from time import time

COOKIE = "nitari_session"
LASTS_S = 12 * 3600
_MOST_LENGTH = 200


class Sessions:
    """Makes and checks session cookies: ``expiry.nonce.signature``. Safe to use from any thread.

    The signing key is random and lives as long as the process. It is not made of the token: a stolen cookie would
    then let its thief try tokens at home, as quickly as he likes. So a restart signs everybody out.

    Args:
        clock: Seconds since 1970.
    """

    def __init__(self, *, clock: Callable[[], float] = time) -> None:
        self._key = secrets.token_bytes(32)
        self._clock = clock
        self._lock = Lock()
        self._ended: dict[str, int] = {}  # values that were signed out, until they would have expired

    def open(self) -> str:
        """A new session's cookie."""
        body = f"{int(self._clock()) + LASTS_S}.{secrets.token_urlsafe(16)}"
        return f"{body}.{self._signature(body)}"

    def holds(self, value: str) -> bool:
        """Whether a cookie is one of ours, not expired and not signed out."""
        if not self._is_ours(value):
            return False
        return int(value.partition(".")[0]) > self._clock() and value not in self._ended

    def end(self, value: str) -> None:
        """Sign a session out; anything that is no session is ignored."""
        if not self.holds(value):
            return
        now = self._clock()
        with self._lock:  # bounded by how often those who know the token sign in within its life
            self._ended = {ended: expiry for ended, expiry in self._ended.items() if expiry > now}
            self._ended[value] = int(value.partition(".")[0])

    def _is_ours(self, value: str) -> bool:
        if len(value) > _MOST_LENGTH or not value.isascii():
            return False
        body, _, signature = value.rpartition(".")
        return bool(body) and hmac.compare_digest(signature, self._signature(body))

    def _signature(self, body: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._key, body.encode(), sha256)).decode().rstrip("=")
