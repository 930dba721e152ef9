"""Management, wired up."""

import grpc

from services.chassis.bus import Bus
from services.chassis.calls import saga_after
from services.chassis.clock import Clock
from services.chassis.service import Frame, Parts, Service
from services.chassis.settings import Settings
from services.management.adapters.figures import FIGURES
from services.management.adapters.queries import Queries
from services.management.adapters.snapshots import read_snapshots
from services.management.adapters.tables import metadata
from services.management.adapters.unit_of_work import SqlUnitOfWork
from services.management.application.reopen_store import REOPEN, reopen_store
from services.management.entrypoints.consumer import HANDLERS
from services.management.entrypoints.servicer import ManagementServicer
from services.permissions import PERMISSIONS
from tabling.management.v1.management_service_pb2_grpc import add_ManagementServiceServicer_to_server

GATHER_SECONDS = 0.02
"""Nobody waits for an order to be written down, so the orders of a few moments share a transaction."""


def build(settings: Settings, bus: Bus, clock: Clock) -> Service[SqlUnitOfWork]:
    """The management service, ready to run."""
    frame = Frame(settings, clock, metadata, SqlUnitOfWork)
    servicer = ManagementServicer(frame.desk, frame.signals, Queries())

    def register(server: grpc.aio.Server) -> None:
        add_ManagementServiceServicer_to_server(servicer, server)

    parts = Parts(
        grpc_services=("tabling.management.v1.ManagementService",),
        permissions=PERMISSIONS,
        register=register,
        handlers=HANDLERS,
        gather_seconds=GATHER_SECONDS,
        timers={REOPEN: reopen_store},
        snapshots=read_snapshots,
        figures=FIGURES,
        saga=saga_after("orders"),
    )
    return Service(frame, bus, parts)
