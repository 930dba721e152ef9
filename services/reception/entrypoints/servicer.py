"""ReceptionService: what customers do with a line."""

import time
from collections.abc import AsyncIterator, Collection
from dataclasses import replace
from typing import Any, TypeVar

from services.chassis import fields as chassis_fields
from services.chassis import paging
from services.chassis.desk import Desk
from services.chassis.interceptor import deadline
from services.chassis.kernel import NotFound, invalid, new_id
from services.reception.application.cancel_reception import CancelReception, cancel_reception
from services.reception.application.create_reception import CreateReception, create_reception, seats_worth_asking
from services.reception.application.ports import NOWHERE, Seats
from services.reception.application.postpone_reception import (
    PostponeReception,
    postpone_reception,
    preview_postponement,
)
from services.reception.domain.reception import Reception, State
from services.reception.entrypoints import fields
from services.reception.entrypoints.convert import STATES_FROM_PB, to_pb, to_place
from services.reception.entrypoints.ports import Followed, Reads, UnitOfWork
from tabling.reception.v1 import reception_pb2 as pb
from tabling.reception.v1 import reception_service_pb2 as rpc
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceServicer as Base

RECEPTION = "stores/*/receptions/*"
# a moving line must not make every watcher write at every step; who is far behind can wait a little longer
GATHER_SECONDS = 0.25
GATHER_SECONDS_PER_PARTY = 0.01
LONGEST_GATHER_SECONDS = 3.0
# what is left of a caller's deadline for the answer's way back
RESERVE_SECONDS = 0.1

U = TypeVar("U", bound=Any)


class ReceptionServicer(Base):
    """Requests to commands and queries; results to messages."""

    def __init__(
        self, desk: Desk[U], reads: Reads, seats: Seats, *, countries: Collection[str], heartbeat_seconds: float
    ) -> None:
        self._desk = desk
        self._reads = reads
        self._seats = seats
        self._countries = frozenset(countries)
        self._heartbeat_seconds = heartbeat_seconds

    async def CreateReception(self, request: rpc.CreateReceptionRequest, context: Any) -> pb.Reception:
        wait = fields.wait_seconds(request)
        cmd = fields.to_create(request, new_id(), self._countries)
        if seats_worth_asking(self._reads.line(cmd.store_id), cmd.party_size):
            cmd = replace(cmd, seats_fit=await self._seats.fit(cmd.store_id, cmd.party_size, cmd.section))
        needs = {"lines": (cmd.store_id,)}
        if cmd.contact.customer_key:
            needs["customers"] = (cmd.contact.customer_key,)
        answer = await self._desk.mutate(request, pb.Reception, lambda uow: _created(cmd, uow), needs)
        if wait and answer.state == pb.Reception.REQUESTED:
            return await self._settled(answer, wait)
        return answer

    async def GetReception(self, request: rpc.GetReceptionRequest, context: Any) -> pb.Reception:
        return self._to_pb(await self._read(request.name))

    async def ListReceptions(self, request: rpc.ListReceptionsRequest, context: Any) -> rpc.ListReceptionsResponse:
        customer = chassis_fields.optional_name("customer", request.customer, "customers/*")
        store_id = self._listed_store(request.parent)
        if store_id is None and customer is None:
            raise invalid("customer", "is required with the parent stores/-")
        size = paging.page_size(request.page_size)
        found = await self._reads.page(
            store_id=store_id,
            customer_id=customer[0] if customer else None,
            states=[chassis_fields.choice("states", state, STATES_FROM_PB) for state in request.states],
            after=fields.position(request),
            limit=size + 1,
        )
        page = found[:size]
        more = fields.token(request, page[-1]) if len(found) > size else ""
        return rpc.ListReceptionsResponse(receptions=[self._to_pb(r) for r in page], next_page_token=more)

    async def CancelReception(self, request: rpc.CancelReceptionRequest, context: Any) -> pb.Reception:
        store_id, reception_id = chassis_fields.name_parts(request.name, RECEPTION)
        cmd = CancelReception(store_id, reception_id, request.etag)
        needs = {"receptions": (reception_id,), "lines": (store_id,)}
        return await self._desk.mutate(request, pb.Reception, lambda uow: _canceled(cmd, uow), needs)

    async def PostponeReception(self, request: rpc.PostponeReceptionRequest, context: Any) -> pb.Reception:
        store_id, reception_id = chassis_fields.name_parts(request.name, RECEPTION)
        cmd = PostponeReception(store_id, reception_id, fields.parties(request.parties), request.etag)
        needs = {"receptions": (reception_id,), "lines": (store_id,)}
        work = _previewed if request.validate_only else _postponed
        return await self._desk.mutate(request, pb.Reception, lambda uow: work(cmd, uow), needs)

    async def GetPlace(self, request: rpc.GetPlaceRequest, context: Any) -> pb.Place:
        chassis_fields.name_parts(request.name, f"{RECEPTION}/place")
        reception = await self._read(request.name.removesuffix("/place"))
        return to_place(reception, self._reads.standing(reception))

    async def WatchReception(
        self, request: rpc.WatchReceptionRequest, context: Any
    ) -> AsyncIterator[rpc.WatchReceptionResponse]:
        store_id, reception_id = chassis_fields.name_parts(request.name, RECEPTION)
        with self._reads.follow(store_id, reception_id) as followed:
            told = None
            async for reception in self._present(request.name, followed):
                now = None if reception is None else self._to_pb(reception)
                if now is None:
                    yield rpc.WatchReceptionResponse(heartbeat=True)
                elif now != told:
                    yield rpc.WatchReceptionResponse(reception=now)
                    told = now
                if reception is not None and not reception.is_open:
                    return

    async def _present(self, name: str, followed: Followed) -> AsyncIterator[Reception | None]:
        """The reception at first and whenever it may have changed; None when it is time for a heartbeat."""
        reception = await followed.read()
        if reception is None:
            raise NotFound(f"{name} does not exist")
        yield reception
        while True:
            if not await followed.changed(self._heartbeat_seconds):
                yield None
                continue
            if (present := await followed.read()) is reception:
                await followed.changed_itself(self._gather_seconds(reception))
                present = await followed.read()
            reception = present or reception
            yield reception

    def _gather_seconds(self, reception: Reception) -> float:
        ahead = self._reads.standing(reception).parties_ahead
        return min(GATHER_SECONDS + GATHER_SECONDS_PER_PARTY * ahead, LONGEST_GATHER_SECONDS)

    async def _settled(self, answer: pb.Reception, seconds: float) -> pb.Reception:
        store_id, reception_id = chassis_fields.name_parts(answer.name, RECEPTION)
        ends = time.monotonic() + seconds
        if (limit := deadline.get()) is not None:
            ends = min(ends, limit - RESERVE_SECONDS)
        with self._reads.follow(store_id, reception_id) as followed:
            while True:
                reception = await followed.read()
                left = ends - time.monotonic()
                if reception is None or reception.state is not State.REQUESTED or left <= 0:
                    break
                await followed.changed_itself(left)
        return answer if reception is None else self._to_pb(reception)

    def _listed_store(self, parent: str) -> str | None:
        if parent == "stores/-":
            return None
        (store_id,) = chassis_fields.name_parts(parent, "stores/*", "parent")
        line = self._reads.line(store_id)
        if line is None or not line.is_known:
            raise NotFound(f"{parent} does not exist")
        return store_id

    async def _read(self, name: str) -> Reception:
        store_id, reception_id = chassis_fields.name_parts(name, RECEPTION)
        reception = await self._reads.one(store_id, reception_id)
        if reception is None:
            raise NotFound(f"{name} does not exist")
        return reception

    def _to_pb(self, reception: Reception) -> pb.Reception:
        return to_pb(reception, self._reads.standing(reception))


def _created(cmd: CreateReception, uow: UnitOfWork) -> pb.Reception:
    reception = create_reception(cmd, uow)
    return to_pb(reception, uow.standing(reception))


def _canceled(cmd: CancelReception, uow: UnitOfWork) -> pb.Reception:
    return to_pb(cancel_reception(cmd, uow), NOWHERE)


def _postponed(cmd: PostponeReception, uow: UnitOfWork) -> pb.Reception:
    reception = postpone_reception(cmd, uow)
    return to_pb(reception, uow.standing(reception))


def _previewed(cmd: PostponeReception, uow: UnitOfWork) -> pb.Reception:
    return to_pb(*preview_postponement(cmd, uow))
