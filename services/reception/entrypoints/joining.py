"""Joining: from requests to receptions, for one party or for many at once."""

import asyncio
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from services.chassis import fields as chassis_fields
from services.chassis.clock import Clock
from services.chassis.desk import Desk, Mutation, tried
from services.chassis.interceptor import deadline
from services.chassis.kernel import new_id
from services.reception.application.create_reception import CreateReception, create_reception, seats_worth_asking
from services.reception.application.ports import Question, Seats
from services.reception.domain.allowed import Allowed
from services.reception.domain.line import Line
from services.reception.domain.reception import State
from services.reception.entrypoints import fields
from services.reception.entrypoints.convert import to_pb
from services.reception.entrypoints.passes import Passes
from services.reception.entrypoints.ports import Reads, UnitOfWork, Vault
from services.reception.entrypoints.presence import Presence
from tabling.reception.v1 import reception_pb2 as pb
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest

RECEPTION = "stores/*/receptions/*"
# what is left of a caller's deadline for the answer's way back
RESERVE_SECONDS = 0.1

U = TypeVar("U", bound=Any)


@dataclass(slots=True)
class Join:
    """A request that was understood; `wait` is how many seconds it may take until a promised table is held."""

    request: CreateReceptionRequest
    command: CreateReception
    wait: float


class Joining(Generic[U]):
    """Asks seat, runs the use case, and waits for promised tables where wanted."""

    def __init__(
        self,
        desk: Desk[U],
        reads: Reads,
        clock: Clock,
        passes: Passes,
        presence: Presence,
        vault: Vault,
        seats: Seats,
        countries: Collection[str],
        allowed: Allowed,
    ) -> None:
        self._desk = desk
        self._reads = reads
        self._clock = clock
        self._passes = passes
        self._presence = presence
        self._vault = vault
        self._seats = seats
        self._countries = frozenset(countries)
        self._allowed = allowed

    async def one(self, request: CreateReceptionRequest) -> pb.Reception:
        """The reception. Raises what `many` gives."""
        (outcome,) = await self.many((request,))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    async def many(self, requests: Iterable[CreateReceptionRequest]) -> list[pb.Reception | BaseException]:
        """What comes of each, in their order, which is also that in the line; a refusal touches no other."""
        begun = [tried(self._join, request) for request in requests]
        joins = [each for each in begun if isinstance(each, Join)]
        await self._ask_seats(joins)
        ended = iter(await self._settled(joins, await self._desk.mutate_all(pb.Reception, map(_mutation, joins))))
        return [next(ended) if isinstance(each, Join) else each for each in begun]

    def _join(self, request: CreateReceptionRequest) -> Join:
        wait = fields.wait_seconds(request)
        by, code = self._passes.holder(""), fields.presence_code(request)
        cmd = fields.to_create(request, new_id(), self._countries, self._vault, by, self._allowed)
        if code and self._presence.knows(code, cmd.store_id, self._clock.now()):
            cmd = replace(cmd, is_present=True)
        return Join(request, cmd, wait)

    async def _ask_seats(self, joins: Sequence[Join]) -> None:
        """Learn for which of them a table is free."""
        lines = {id_: await self._reads.line(id_) for id_ in {join.command.store_id for join in joins}}
        worth = [join for join in joins if self._is_worth_asking(join.command, lines[join.command.store_id])]
        if not worth:
            return
        questions = [Question(join.command.store_id, join.command.party_size, join.command.section) for join in worth]
        for join, fits in zip(worth, await self._seats.fit(questions), strict=True):
            if fits:
                join.command = replace(join.command, seats_fit=True)

    def _is_worth_asking(self, cmd: CreateReception, line: Line | None) -> bool:
        return seats_worth_asking(line, self._reads.order(cmd.store_id), cmd.party_size, cmd.section)

    async def _settled(
        self, joins: Sequence[Join], answers: list[pb.Reception | BaseException]
    ) -> list[pb.Reception | BaseException]:
        """The answers, those that can wait for it after their table is held or refused."""
        late = {
            index: self._after_promise(answer, join.wait)
            for index, (join, answer) in enumerate(zip(joins, answers, strict=True))
            if join.wait and isinstance(answer, pb.Reception) and answer.state == pb.Reception.REQUESTED
        }
        for index, outcome in zip(late, await asyncio.gather(*late.values(), return_exceptions=True), strict=True):
            answers[index] = outcome
        for answer in answers:
            if isinstance(answer, pb.Reception):
                # kept nowhere: not with the answer to a request id either
                answer.reception_pass = self._passes.of(answer.name)
        return answers

    async def _after_promise(self, answer: pb.Reception, seconds: float) -> pb.Reception:
        store_id, reception_id = chassis_fields.name_parts(answer.name, RECEPTION)
        ends = time.monotonic() + seconds
        if (limit := deadline.get()) is not None:
            ends = min(ends, limit - RESERVE_SECONDS)
        with self._reads.follow(store_id, reception_id) as followed:
            while True:
                placed = await followed.read()
                left = ends - time.monotonic()
                if placed is None or placed.reception.state is not State.REQUESTED or left <= 0:
                    break
                await followed.changed_itself(left)
        return answer if placed is None else to_pb(*placed)


def _mutation(join: Join) -> Mutation[Any, pb.Reception]:
    command = join.command
    needs: dict[str, tuple[str, ...]] = {"lines": (command.store_id,)}
    if command.customer_keys:
        needs["customers"] = command.customer_keys
    if command.address_key:
        needs["addresses"] = (command.address_key,)
    return Mutation(join.request, partial(_created, command), needs)


def _created(command: CreateReception, uow: UnitOfWork) -> pb.Reception:
    reception = create_reception(command, uow)
    return to_pb(reception, uow.standing(reception))
