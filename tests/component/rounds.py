"""Housekeeping, as time passes."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from services.chassis.clock import ManualClock
from services.chassis.housekeeping import EVERY_SECONDS
from services.chassis.testing import eventually

ROUND = timedelta(seconds=EVERY_SECONDS)
MOST_ROUNDS = 10


async def some_rounds_later(clock: ManualClock, probe: Callable[[], Any]) -> None:
    """Return once it is so. Housekeeping that is at work as time passes sees that only in its next round."""
    for _ in range(MOST_ROUNDS):
        clock.advance(ROUND)
        with suppress(AssertionError):
            await eventually(probe, seconds=3)
            return
    await eventually(probe)
