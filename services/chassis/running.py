"""Running a coroutine as a process: event loop, signals, exit code."""

import asyncio
import gc
import os
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import uvloop

from services.chassis import crash

SIGNALS = (signal.SIGTERM, signal.SIGINT)

SWITCH_SECONDS = 0.0005
"""How long a database thread may keep the interpreter from the event loop."""


GC_THRESHOLD = (50_000, 20, 20)
"""Requests leave no cycles behind: looking for them after every few hundred objects only takes time."""


class CannotRun(Exception):
    """Something outside the code is in the way; the text says what it is, and what to do about it."""


def run(body: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> int:
    """Run `body(stop)` on uvloop; `stop` is set by SIGTERM and SIGINT. Returns the exit code.

    What `body` raises is told on standard error: `CannotRun` by its text, anything else with its traceback.
    """
    crash.arm(os.environ.get("TABLING_CRASH", ""))
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        uvloop.run(_until_signal(body))
    except Exception as error:
        _tell(list(causes(error)))
        return 1
    finally:
        # Python sets its own handlers back while it winds up: a second Ctrl-C would show in the exit code.
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
    return 0


def causes(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group of groups; an error that is no group is its own cause."""
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from causes(part)
    else:
        yield error


async def _until_signal(body: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask(number: int, frame: object) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    # The loop's own handlers would be gone with the loop: a second Ctrl-C could end in a traceback.
    for number in SIGNALS:
        signal.signal(number, ask)
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    await body(stop)


def _tell(errors: list[BaseException]) -> None:
    foreseen = [error for error in errors if isinstance(error, CannotRun)]
    for error in foreseen or errors:
        if foreseen:
            print(f"error: {error}", file=sys.stderr)
        else:
            traceback.print_exception(error)
            print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
