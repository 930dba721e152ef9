"""What the queues on RabbitMQ say about a promise."""

from services.chassis.bus.topology import dead
from services.operations.broker import connected, see_queue
from services.operations.catalogue import topology


async def waiting(url: str, *, quiescent: bool) -> list[str]:
    """A sentence for every queue that should be empty and is not: those of dead letters, and, at rest, all.

    Raises `BrokerUnusable`.
    """
    wanted = topology()
    given_up = {dead(consumer) for consumer in wanted.consumers}
    async with connected(url) as connection:
        held = {queue.name: (await see_queue(connection, queue)).messages for queue in wanted.queues()}
    return [
        f"queue {name} holds what {name.removesuffix('.dead')} could not apply"
        if name in given_up
        else f"queue {name} holds messages"
        for name, messages in held.items()
        if messages and (quiescent or name in given_up)
    ]
