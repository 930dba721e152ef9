"""Where services under test keep their rows: files in the test's folder, or databases on a server."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete

from services.chassis.database.opening import open_database
from services.chassis.migrate import migrate

Fresh = Callable[[], str]
"""Makes an empty database and gives its address."""

Stock = dict[str, list[str]]
"""Migrated databases of one kind that no test uses, by service. Emptying one is quicker than making one."""


def new_stock() -> Stock:
    """Nothing in stock yet."""
    return defaultdict(list)


class Places:
    """The databases of one test; asked again for the same one, it gives the same one."""

    def __init__(self, fresh: Fresh | None = None, stock: Stock | None = None) -> None:
        self._fresh = fresh
        self._stock = new_stock() if stock is None else stock
        self._known: dict[tuple[Path, str], str] = {}

    def place(self, folder: Path, service: str) -> str:
        """The address of a service's database, migrated where the service would not do that itself."""
        if self._fresh is None:
            return str(folder / f"{service}.db")
        known = self._known.get((folder, service))
        if known is None:
            known = self._known[folder, service] = self._stocked(service) or self._made(service, self._fresh)
        return known

    def give_back(self) -> None:
        """The test is over."""
        for (_, service), address in self._known.items():
            self._stock[service].append(address)
        self._known = {}

    def _stocked(self, service: str) -> str | None:
        if not self._stock[service]:
            return None
        address = self._stock[service].pop()
        _elsewhere(lambda: asyncio.run(_empty(service, address)))
        return address

    def _made(self, service: str, fresh: Fresh) -> str:
        address = fresh()
        _elsewhere(lambda: migrate(service, address))
        return address


def _elsewhere(work: Callable[[], object]) -> None:
    """In a thread, where it may run an event loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(work).result()


def _empty(service: str, address: str) -> Coroutine[Any, Any, None]:
    metadata = import_module(f"services.{service}.adapters.tables").metadata

    def clear(connection: Connection) -> None:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))

    async def run() -> None:
        database = open_database(address)
        try:
            await database.write(clear)
        finally:
            await database.close()

    return run()


_places = Places()


def use(places: Places) -> None:
    """From now on services are placed by these."""
    global _places
    _places = places


def place(folder: Path, service: str) -> str:
    """The address of the database of a service that belongs to the test with this folder."""
    return _places.place(folder, service)
