"""Named points at which a test lets the process die, to prove that nothing is lost there."""

import os

_countdown: dict[str, int] = {}

EXIT_CODE = 86


def arm(spec: str) -> None:
    """Arm points from `name:n[,name:n…]`: the process exits hard at the n-th passing of a point."""
    for part in filter(None, spec.split(",")):
        name, _, count = part.rpartition(":")
        _countdown[name] = int(count)


def crash_point(name: str) -> None:
    """Die here, without any clean-up, when this passing was asked for."""
    if not _countdown:
        return
    left = _countdown.get(name)
    if left is None:
        return
    _countdown[name] = left - 1
    if left <= 1:
        os._exit(EXIT_CODE)
