"""The composition root of reception."""

from collections.abc import Collection
from datetime import timedelta
from functools import partial

import grpc

from services.chassis.bus import Bus
from services.chassis.callers import as_service
from services.chassis.calls import saga_after
from services.chassis.clock import Clock
from services.chassis.grpc_errors import Refusals
from services.chassis.housekeeping import delete_ended
from services.chassis.kernel import Allowance, Limit
from services.chassis.limits import Limits
from services.chassis.service import Frame, Parts, Service
from services.chassis.settings import Settings
from services.permissions import PERMISSIONS
from services.reception.adapters.figures import figures
from services.reception.adapters.following import Following
from services.reception.adapters.line_view import LineView
from services.reception.adapters.live import Live
from services.reception.adapters.queries import snapshots
from services.reception.adapters.refresh import Refresh
from services.reception.adapters.sealing import seal_anew
from services.reception.adapters.seats import CheckSeats
from services.reception.adapters.tables import addresses, metadata
from services.reception.adapters.unit_of_work import ReceptionUnitOfWork
from services.reception.adapters.vault import Vault
from services.reception.application.change_store import DAY_END, SEND_HOME
from services.reception.application.clear_line import end_day, send_home
from services.reception.application.close_books import close_books
from services.reception.application.forget import forget, forget_customers
from services.reception.domain.allowed import Allowed
from services.reception.domain.business_day import ONE_DAY
from services.reception.entrypoints.bulk import BulkEntry
from services.reception.entrypoints.consumer import HANDLERS
from services.reception.entrypoints.contacts import ContactServicer
from services.reception.entrypoints.joining import Joining
from services.reception.entrypoints.passes import Passes
from services.reception.entrypoints.presence import Presence
from services.reception.entrypoints.servicer import ReceptionServicer
from tabling.reception.v1 import contact_service_pb2, reception_service_pb2
from tabling.reception.v1.contact_service_pb2_grpc import add_ContactServiceServicer_to_server
from tabling.reception.v1.reception_service_pb2_grpc import add_ReceptionServiceServicer_to_server

PHONE_COUNTRIES = ("KR",)
SERVED = tuple(
    module.DESCRIPTOR.services_by_name[name].full_name
    for module, name in ((reception_service_pb2, "ReceptionService"), (contact_service_pb2, "ContactService"))
)
FORGET_ADDRESSES = partial(delete_ended, addresses.c.back_at)
LOOK_SECONDS = 5.0
"""How often followed lines are looked at in case another process changed them and could not tell."""


def build(
    settings: Settings, bus: Bus, clock: Clock, *, phone_countries: Collection[str] = PHONE_COUNTRIES
) -> Service[ReceptionUnitOfWork]:
    """Reception, ready to run. `phone_countries`: ISO 3166 codes of the countries whose numbers are taken."""
    view = LineView()
    open_unit = partial(ReceptionUnitOfWork, view=view, at_end=close_books)
    frame = Frame(settings, clock, metadata, open_unit)
    refresh = Refresh(frame.desk, view)
    following = Following(frame.desk, frame.signals, view, refresh, LOOK_SECONDS if frame.database.shared else None)
    vault = Vault(settings.phone_keys)
    live = Live(frame.desk, view, refresh, following, vault)

    def committed(uow: ReceptionUnitOfWork) -> None:
        view.committed(uow.lines.found, uow.places, uow.lines.saved)
        following.committed(uow)

    frame.on_commit.append(committed)
    seats = CheckSeats(settings.upstreams["seat"], as_service(settings.keys, "reception"), frame.telemetry)
    contact_kept = timedelta(days=settings.contact_days)
    passes = Passes(settings.pass_keys, lambda: clock.now() - contact_kept)
    receptions = _receptions(frame, live, passes, vault, seats, phone_countries)

    def register(server: grpc.aio.Server) -> None:
        add_ReceptionServiceServicer_to_server(receptions, server)
        add_ContactServiceServicer_to_server(ContactServicer(live), server)

    parts = Parts(
        grpc_services=SERVED,
        permissions=PERMISSIONS,
        register=register,
        handlers=HANDLERS,
        timers={SEND_HOME: send_home, DAY_END: end_day},
        snapshots=partial(snapshots, view),
        figures=figures(contact_kept),
        chores=(partial(forget, contact_kept), partial(seal_anew, vault), forget_customers, FORGET_ADDRESSES),
        saga=saga_after("receptions"),
        loops=(seats.serve, following.serve),
        heard=following.heard,
    )
    return Service(frame, bus, parts)


def _receptions(
    frame: Frame[ReceptionUnitOfWork],
    live: Live,
    passes: Passes,
    vault: Vault,
    seats: CheckSeats,
    phone_countries: Collection[str],
) -> ReceptionServicer:
    """What customers and backends call."""
    settings, desk, clock = frame.settings, frame.desk, frame.clock
    presence, allowed = Presence(settings.pass_keys), _allowed(settings.limits)
    joining = Joining(desk, live, clock, passes, presence, vault, seats, phone_countries, allowed)
    bulk = BulkEntry(joining, Refusals(f"{settings.service}.tabling", frame.telemetry.metrics))
    return ReceptionServicer(
        desk, live, clock, passes, presence, joining, bulk, heartbeat_seconds=settings.heartbeat_seconds
    )


def _allowed(limits: Limits) -> Allowed:
    """The limits in the words of the domain."""
    soon = Limit(limits.most_joins_in_ten_minutes, timedelta(minutes=10))
    of_line = Allowance(limits.most_joins_of_line_a_minute, timedelta(minutes=1))
    of_address = Allowance(limits.most_joins_of_address_in_ten_minutes, timedelta(minutes=10))
    return Allowed((soon, Limit(limits.most_joins_a_day, ONE_DAY)), of_line, of_address)
