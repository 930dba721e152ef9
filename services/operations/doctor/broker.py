"""RabbitMQ: reachable, new enough, taking messages, and with everything on it that the services need."""

from collections.abc import AsyncIterator, Iterator

from aio_pika.abc import AbstractConnection

from services.chassis.bus.topology import Queue, Topology, dead, spare
from services.operations.broker import (
    BrokerUnusable,
    Presence,
    QueueSeen,
    connected,
    see_exchange,
    see_queue,
    takes_messages,
    version,
)
from services.operations.catalogue import present, topology
from services.operations.doctor.finding import Finding, Severity
from services.operations.doctor.management import management
from services.operations.printing import counted, masked
from services.operations.surroundings import Surroundings

OLDEST = (3, 10)
MANY = 10_000


async def broker(around: Surroundings) -> AsyncIterator[Finding]:
    """Every broker that a service is told of."""
    for url in sorted({settings.bus for settings in around.right_settings(present()) if settings.bus != "memory"}):
        try:
            async for finding in _look(url, around):
                yield finding
        except BrokerUnusable as error:
            fix = "start it, or mend TABLING_BUS (`scripts/ops settings`)"
            yield Finding(Severity.WRONG, masked(url), str(error).removeprefix(f"RabbitMQ at {masked(url)} "), fix)


async def _look(url: str, around: Surroundings) -> AsyncIterator[Finding]:
    where = masked(url)
    async with connected(url) as connection:
        found = version(connection)
        if tuple(int(part) for part in found.split(".")[:2]) < OLDEST:
            yield Finding(Severity.WRONG, where, f"RabbitMQ {found} is too old", "3.10 or newer is needed")
        async for finding in _declared(where, connection, topology()):
            yield finding
    if not await takes_messages(url):
        what = "it takes no messages: it is short of memory or disk"
        fix = "`rabbitmq-diagnostics alarms` tells which; make room. What is committed meanwhile stays in the outboxes"
        yield Finding(Severity.WRONG, where, what, fix)
    async for finding in management(url, topology(), around.variables.get("TABLING_BUS_MANAGEMENT", "")):
        yield finding


async def _declared(where: str, connection: AbstractConnection, wanted: Topology) -> AsyncIterator[Finding]:
    for exchange in wanted.exchanges():
        for finding in _presence(where, f"exchange {exchange.name}", await see_exchange(connection, exchange)):
            yield finding
    for queue in wanted.queues():
        seen = await see_queue(connection, queue)
        for finding in (*_presence(where, f"queue {queue.name}", seen.presence), *_held(where, queue, seen, wanted)):
            yield finding


def _presence(where: str, name: str, presence: Presence) -> Iterator[Finding]:
    if presence is Presence.MISSING:
        fix = "start the services, each of which makes what it needs, or `scripts/ops topology --declare`"
        yield Finding(Severity.WRONG, where, f"{name} is missing", fix)
    elif presence is Presence.DIFFERENT:
        what = f"{name} is there with other arguments, a queue perhaps not as a quorum queue: nobody can use it"
        kind, _, own = name.partition(" ")
        fix = f"once it is empty: `rabbitmqctl delete_{kind} {own}`, and `scripts/ops topology --declare`"
        yield Finding(Severity.WRONG, where, what, fix)


def _held(where: str, queue: Queue, seen: QueueSeen, wanted: Topology) -> Iterator[Finding]:
    """What is in a queue, where it tells something."""
    what = f"{counted(seen.messages, 'message')} in queue {queue.name}"
    for consumer in wanted.consumers:
        if queue.name == consumer and seen.messages and not seen.consumers:
            yield Finding(Severity.RISKY, where, f"{what}, and nobody fetches them", f"start {consumer}")
        elif queue.name == consumer and seen.messages > MANY:
            yield Finding(Severity.RISKY, where, what, f"start more of {consumer}, or find out what keeps it")
        elif queue.name == spare(consumer) and seen.messages:
            fix = f"start {consumer}: it makes its queue again and fetches these, too"
            yield Finding(Severity.RISKY, where, f"{what}: queue {consumer} was missing", fix)
        elif queue.name == dead(consumer) and seen.messages:
            fix = f"`scripts/ops dead-letters list {consumer}`, mend it, then `… resend --all`"
            yield Finding(Severity.RISKY, where, f"{what} could not be applied", fix)
