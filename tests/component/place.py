"""Where services under test keep their rows: files in the test's folder, or databases on a server."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from pathlib import Path

from sqlalchemy import Connection, delete

from services.chassis.database.opening import open_database
from services.chassis.migrate import migrate, newest, revision

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
        while self._stock[service]:
            address = self._stock[service].pop()
            if _elsewhere(partial(_emptied, service, address)):
                return address
        return None

    def _made(self, service: str, fresh: Fresh) -> str:
        address = fresh()
        _elsewhere(partial(migrate, service, address))
        return address


def _elsewhere(work: Callable[[], bool]) -> bool:
    """In a thread, where it may run an event loop of its own."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def _emptied(service: str, address: str) -> bool:
    """True once nothing is in it; False when a test has left it at another revision."""
    metadata = import_module(f"services.{service}.adapters.tables").metadata

    def clear(connection: Connection) -> bool:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
        return revision(connection) == newest(service)

    async def run() -> bool:
        database = open_database(address)
        try:
            return await database.write(clear)
        finally:
            await database.close()

    return asyncio.run(run())


_places = Places()


def use(places: Places) -> None:
    """From now on services are placed by these."""
    global _places
    _places = places


def place(folder: Path, service: str) -> str:
    """The address of the database of a service that belongs to the test with this folder."""
    return _places.place(folder, service)
