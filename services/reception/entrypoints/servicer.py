"""ReceptionService: what customers do with a line."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, TypeVar

from services.chassis import fields as chassis_fields
from services.chassis import paging
from services.chassis.clock import Clock
from services.chassis.desk import Desk
from services.chassis.kernel import NotFound, invalid
from services.chassis.permissions import admission
from services.reception.application.cancel_reception import CancelReception, cancel_reception
from services.reception.application.ports import NOWHERE, Placed, Standing
from services.reception.application.postpone_reception import (
    PostponeReception,
    postpone_reception,
    preview_postponement,
)
from services.reception.entrypoints import fields
from services.reception.entrypoints.bulk import BulkEntry
from services.reception.entrypoints.convert import STATES_FROM_PB, to_pb, to_place, to_presence_code
from services.reception.entrypoints.joining import RECEPTION, Joining
from services.reception.entrypoints.passes import Passes
from services.reception.entrypoints.ports import Followed, Reads, UnitOfWork
from services.reception.entrypoints.presence import Presence
from tabling.reception.v1 import reception_pb2 as pb
from tabling.reception.v1 import reception_service_pb2 as rpc
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceServicer as Base

# a moving line must not make every watcher write at every step; who is far behind can wait a little longer
GATHER_SECONDS = 0.25
GATHER_SECONDS_PER_PARTY = 0.01
LONGEST_GATHER_SECONDS = 3.0

U = TypeVar("U", bound=Any)


class ReceptionServicer(Base):
    """Requests to commands and queries; results to messages."""

    def __init__(
        self,
        desk: Desk[U],
        reads: Reads,
        clock: Clock,
        passes: Passes,
        presence: Presence,
        joining: Joining[U],
        bulk: BulkEntry,
        *,
        heartbeat_seconds: float,
    ) -> None:
        self._desk = desk
        self._reads = reads
        self._clock = clock
        self._passes = passes
        self._presence = presence
        self._joining = joining
        self._bulk = bulk
        self._heartbeat_seconds = heartbeat_seconds

    async def CreateReception(self, request: rpc.CreateReceptionRequest, context: Any) -> pb.Reception:
        return await self._joining.one(request)

    async def CreateReceptions(
        self, requests: AsyncIterator[rpc.CreateReceptionsRequest], context: Any
    ) -> AsyncIterator[rpc.CreateReceptionsResponse]:
        async with aclosing(self._bulk.answers(requests, context)) as answers:
            async for answer in answers:
                yield answer

    async def GetReception(self, request: rpc.GetReceptionRequest, context: Any) -> pb.Reception:
        return to_pb(*await self._read(request.name))

    async def ListReceptions(self, request: rpc.ListReceptionsRequest, context: Any) -> rpc.ListReceptionsResponse:
        customer = chassis_fields.optional_name("customer", request.customer, "customers/*")
        store_id = await self._listed_store(request.parent)
        if store_id is None and customer is None:
            raise invalid("customer", "is required with the parent stores/-")
        if admission.get().only_own and not self._passes.holder("").acts_for(customer[0] if customer else ""):
            return rpc.ListReceptionsResponse()
        size = paging.page_size(request.page_size)
        found = await self._reads.page(
            store_id=store_id,
            customer_id=customer[0] if customer else None,
            states=[chassis_fields.choice("states", state, STATES_FROM_PB) for state in request.states],
            after=fields.position(request),
            limit=size + 1,
        )
        page = found[:size]
        more = fields.token(request, page[-1].reception) if len(found) > size else ""
        return rpc.ListReceptionsResponse(receptions=[to_pb(*placed) for placed in page], next_page_token=more)

    async def CancelReception(self, request: rpc.CancelReceptionRequest, context: Any) -> pb.Reception:
        store_id, reception_id = chassis_fields.name_parts(request.name, RECEPTION)
        cmd = CancelReception(store_id, reception_id, request.etag, self._passes.holder(request.name))
        needs = {"receptions": (reception_id,), "lines": (store_id,)}
        return await self._desk.mutate(request, pb.Reception, lambda uow: _canceled(cmd, uow), needs)

    async def PostponeReception(self, request: rpc.PostponeReceptionRequest, context: Any) -> pb.Reception:
        store_id, reception_id = chassis_fields.name_parts(request.name, RECEPTION)
        parties, by = fields.parties(request.parties), self._passes.holder(request.name)
        cmd = PostponeReception(store_id, reception_id, parties, request.etag, by)
        needs = {"receptions": (reception_id,), "lines": (store_id,)}
        work = _previewed if request.validate_only else _postponed
        return await self._desk.mutate(request, pb.Reception, lambda uow: work(cmd, uow), needs)

    async def GetPresenceCode(self, request: rpc.GetPresenceCodeRequest, context: Any) -> pb.PresenceCode:
        (store_id,) = chassis_fields.name_parts(request.name, "stores/*/presenceCode")
        await self._expect_store(store_id)
        return to_presence_code(request.name, self._presence.shown(store_id, self._clock.now()))

    async def GetPlace(self, request: rpc.GetPlaceRequest, context: Any) -> pb.Place:
        chassis_fields.name_parts(request.name, f"{RECEPTION}/place")
        return to_place(*await self._read(request.name.removesuffix("/place")))

    async def WatchReception(
        self, request: rpc.WatchReceptionRequest, context: Any
    ) -> AsyncIterator[rpc.WatchReceptionResponse]:
        store_id, reception_id = chassis_fields.name_parts(request.name, RECEPTION)
        with self._reads.follow(store_id, reception_id) as followed:
            told = None
            async for placed in self._present(request.name, followed):
                now = None if placed is None else to_pb(*placed)
                if now is None:
                    yield rpc.WatchReceptionResponse(heartbeat=True)
                elif now != told:
                    yield rpc.WatchReceptionResponse(reception=now)
                    told = now
                if placed is not None and not placed.reception.is_open:
                    return

    async def _present(self, name: str, followed: Followed) -> AsyncIterator[Placed | None]:
        """The reception at first and whenever it may have changed; None when it is time for a heartbeat."""
        placed = await followed.read()
        if placed is None:
            raise NotFound(f"{name} does not exist")
        placed.reception.expect_holder(self._passes.holder(name))
        yield placed
        while True:
            if not await followed.changed(self._heartbeat_seconds):
                yield None
                continue
            present = await followed.read() or placed
            if present.reception is placed.reception:
                await followed.changed_itself(_gather_seconds(present.standing))
                present = await followed.read() or placed
            placed = present
            yield placed

    async def _listed_store(self, parent: str) -> str | None:
        if parent == "stores/-":
            return None
        (store_id,) = chassis_fields.name_parts(parent, "stores/*", "parent")
        await self._expect_store(store_id)
        return store_id

    async def _expect_store(self, store_id: str) -> None:
        line = await self._reads.line(store_id)
        if line is None or not line.is_known:
            raise NotFound(f"stores/{store_id} does not exist")

    async def _read(self, name: str) -> Placed:
        store_id, reception_id = chassis_fields.name_parts(name, RECEPTION)
        placed = await self._reads.one(store_id, reception_id)
        if placed is None:
            raise NotFound(f"{name} does not exist")
        placed.reception.expect_holder(self._passes.holder(name))
        return placed


def _gather_seconds(standing: Standing) -> float:
    return min(GATHER_SECONDS + GATHER_SECONDS_PER_PARTY * standing.parties_ahead, LONGEST_GATHER_SECONDS)


def _canceled(cmd: CancelReception, uow: UnitOfWork) -> pb.Reception:
    return to_pb(cancel_reception(cmd, uow), NOWHERE)


def _postponed(cmd: PostponeReception, uow: UnitOfWork) -> pb.Reception:
    reception = postpone_reception(cmd, uow)
    return to_pb(reception, uow.standing(reception))


def _previewed(cmd: PostponeReception, uow: UnitOfWork) -> pb.Reception:
    return to_pb(*preview_postponement(cmd, uow))
