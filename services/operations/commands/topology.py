"""`topology`: everything on RabbitMQ, as it is declared, and as it is."""

import asyncio
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.chassis.running import CannotRun
from services.operations import printing
from services.operations.catalogue import present, topology
from services.operations.commands.options import Data, Format
from services.operations.printing import Output, masked
from services.operations.surroundings import surroundings

if TYPE_CHECKING:
    from services.chassis.bus.topology import Exchange, Queue, Topology

Live = Annotated[bool, typer.Option("--live", help="Look whether it is there; fail when something is not.")]
Declare = Annotated[bool, typer.Option("--declare", help="Make what is missing; what is there stays as it is.")]

LIVE = ("kind", "name", "presence", "messages", "consumers")


class NoBroker(CannotRun):
    """The services are on the memory bus, or on several."""


def show_topology(
    live: Live = False, declare: Declare = False, data: Data = None, output: Format = Output.TABLE
) -> None:
    """Exchanges, queues and bindings that the services need on RabbitMQ."""
    wanted = topology()
    if live or declare:
        found = asyncio.run(_look(_broker(data), wanted, declare))
        printing.rows(output, LIVE, found, "nothing is declared")
        raise typer.Exit(1 if any(row["presence"] != "there" for row in found) else 0)
    if output is Output.JSON:
        printing.whole(_declared(wanted))
    else:
        print(wanted.render())


def _broker(data: Path | None) -> str:
    """The address of the one that all services are on."""
    around = surroundings(data)
    urls = {settings.bus for settings in map(around.settings, present()) if settings.bus != "memory"}
    if not urls:
        raise NoBroker("the services are on the memory bus: name RabbitMQ in TABLING_BUS, or the data folder in --data")
    if len(urls) > 1:
        several = ", ".join(map(masked, sorted(urls)))
        raise NoBroker(f"the services are on several buses, {several}: set one TABLING_BUS")
    return urls.pop()


async def _look(url: str, wanted: "Topology", declare: bool) -> list[dict[str, Any]]:
    """A row for everything that there should be, once it is made if that is asked."""
    from services.operations.broker import connected, see_exchange, see_queue  # a library loaded only to be used

    async with connected(url) as connection:
        if declare:
            await wanted.declare(await connection.channel())
        exchanges = [(each.name, await see_exchange(connection, each)) for each in wanted.exchanges()]
        queues = [(each.name, await see_queue(connection, each)) for each in wanted.queues()]
    return [
        *({"kind": "exchange", "name": n, "presence": p, "messages": None, "consumers": None} for n, p in exchanges),
        *({"kind": "queue", "name": name, **asdict(seen)} for name, seen in queues),
    ]


def _declared(wanted: "Topology") -> dict[str, Any]:
    return {
        "exchanges": [{"type": each.kind} | _facts(each) for each in wanted.exchanges()],
        "queues": [_facts(each) for each in wanted.queues()],
        "bindings": [*_bindings(wanted)],
    }


def _facts(of: "Exchange | Queue") -> dict[str, Any]:
    return {"name": of.name, "purpose": of.purpose, "arguments": dict(of.arguments)}


def _bindings(wanted: "Topology") -> Iterator[dict[str, str]]:
    for binding in wanted.bindings():
        kind = "queue" if binding.to_queue else "exchange"
        yield {"source": binding.source, "routing_key": binding.key, "destination": binding.destination, "kind": kind}
