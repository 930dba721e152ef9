"""This process among others: where it listens, and with whom it ends."""

import ctypes
import ipaddress
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach that address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def die_with_parent() -> None:
    """Ends this process when the one that started it ends, however that ends."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(0)
