"""`check`: whether the databases of all services tell one story."""

import asyncio
import time
from collections.abc import Mapping
from typing import Annotated

import typer

from services.chassis.database import Database
from services.operations import printing
from services.operations.catalogue import SERVICES, require
from services.operations.commands.options import Data, Format
from services.operations.databases import all_opened
from services.operations.invariants import read, violations
from services.operations.printing import Output, counted
from services.operations.surroundings import Surroundings, surroundings

PAUSE_SECONDS = 1.0

Patience = Annotated[
    float,
    typer.Option(min=0, metavar="SECONDS", help="How long a disagreement must last to count. 0 when nothing runs."),
]
Moving = Annotated[bool, typer.Option("--moving", help="Only what holds at any moment, with events under way.")]


def check(patience: Patience = 5.0, moving: Moving = False, data: Data = None, output: Format = Output.TABLE) -> None:
    """Look for contradictions within and between the databases. The system may run meanwhile; nothing is written."""
    around = surroundings(data)
    found = asyncio.run(_look(around, patience, moving))
    if output is Output.JSON:
        printing.whole({"violations": found})
    else:
        for sentence in found:
            print(sentence)
        print(f"{counted(len(found), 'violation') if found else 'No violations'}.")
    raise typer.Exit(1 if found else 0)


async def _look(around: Surroundings, patience: float, moving: bool) -> list[str]:
    """What is wrong, and stays so for as long as is given to events that are under way."""
    limit = time.monotonic() + patience
    async with all_opened(around, require(*SERVICES)) as databases:
        found = await _once(around, databases, moving)
        while found and not moving and time.monotonic() < limit:
            await asyncio.sleep(min(PAUSE_SECONDS, patience))
            again = set(await _once(around, databases, moving))
            found = [sentence for sentence in found if sentence in again]
    return found


async def _once(around: Surroundings, databases: Mapping[str, Database], moving: bool) -> list[str]:
    in_books = violations(await read(databases), quiescent=not moving)
    buses = {settings.bus for settings in map(around.settings, SERVICES) if settings.bus != "memory"}
    if not buses:
        return in_books
    from services.operations.invariants.queues import waiting  # with a library that is loaded only to be used

    return in_books + [sentence for url in sorted(buses) for sentence in await waiting(url, quiescent=not moving)]
