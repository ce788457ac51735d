"""`nitari` on a rigged network, so that tests can be on the public internet without one, and see who is connected to.

Run as ``python -m support.rigged NITARI-ARGUMENTS`` with the variables of ``Rigging.env()``. Every connection that the
process opens, by whatever library, is written to a file first.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

PUBLIC = "93.184.216.34"
PUBLIC_V6 = "2606:4700::1111"
VARIABLE = "RIGGED"


@dataclass(frozen=True)
class Rigging:
    """How the network is.

    Args:
        log: File that gets a line for each connection: a JSON list of the address asked for, the port.
        names: For each host name, what it stands for: the addresses of the first answer, of the second ...; the last
            one is repeated. Other names do not exist; addresses in any notation are what the system takes them for.
        detours: Where connections to an address really go: the loopback server that plays its part.
    """

    log: Path
    names: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    detours: Mapping[str, str] = field(default_factory=lambda: {PUBLIC: "127.0.0.1", PUBLIC_V6: "127.0.0.1"})

    def env(self) -> dict[str, str]:
        """Variables for the process to be rigged."""
        tests = str(Path(__file__).resolve().parents[1])
        return {VARIABLE: json.dumps(asdict(self) | {"log": str(self.log)}), "PYTHONPATH": tests}

    def connections(self) -> list[tuple[str, int]]:
        """Every address and port that was connected to so far."""
        lines = self.log.read_text("utf-8").splitlines() if self.log.exists() else []
        return [(host, port) for host, port in map(json.loads, lines)]


def rig(rigging: Rigging) -> None:
    """Rig this process."""
    asked: dict[str, int] = {}
    real_resolve, real_connect = socket.getaddrinfo, socket.create_connection
    log = rigging.log.open("a", encoding="utf-8", buffering=1)
    here = threading.local()

    def resolve(host: Any, port: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name in rigging.names:
            answers = rigging.names[name]
            turn = asked[name] = asked.get(name, -1) + 1
            found = []
            for address in answers[min(turn, len(answers) - 1)]:
                found += real_resolve(address, port, *rest, **options)
            return found
        if name is not None:
            try:
                real_resolve(name, port, flags=socket.AI_NUMERICHOST)
            except socket.gaierror as exc:
                raise socket.gaierror(socket.EAI_NONAME, "no such name in the rigged network") from exc
        return real_resolve(host, port, *rest, **options)

    def connect(address: Any, *rest: Any, **options: Any) -> Any:
        host, port = address[:2]
        if host in rigging.detours:
            log.write(json.dumps([host, port]) + "\n")
            here.detour = True
            try:
                return real_connect((rigging.detours[host], port), *rest, **options)
            finally:
                here.detour = False
        return real_connect(address, *rest, **options)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and not getattr(here, "detour", False):
            address = arguments[1]
            pair = address[:2] if isinstance(address, tuple) else (os.fsdecode(address), 0)
            log.write(json.dumps(pair) + "\n")

    socket.getaddrinfo = resolve
    socket.create_connection = connect
    sys.addaudithook(audit)


def main() -> None:
    """Rig the process as the environment says, then be `nitari`."""
    text = os.environ.get(VARIABLE)
    if text is None:
        sys.exit(f"error {errno.EINVAL}: {VARIABLE} is not set")
    given = json.loads(text)
    rig(Rigging(Path(given["log"]), given["names"], given["detours"]))
    from nitari.cli.main import main as nitari

    nitari()


if __name__ == "__main__":
    main()
