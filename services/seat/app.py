"""The composition root: what the seat service is made of."""

import grpc

from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.service import Frame, Parts, Service
from services.chassis.settings import Settings
from services.permissions import PERMISSIONS
from services.seat.adapters import queries
from services.seat.adapters.figures import FIGURES
from services.seat.adapters.snapshots import snapshots
from services.seat.adapters.tables import metadata
from services.seat.adapters.unit_of_work import SeatUnit
from services.seat.entrypoints.consumer import handlers, timers
from services.seat.entrypoints.servicer import SeatServicer
from tabling.seat.v1.seat_service_pb2 import DESCRIPTOR
from tabling.seat.v1.seat_service_pb2_grpc import add_SeatServiceServicer_to_server


def build(settings: Settings, bus: Bus, clock: Clock) -> Service[SeatUnit]:
    """The service, with its database brought up to date; `run` starts it."""
    frame = Frame(settings, clock, metadata, SeatUnit)

    def register(server: grpc.aio.Server) -> None:
        add_SeatServiceServicer_to_server(SeatServicer(frame.desk, queries), server)

    parts = Parts(
        grpc_services=(DESCRIPTOR.services_by_name["SeatService"].full_name,),
        permissions=PERMISSIONS,
        register=register,
        handlers=handlers(),
        timers=timers(),
        snapshots=snapshots,
        figures=FIGURES,
    )
    return Service(frame, bus, parts)
