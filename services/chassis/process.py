"""A service as a process of its own."""

import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from services.chassis.bus import Bus
from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import Clock, SystemClock
from services.chassis.logs import configure
from services.chassis.running import run
from services.chassis.service import Service
from services.chassis.settings import Settings, SettingsError, from_environment

Build = Callable[[Settings, Bus, Clock], Service[Any]]


Subscriptions = Mapping[str, frozenset[str]]
"""Every consumer there is, and the types of events that it wants."""


def main(service: str, build: Build, subscriptions: Subscriptions) -> int:
    """Run one service until SIGTERM or SIGINT. Returns the exit code.

    On the memory bus a service alone keeps its events in its outbox until their consumers are there too.
    """
    try:
        settings = from_environment(service, os.environ)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    configure(settings.log_level)
    return run(lambda stop: build(settings, bus(settings, subscriptions), SystemClock()).run(stop))


def bus(settings: Settings, subscriptions: Subscriptions) -> Bus:
    """The bus that the settings ask for; it connects once it is used."""
    if settings.bus == "memory":
        ours = f"{settings.service}."
        return MemoryBus(
            name for name, types in subscriptions.items() if any(type_.startswith(ours) for type_ in types)
        )
    from services.chassis.bus.rabbitmq import RabbitBus  # a library that is loaded only to be used
    from services.chassis.bus.topology import Topology

    return RabbitBus(settings.bus, Topology(subscriptions), name=settings.service)
