"""A service as a process of its own."""

import os
import sys
from collections.abc import Callable
from typing import Any

from services.chassis.bus import Bus
from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import Clock, SystemClock
from services.chassis.logs import configure
from services.chassis.running import run
from services.chassis.service import Service
from services.chassis.settings import Settings, SettingsError, from_environment

Build = Callable[[Settings, Bus, Clock], Service[Any]]


def main(service: str, build: Build, consumers: tuple[str, ...]) -> int:
    """Run one service until SIGTERM or SIGINT. Returns the exit code.

    On the memory bus a service alone keeps its events in its outbox until the `consumers` are there too.
    """
    try:
        settings = from_environment(service, os.environ)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    configure(settings.log_level)
    return run(lambda stop: build(settings, MemoryBus(consumers), SystemClock()).run(stop))
