"""Making the read model anew from what its sources say now."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol, TypeVar

E_co = TypeVar("E_co", covariant=True)
E = TypeVar("E")


class Sources(Protocol[E_co]):
    """Those whose events the read model is made from."""

    async def ready(self) -> None:
        """Return once all of them answer; raises otherwise."""

    def read(self) -> AsyncIterator[E_co]:
        """The present state of everything, as events."""


async def rebuild(
    sources: Sources[E], clear: Callable[[], Awaitable[None]], apply: Callable[[E], Awaitable[None]]
) -> int:
    """Clear the read model and fill it from the sources; returns how many pieces were read.

    Events may keep arriving meanwhile. One that was applied before the clearing is part of what is read
    afterwards, for its source committed it earlier still; of all others the newest version wins, as ever.
    """
    await sources.ready()
    await clear()
    pieces = 0
    async for piece in sources.read():
        await apply(piece)
        pieces += 1
    return pieces
