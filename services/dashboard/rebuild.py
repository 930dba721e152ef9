"""The rebuild: as a command, and on a service that runs."""

import asyncio
import os
import sys

from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import SystemClock
from services.chassis.kernel import DomainError
from services.chassis.logs import configure
from services.chassis.service import Service
from services.chassis.settings import Settings, SettingsError, from_environment
from services.dashboard.adapters.feeds import FeedUnavailable, open_feeds
from services.dashboard.adapters.unit_of_work import DashboardUnit
from services.dashboard.app import build
from services.dashboard.application import rebuild as application


async def rebuild(service: Service[DashboardUnit]) -> int:
    """Make the read model of `service` anew from its upstreams; returns how many envelopes were read.

    Its group commit must be served. Raises `FeedUnavailable`; before anything is cleared when an upstream
    cannot be reached at all.
    """

    async def clear() -> None:
        await service.frame.lane.run(lambda uow: uow.clear(), bounded=False)

    async with open_feeds(service.frame.settings.upstreams, service.consumer.types) as feeds:
        return await application.rebuild(feeds, clear, service.consumer.receive)


def main() -> int:
    """The command; the service itself may run meanwhile. Returns the exit code."""
    try:
        settings = from_environment("dashboard", os.environ)
        configure(settings.log_level)
        envelopes = asyncio.run(_alone(settings))
    except SettingsError as error:
        print(f"dashboard: {error}", file=sys.stderr)
        return 2
    except (FeedUnavailable, DomainError) as error:
        print(f"dashboard: not rebuilt: {error}", file=sys.stderr)
        return 1
    print(f"dashboard: rebuilt from {envelopes} envelopes of snapshots")
    return 0


async def _alone(settings: Settings) -> int:
    service = build(settings, MemoryBus(), SystemClock())
    lane = asyncio.create_task(service.frame.lane.serve())
    try:
        return await rebuild(service)
    finally:
        lane.cancel()
        await service.frame.database.close()
