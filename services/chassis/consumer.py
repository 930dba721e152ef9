"""The consumer: applies envelopes behind the inbox, retries, and puts poison aside."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message
from sqlalchemy import insert

from services.chassis.crash import crash_point
from services.chassis.group_commit import GroupCommit
from services.chassis.intake import Intake
from services.chassis.kernel import StorageBusy, StorageFull
from services.chassis.logs import get_logger, tell, telling
from services.chassis.telemetry import Telemetry
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


PutAside = Callable[[str, Event, Exception], Awaitable[bool]]
"""`put_aside(consumer, event, error)`: True once somebody else keeps an event that cannot be applied."""


async def nowhere(consumer: str, event: Event, error: Exception) -> bool:
    """Nobody else keeps it: it goes to the table of dead letters."""
    return False


class Consumer(Generic[U]):
    """Receives envelopes for one service. Each is one piece of the service's group commit.

    One may wait `gather_seconds` for others, whose transaction it then shares.
    """

    def __init__(
        self,
        name: str,
        handlers: Mapping[str, Handler[U]],
        lane: GroupCommit[U],
        put_aside: PutAside = nowhere,
        *,
        attempts: int = 5,
        first_delay_seconds: float = 0.05,
        longest_delay_seconds: float = 10.0,
        patience_seconds: float = 300.0,
        gather_seconds: float = 0.0,
        telemetry: Telemetry | None = None,
    ) -> None:
        self.name = name
        self._telemetry = telemetry or Telemetry()
        self._handlers = handlers
        self._lane = lane
        self._put_aside = put_aside
        self._attempts = attempts
        self._first_delay_seconds = first_delay_seconds
        self._longest_delay_seconds = longest_delay_seconds
        self._patience_seconds = patience_seconds
        self._gather_seconds = gather_seconds

    @property
    def types(self) -> frozenset[str]:
        """Routing keys of the events it wants."""
        return frozenset(self._handlers)

    async def receive(self, body: Envelope) -> None:
        """Apply an envelope's events in one transaction, once. Returns after the commit.

        An event that keeps failing is split out and put aside, alone. Raises `StorageBusy` or `StorageFull` when the
        database could not be used for a long time: a bus gives up on whoever keeps an envelope for ever, and brings
        it again.
        """
        tell(service=self.name)
        wanted = [event for event in body.events if event.type in self._handlers]
        if wanted and (error := await self._try(body.id, wanted)) is not None:
            await self._split(body.id, wanted, error)

    async def _try(self, inbox_id: str, events: list[Event]) -> Exception | None:
        """None once applied, or the error of the last attempt."""
        for attempt in range(1, self._attempts + 1):
            try:
                await self._persist(lambda: self._apply(inbox_id, events))
                return None
            except (StorageBusy, StorageFull):
                raise
            except Exception as error:
                log.error("events not applied", attempt=attempt, exc_info=error, **_sagas(events))
                if attempt == self._attempts:
                    return error
            await self._pause(attempt)
        return None

    async def _split(self, envelope_id: str, events: list[Event], error: Exception) -> None:
        """Apply the events one by one, put aside those that fail, and be done with their envelope."""
        for event in events:
            failure = error if len(events) == 1 else await self._try(event.id, [event])
            if failure is not None:
                await self._give_up(event, failure)
        # an event that was put aside comes again under its own id, alone: that one must not count as dealt with
        if envelope_id not in {event.id for event in events}:
            await self._persist(lambda: self._lane.run(lambda uow: _take(uow, envelope_id), bounded=False))

    async def _persist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it, waiting for a database that is busy or full, though not for ever."""
        limit = time.monotonic() + self._patience_seconds
        attempt = 0
        while True:
            try:
                await work()
                return
            except (StorageBusy, StorageFull) as error:
                log.warning("consumer waits for its database", error=error.reason)
                if time.monotonic() > limit:
                    raise
            attempt += 1
            await self._pause(attempt)

    async def _pause(self, attempt: int) -> None:
        longest = min(self._first_delay_seconds * 2 ** min(attempt, 20), self._longest_delay_seconds)
        await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    async def _apply(self, inbox_id: str, events: list[Event]) -> None:
        with Intake(self._telemetry, events) as intake:
            parsed = [(handler := self._handlers[e.type], handler.message.FromString(e.data)) for e in events]

            def work(uow: U) -> None:
                intake.fresh = uow.inbox.take(inbox_id)
                if not intake.fresh:
                    return
                for (handler, message), uow.outbox.cause in zip(parsed, intake.causes, strict=False):
                    handler.apply(message, uow)
                crash_point("consumer.before_commit")

            needs = _merge([handler.needs(message) for handler, message in parsed], inbox_id)
            await self._lane.run(work, needs, weight=len(events), bounded=False, patience=self._gather_seconds)
        crash_point("consumer.after_commit")

    async def _give_up(self, event: Event, error: Exception) -> None:
        self._telemetry.metrics.put_aside.add(type(error).__name__)
        with telling(correlation_id=event.correlation_id):
            if not await self._put_aside(self.name, event, error):
                log.error("dead letter", event_id=event.id, type=event.type, subject=event.subject)
                await self._bury(event, error)

    async def _bury(self, event: Event, error: Exception) -> None:
        def work(uow: U) -> None:
            # with its id in the inbox the event counts as dealt with, however often its envelope comes
            if uow.inbox.take(event.id):
                row: dict[str, Any] = {"id": event.id, "type": event.type, "subject": event.subject}
                row |= {"source": event.type.split(".")[0], "event": event.SerializeToString()}
                row |= {"reason": type(error).__name__, "attempts": self._attempts, "created_at": uow.now}
                uow.connection.execute(insert(uow.table("dead_letters")), row)

        await self._persist(lambda: self._lane.run(work, {"inbox": [event.id]}, bounded=False))


def _sagas(events: list[Event]) -> dict[str, Any]:
    """What the log says of which receptions these events are about."""
    ids = sorted({event.correlation_id for event in events})
    return {"correlation_id": ids[0]} if len(ids) == 1 else {"correlation_ids": ids}


def _take(uow: UnitOfWork, inbox_id: str) -> None:
    uow.inbox.take(inbox_id)


def _merge(needs: list[Needs], inbox_id: str) -> Needs:
    merged: dict[str, list[str]] = {"inbox": [inbox_id]}
    for need in needs:
        for name, keys in need.items():
            merged.setdefault(name, []).extend(keys)
    return merged
