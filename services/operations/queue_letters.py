"""Dead letters on RabbitMQ."""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

from services.chassis.bus import BusUnusable, dead
from services.chassis.running import CannotRun
from services.operations.broker import connected
from services.operations.letters import DeadLetter
from services.operations.printing import masked


class LettersUnreadable(CannotRun):
    """The broker cannot be reached, or has no such queue."""


class QueueLetters:
    """Those in a consumer's queue on RabbitMQ. Nobody else sees them while they are looked at."""

    def __init__(self, consumer: str, url: str) -> None:
        self._consumer = consumer
        self._url = url

    async def all(self) -> list[DeadLetter]:
        """The oldest first, a thousand at most."""
        async with self._opened() as found:
            return [self._letter(letter) for letter in found.letters]

    async def resend(self, ids: Collection[str]) -> int:
        """Publish these to the consumer once more; each is confirmed before it leaves the queue."""
        return await self._each(ids, lambda found, letter: found.resend(letter))

    async def drop(self, ids: Collection[str]) -> int:
        """Acknowledge these."""
        return await self._each(ids, lambda found, letter: found.drop(letter))

    async def _each(
        self, ids: Collection[str], do: Callable[[dead.DeadLetters, dead.DeadLetter], Awaitable[None]]
    ) -> int:
        async with self._opened() as found:
            chosen = [letter for letter in found.letters if letter.id in ids]
            for letter in chosen:
                await do(found, letter)
        return len(chosen)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[dead.DeadLetters]:
        async with connected(self._url):  # tells best what is in the way
            pass
        try:
            async with dead.dead_letters(self._url, self._consumer) as found:
                yield found
        except BusUnusable as error:
            raise LettersUnreadable(
                f"the dead letters of {self._consumer} on {masked(self._url)} cannot be reached ({error}): "
                "type `scripts/ops doctor`"
            ) from error

    def _letter(self, letter: dead.DeadLetter) -> DeadLetter:
        events = letter.envelope.events if letter.envelope else ()
        return DeadLetter(
            self._consumer, "queue", letter.id, [*events], letter.reason, letter.attempts, letter.last_time
        )
