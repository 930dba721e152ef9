"""`migrate`: brings databases to the newest revision, as a step of its own before the services start."""

import asyncio
import time
from typing import Annotated, Any

import typer

from services.chassis.database.address import shown
from services.chassis.migrate import DatabaseUnusable, newest, revision
from services.chassis.migrate import migrate as upgrade
from services.operations import printing
from services.operations.catalogue import present, require
from services.operations.commands.options import Data, Format, Services
from services.operations.databases import reached, require_there
from services.operations.printing import Output
from services.operations.surroundings import Surroundings, surroundings

COLUMNS = ("service", "database", "revision", "newest", "state")

Check = Annotated[bool, typer.Option("--check", help="Change nothing; fail when there is something to migrate.")]
Wait = Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for a server to answer.")]


def migrate(
    services: Services = None,
    check: Check = False,
    wait: Wait = 0.0,
    data: Data = None,
    output: Format = Output.TABLE,
) -> None:
    """Bring databases to the newest revision. Several may do it at once: one does, the others wait."""
    around = surroundings(data)
    found = [_one(service, around, check, wait, output) for service in (require(*services) if services else present())]
    printing.rows(output, COLUMNS, found, "no service is here")
    raise typer.Exit(1 if any(row["state"] in ("behind", "missing") for row in found) else 0)


def _one(service: str, around: Surroundings, check: bool, wait: float, output: Output) -> dict[str, Any]:
    address = around.settings(service).database
    row = {"service": service, "database": shown(address), "newest": newest(service)}
    if check:
        before = _revision(service, address, wait)
        return row | {"revision": before, "state": _state(before, newest(service))}
    with printing.console(stderr=True).status(f"{service}: {shown(address)}"):
        _await(service, address, wait)
        begun = time.monotonic()
        changed = upgrade(service, address)
        state = f"migrated in {time.monotonic() - begun:.1f} s" if changed else "up to date"
    return row | {"revision": _revision(service, address, 0), "state": state}


def _state(present: str | None, wanted: str) -> str:
    if present is None:
        return "missing"
    # migrations only add what the version before them can do without
    return "behind" if present < wanted else "up to date" if present == wanted else "ahead"


def _revision(service: str, address: str, wait: float) -> str | None:
    """What a database is at; None when it has no revision, or is no file yet."""
    try:
        require_there(service, address)
    except DatabaseUnusable:
        return None
    return asyncio.run(_ask(service, address, wait))


def _await(service: str, address: str, wait: float) -> None:
    """Return once the server answers; a file is made when it is not there."""
    if wait:
        _revision(service, address, wait)


async def _ask(service: str, address: str, wait: float) -> str | None:
    limit = time.monotonic() + wait
    while True:
        try:
            async with reached(service, address) as database:
                return await database.read(revision)
        except DatabaseUnusable:
            if time.monotonic() > limit:
                raise
        await asyncio.sleep(0.5)
