"""The five services, built for one process."""

from collections.abc import Mapping
from typing import Any

from services.chassis.bus.memory import MemoryBus
from services.chassis.clock import SystemClock
from services.chassis.process import Build
from services.chassis.service import Service
from services.chassis.settings import from_environment
from services.dashboard.app import build as dashboard
from services.embedded.settings import EmbeddedSettings
from services.management.app import build as management
from services.notification.app import build as notification
from services.reception.app import build as reception
from services.seat.app import build as seat

BUILDS: Mapping[str, Build] = {
    "management": management,
    "seat": seat,
    "reception": reception,
    "dashboard": dashboard,
    "notification": notification,
}


def build(settings: EmbeddedSettings, environment: Mapping[str, str]) -> list[Service[Any]]:
    """All services on one bus, their databases brought up to date. Raises `SettingsError`, `DatabaseUnusable`."""
    # one port shows the figures of all of them
    no_own_ports = {f"TABLING_{name.upper()}_METRICS_LISTEN": "" for name in BUILDS}
    given = dict(environment) | settings.environment | no_own_ports
    bus = MemoryBus(BUILDS)
    clock = SystemClock()
    return [build_one(from_environment(name, given), bus, clock) for name, build_one in BUILDS.items()]
