"""An S3 server on loopback, for the time of a ``with`` statement."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# One request at a time: the server's own check for conditional writes is only atomic that way, as the real one's is.
_SERVER = """
import sys
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def serving_s3(bucket: str) -> Iterator[Mapping[str, str]]:
    """A server with an empty bucket: the environment variables by which clients find it."""
    command = [sys.executable, "-W", "ignore", "-c", _SERVER]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            url = f"http://127.0.0.1:{port}"
            request = urllib.request.Request(f"{url}/{bucket}", method="PUT")  # noqa: S310 - loopback
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                assert answer.status == 200
            yield {
                "AWS_ENDPOINT_URL": url,
                "AWS_ACCESS_KEY_ID": "key-of-nobody",
                "AWS_SECRET_ACCESS_KEY": "secret-of-nobody",
                "AWS_DEFAULT_REGION": "us-east-1",
            }
        finally:
            process.kill()
