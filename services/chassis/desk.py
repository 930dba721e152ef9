"""The desk: how a servicer hands a request to its database and gets the answer."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Connection

from services.chassis.database import Database
from services.chassis.group_commit import GroupCommit
from services.chassis.idempotency import fingerprints, request_key
from services.chassis.interceptor import deadline
from services.chassis.permissions import admission
from services.chassis.unit_of_work import Needs, UnitOfWork

U = TypeVar("U", bound=UnitOfWork)
M = TypeVar("M", bound=Message)
T = TypeVar("T")


class Mutation(NamedTuple, Generic[U, M]):
    """A request that changes something: what to run for it, and what that loads by key."""

    request: Any
    work: Callable[[U], M]
    needs: Needs | None = None


def tried(function: Callable[..., T], *arguments: Any) -> T | Exception:
    """What `function` gives or, where several are treated side by side, what it raises."""
    try:
        return function(*arguments)
    except Exception as error:
        return error


class Desk(Generic[U]):
    """Opens the unit of work for one request: reads on their own, mutations through the group commit.

    `keys` are the installation's, the newest first.
    """

    def __init__(self, database: Database, lane: GroupCommit[U], keys: Sequence[str]) -> None:
        self._database = database
        self._lane = lane
        self._keys = keys

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Run a query in a read-only transaction."""
        return await self._database.read(query)

    async def look(self, query: Callable[[Connection], T]) -> T:
        """Run a query of one statement, or of several that need not fit together."""
        return await self._database.look_in_turn(query)

    async def scan(self, query: Callable[[Connection], T]) -> T:
        """Run a query that looks at many rows, in a read-only transaction."""
        return await self._database.scan(query)

    async def mutate(self, request: Any, answer: type[M], work: Callable[[U], M], needs: Needs | None = None) -> M:
        """Run `work` once per `request.request_id` and return its answer after the commit.

        A repeated id brings the first answer; with other content it raises `RequestIdReused`. Without an id
        the work simply runs.
        """
        return await self._submit(answer, Mutation(request, work, needs))

    async def mutate_all(self, answer: type[M], mutations: Iterable["Mutation[U, M]"]) -> list[M | BaseException]:
        """Like `mutate` for each of them, in their order; what one of them raises stands in the place of its answer."""
        begun = [tried(self._submit, answer, mutation) for mutation in mutations]
        ended = iter(await asyncio.gather(*filter(asyncio.isfuture, begun), return_exceptions=True))
        return [next(ended) if isinstance(each, asyncio.Future) else each for each in begun]

    def _submit(self, answer: type[M], mutation: "Mutation[U, M]") -> asyncio.Future[M]:
        request, use_case, needs = mutation
        by = admission.get()

        def work(uow: U) -> M:
            result = use_case(uow)
            if uow.trail:
                uow.trail.note(by, request, result)
            return result

        if not request.request_id:
            return self._lane.run(work, needs, deadline=deadline.get())
        key = request_key(request.request_id)
        marks = fingerprints(self._keys, request.DESCRIPTOR.full_name, by.asked_by, request)

        def once(uow: U) -> M:
            first = uow.requests.answer(key, marks)
            if first is not None:
                return answer.FromString(first)
            result = work(uow)
            uow.requests.remember(key, marks[0], result.SerializeToString())
            return result

        return self._lane.run(once, {**(needs or {}), "requests": (key,)}, deadline=deadline.get())
