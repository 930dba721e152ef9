"""Addresses to listen on, before anybody does."""

import random
import socket

LOWEST, HIGHEST = 10_000, 30_000
"""Below what systems hand out to connections by themselves."""


def why_not(address: str) -> str | None:
    """Why nobody can listen on host:port at this moment; None when one can."""
    host, _, port = address.rpartition(":")
    try:
        [(family, kind, protocol, _, place), *_] = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
            probe.listen()
    except OSError as error:
        return error.strerror or str(error)
    return None


def free_port() -> int:
    """A port of 127.0.0.1 that was free just now."""
    while True:
        port = random.randrange(LOWEST, HIGHEST)  # noqa: S311 - it is no secret
        if why_not(f"127.0.0.1:{port}") is None:
            return port
