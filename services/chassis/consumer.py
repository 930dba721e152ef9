"""The consumer: applies envelopes behind the inbox, retries, and puts poison aside."""

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from sqlalchemy import insert

from services.chassis.crash import crash_point
from services.chassis.group_commit import GroupCommit
from services.chassis.kernel import StorageBusy, StorageFull
from services.chassis.logs import get_logger
from services.chassis.unit_of_work import Needs, UnitOfWork
from tabling.messaging.v1.envelope_pb2 import Envelope, Event

U = TypeVar("U", bound=UnitOfWork)

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Handler(Generic[U]):
    """What to do with one type of event.

    `apply(message, uow)` runs in the transaction of the inbox; `needs(message)` tells what it will load.
    Applying the same message again, or an older one after a newer one, must change nothing.
    """

    message: type[Message]
    apply: Callable[[Any, U], None]
    needs: Callable[[Any], Needs] = lambda _: {}


class Consumer(Generic[U]):
    """Receives envelopes for one service. Each is one piece of the service's group commit."""

    def __init__(
        self,
        name: str,
        handlers: Mapping[str, Handler[U]],
        lane: GroupCommit[U],
        *,
        attempts: int = 5,
        first_delay_seconds: float = 0.05,
        longest_delay_seconds: float = 10.0,
    ) -> None:
        self.name = name
        self._handlers = handlers
        self._lane = lane
        self._attempts = attempts
        self._first_delay_seconds = first_delay_seconds
        self._longest_delay_seconds = longest_delay_seconds

    @property
    def types(self) -> frozenset[str]:
        """Routing keys of the events it wants."""
        return frozenset(self._handlers)

    async def receive(self, body: Envelope) -> None:
        """Apply an envelope's events in one transaction, once. Returns after the commit.

        An unusable database is waited for without end. An event that keeps failing is split out and put
        among the dead letters, alone.
        """
        wanted = [event for event in body.events if event.type in self._handlers]
        error = await self._try(body.id, wanted)
        if error is None:
            return
        for event in wanted if len(wanted) > 1 else ():
            if (failure := await self._try(event.id, [event])) is not None:
                await self._bury(event, failure)
        if len(wanted) == 1:
            await self._bury(wanted[0], error)

    async def _try(self, inbox_id: str, events: list[Event]) -> Exception | None:
        """None once applied, or the error of the last attempt."""
        for attempt in range(1, self._attempts + 1):
            try:
                await self._persist(lambda: self._apply(inbox_id, events))
                return None
            except Exception as error:
                sagas = sorted({event.correlation_id for event in events})
                log.error("events not applied", consumer=self.name, attempt=attempt, sagas=sagas[:5], exc_info=error)
                if attempt == self._attempts:
                    return error
            await self._pause(attempt)
        return None

    async def _persist(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do it, waiting as long as it takes for a database that is busy or full."""
        for attempt in itertools.count(1):
            try:
                await work()
                return
            except (StorageBusy, StorageFull) as error:
                log.warning("consumer waits for its database", consumer=self.name, error=error.reason)
            await self._pause(attempt)

    async def _pause(self, attempt: int) -> None:
        longest = min(self._first_delay_seconds * 2 ** min(attempt, 20), self._longest_delay_seconds)
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    async def _apply(self, inbox_id: str, events: list[Event]) -> None:
        parsed = [(handler := self._handlers[event.type], handler.message.FromString(event.data)) for event in events]

        def work(uow: U) -> None:
            if not uow.inbox.take(inbox_id):
                return
            for handler, message in parsed:
                handler.apply(message, uow)

        needs = _merge([handler.needs(message) for handler, message in parsed], inbox_id)
        await self._lane.run(work, needs, weight=len(events), bounded=False)
        crash_point("consumer.after_commit")

    async def _bury(self, event: Event, error: Exception) -> None:
        log.error("dead letter", consumer=self.name, event_id=event.id, type=event.type, subject=event.subject)

        def work(uow: U) -> None:
            # with its id in the inbox the event counts as dealt with, however often its envelope comes
            if uow.inbox.take(event.id):
                row: dict[str, Any] = {"id": event.id, "type": event.type, "subject": event.subject}
                row |= {"source": event.type.split(".")[0], "event": event.SerializeToString()}
                row |= {"reason": type(error).__name__, "attempts": self._attempts, "created_at": uow.now}
                uow.connection.execute(insert(uow.table("dead_letters")), row)

        await self._persist(lambda: self._lane.run(work, {"inbox": [event.id]}, bounded=False))


def _merge(needs: list[Needs], inbox_id: str) -> Needs:
    merged: dict[str, list[str]] = {"inbox": [inbox_id]}
    for need in needs:
        for name, keys in need.items():
            merged.setdefault(name, []).extend(keys)
    return merged
