"""Whether the services' databases agree: asked by tests with an event loop and without one."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path

from services.chassis.migrate import DatabaseUnusable
from services.operations import invariants
from services.operations.catalogue import SERVICES
from services.operations.databases import opened


def violations(where: Path | Mapping[str, str], *, quiescent: bool = True) -> list[str]:
    """What is wrong in the databases of a data folder, or at addresses by service; or why they cannot be read."""
    addresses = {name: str(where / f"{name}.db") for name in SERVICES} if isinstance(where, Path) else where
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(asyncio.run, _violations(addresses, quiescent)).result()


async def _violations(addresses: Mapping[str, str], quiescent: bool) -> list[str]:
    try:
        async with AsyncExitStack() as stack:
            databases = {
                name: await stack.enter_async_context(opened(name, address)) for name, address in addresses.items()
            }
            return invariants.violations(await invariants.read(databases), quiescent=quiescent)
    except DatabaseUnusable as error:
        return [str(error)]
