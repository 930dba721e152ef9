"""The services whose code is here: what they are called, their tables, the events that they understand.

An image may hold one service alone: nothing here imports a service before it is asked for.
"""

from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sqlalchemy import MetaData, Table

from services.chassis.running import CannotRun
from services.chassis.settings import PORTS
from services.subscriptions import SUBSCRIPTIONS

if TYPE_CHECKING:
    from services.chassis.bus.topology import Topology

SERVICES = tuple(PORTS)


class NotHere(CannotRun):
    """A command needs the code of a service that this image does not have."""


@cache
def present() -> tuple[str, ...]:
    """The services whose code is here."""
    return tuple(service for service in SERVICES if find_spec(f"services.{service}"))


@cache
def metadata(service: str) -> MetaData:
    """A service's tables."""
    found: MetaData = import_module(f"services.{service}.adapters.tables").metadata
    return found


def table(service: str, name: str) -> Table:
    """One of a service's tables."""
    return metadata(service).tables[name]


def chosen(service: str | None) -> tuple[str, ...]:
    """The service that was named, or all whose code is here. Raises `NotHere`."""
    return require(service) if service else present()


def require(*services: str) -> tuple[str, ...]:
    """These services. Raises `NotHere` unless the code of each is here."""
    if absent := [service for service in services if service not in present()]:
        raise NotHere(f"the code of {', '.join(absent)} is not here: run this where it is")
    return services


def topology() -> "Topology":
    """Everything that services need on RabbitMQ."""
    from services.chassis.bus.topology import Topology  # with a library that is loaded only to be used

    return Topology(SUBSCRIPTIONS)
