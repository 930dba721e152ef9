"""Running a service as a process of its own: signals, event loop, exit code."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from services.chassis import crash
from services.chassis.bus import Bus
from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import Clock, SystemClock
from services.chassis.grpc_server import AddressInUse
from services.chassis.logs import configure
from services.chassis.service import Service
from services.chassis.settings import Settings, SettingsError, from_environment

SWITCH_SECONDS = 0.0005
"""How long a database thread may keep the interpreter from the event loop."""

Build = Callable[[Settings, Bus, Clock], Service[Any]]


def main(service: str, build: Build, consumers: tuple[str, ...]) -> int:
    """Run one service until SIGTERM or SIGINT. Returns the exit code.

    On the memory bus a service alone keeps its events in its outbox until the `consumers` are there too.
    """
    try:
        settings = from_environment(service, os.environ)
        configure(settings.log_level)
        return run(lambda stop: build(settings, MemoryBus(consumers), SystemClock()).run(stop))
    except SettingsError as error:
        print(f"{service}: {error}", file=sys.stderr)
        return 2


def run(body: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> int:
    """Run `body(stop)` on uvloop; `stop` is set by SIGTERM and SIGINT. Returns the exit code."""
    crash.arm(os.environ.get("TABLING_CRASH", ""))
    sys.setswitchinterval(SWITCH_SECONDS)

    async def supervise() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        gc.freeze()
        await body(stop)

    code = 0
    try:
        uvloop.run(supervise())
    except* AddressInUse as group:
        for error in group.exceptions:
            print(f"error: {error}", file=sys.stderr)
        code = 1
    return code
