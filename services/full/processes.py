"""The services as child processes."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.chassis.health import State, ask_health
from services.full.settings import Replica
from services.local.child import Child, ChildFailed, Program

START_SECONDS = 60.0
STOP_SECONDS = 10.0
MIGRATE_SECONDS = 120.0

RECEPTIONS = ("_PASS_KEY", "_PHONE_KEY")
"""How the names of variables end that nobody but reception may know."""


def own(process: Replica) -> dict[str, str]:
    """What this process must be told of itself."""
    name = f"TABLING_{process.service.upper()}"
    return {f"{name}_LISTEN": process.address, f"{name}_METRICS_LISTEN": process.metrics_address}


def service(process: Replica, environment: Mapping[str, str], logs: Path) -> Child:
    """A process of a service. It comes back as often as it takes; its log is in the folder `logs`."""
    log = logs / f"{process.name}.log"

    async def answers() -> bool:
        return await ask_health(process.address) is State.SERVING

    return Child(
        Program(
            name=process.name,
            command=(sys.executable, "-m", f"services.{process.service}"),
            log=log,
            answers=answers,
            explain=lambda text: f"its whole log is {log}",
            environment={**told_to(process.service, environment), **own(process)},
            start_seconds=START_SECONDS,
            stop_seconds=STOP_SECONDS,
            most_ends=None,
        )
    )


def told_to(service: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service; keys that are reception's alone are not in that of others."""
    kept = () if service == "reception" else RECEPTIONS
    return {name: value for name, value in environment.items() if not name.removesuffix("_FILE").endswith(kept)}


async def migrate(services: Sequence[str], environment: Mapping[str, str], logs: Path) -> None:
    """Bring the databases of these services up to date, the way operators do. Raises `ChildFailed`."""
    log = logs / "migrate.log"

    async def at_once() -> bool:
        return True

    child = Child(
        Program(
            name="the migration",
            command=(sys.executable, "-m", "services.operations", "migrate", *services),
            log=log,
            answers=at_once,
            explain=lambda text: text.strip(),
            environment=environment,
        )
    )
    await child.start()
    try:
        async with asyncio.timeout(MIGRATE_SECONDS):
            code = await child.wait()
    finally:
        await child.stop()
    if code:
        raise ChildFailed(f"the databases could not be migrated: {log.read_text(errors='replace').strip()}")
