"""The ports of a system on one machine: free, and nobody's twice."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.chassis.addresses import why_not
from services.chassis.running import CannotRun

PATIENCE_SECONDS = 1.0
"""What was killed just now may still hold a port for a moment."""


@dataclass(frozen=True, slots=True)
class Listener:
    """Something that listens on a port of this machine, and the option that names the port."""

    name: str
    port: int
    option: str


class PortTaken(CannotRun):
    """A port cannot be listened on."""


async def require_free(listeners: Sequence[Listener]) -> None:
    """Raises `PortTaken` when one of them could not listen on its port; a port that is just let go is waited for."""
    owners: dict[int, Listener] = {}
    for listener in listeners:
        other = owners.setdefault(listener.port, listener)
        if other is not listener:
            raise PortTaken(
                f"{other.name} and {listener.name} cannot both listen on port {listener.port}: "
                f"name another with {other.option} or {listener.option}"
            )
    limit = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while taken := [(listener, why) for listener in listeners if (why := why_not(f"127.0.0.1:{listener.port}"))]:
        if asyncio.get_running_loop().time() > limit:
            listener, why = taken[0]
            raise PortTaken(
                f"{listener.name} cannot listen on 127.0.0.1:{listener.port} ({why}): "
                f"stop what does, or name another port with {listener.option}"
            )
        await asyncio.sleep(0.05)
