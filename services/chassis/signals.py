"""Signals: tell waiting coroutines of this process that something they watch has changed."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Signals:
    """Topics that can be listened to; a listener sees that something happened, not what."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[asyncio.Event]] = defaultdict(set)

    def send(self, topics: Iterable[str]) -> None:
        """Wake everyone who listens to one of `topics`."""
        for topic in topics:
            for listener in self._listeners.get(topic, ()):
                listener.set()

    def send_all(self) -> None:
        """Wake everyone: any topic may have been missed."""
        self.send([*self._listeners])

    @contextmanager
    def listen(self, *topics: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever one of `topics` is sent; the listener clears it."""
        listener = asyncio.Event()
        for topic in topics:
            self._listeners[topic].add(listener)
        try:
            yield listener
        finally:
            for topic in topics:
                self._listeners[topic].discard(listener)
                if not self._listeners[topic]:
                    del self._listeners[topic]


async def wait_for(listener: asyncio.Event, seconds: float) -> bool:
    """True when the listener was woken within `seconds`; it is cleared for the next time."""
    try:
        async with asyncio.timeout(seconds):
            await listener.wait()
    except TimeoutError:
        return False
    listener.clear()
    return True
