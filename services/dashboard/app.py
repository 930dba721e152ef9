"""The composition root: what the dashboard service is made of."""

import grpc

from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.service import Frame, Parts, Service
from services.chassis.settings import Settings
from services.dashboard.adapters import queries
from services.dashboard.adapters.tables import metadata
from services.dashboard.adapters.unit_of_work import DashboardUnit
from services.dashboard.entrypoints.consumer import handlers
from services.dashboard.entrypoints.servicer import DashboardServicer
from services.permissions import PERMISSIONS
from tabling.dashboard.v1.dashboard_service_pb2 import DESCRIPTOR
from tabling.dashboard.v1.dashboard_service_pb2_grpc import add_DashboardServiceServicer_to_server

GATHER_SECONDS = 0.03
"""What people see may be so much older, so that what follows from one join is one transaction."""


def build(settings: Settings, bus: Bus, clock: Clock) -> Service[DashboardUnit]:
    """The service, with its database brought up to date; `run` starts it."""
    frame = Frame(settings, clock, metadata, DashboardUnit)

    def register(server: grpc.aio.Server) -> None:
        add_DashboardServiceServicer_to_server(DashboardServicer(frame, queries), server)

    parts = Parts(
        grpc_services=(DESCRIPTOR.services_by_name["DashboardService"].full_name,),
        permissions=PERMISSIONS,
        register=register,
        handlers=handlers(),
        gather_seconds=GATHER_SECONDS,
    )
    return Service(frame, bus, parts)
