"""Addresses to listen on, before anybody does."""

import socket


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
