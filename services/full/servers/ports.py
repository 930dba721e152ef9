"""Ports that nobody listens on."""

import random
import socket

LOWEST, HIGHEST = 10_000, 30_000
"""Below what systems hand out to connections by themselves."""


def free_port() -> int:
    """A port of 127.0.0.1 that was free just now."""
    while True:
        port = random.randrange(LOWEST, HIGHEST)  # noqa: S311 - it is no secret
        with socket.socket() as candidate:
            try:
                candidate.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
