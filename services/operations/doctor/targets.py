"""The services: whether each is there where the others look for it."""

import asyncio
from collections.abc import AsyncIterator

from services.chassis.health import State, ask_health
from services.operations.catalogue import present
from services.operations.doctor.finding import Finding, Severity
from services.operations.surroundings import Surroundings


async def targets(around: Surroundings) -> AsyncIterator[Finding]:
    """Every address at which a service is looked for."""
    addresses = {
        (name, place)
        for settings in around.right_settings(present())
        for name, target in settings.upstreams.items()
        for place in _places(target)
    }
    asked = sorted(addresses)
    states = dict(zip(asked, await asyncio.gather(*(ask_health(target) for _, target in asked)), strict=True))
    if all(state is State.AWAY for state in states.values()):
        yield Finding(Severity.NOTE, "all services", "none of them runs", "start them: `make up`, or `make up-full`")
        return
    for (name, target), state in states.items():
        if state is not State.SERVING:
            fix = f"start {name}, look into its log, or mend TABLING_{name.upper()}_TARGET"
            yield Finding(Severity.WRONG, name, f"at {target} it is {state}", fix)


def _places(target: str) -> list[str]:
    """Each place of a target: gRPC's way to name several is `ipv4:host:port,host:port`."""
    return target.removeprefix("ipv4:").split(",")
