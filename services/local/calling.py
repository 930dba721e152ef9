"""Channels whose calls tell who makes them."""

from collections.abc import Callable
from typing import Any

import grpc

from services.chassis.callers import Identity

Tell = Callable[[str, Any], Identity]
"""What a call of this method (`/package.Service/Method`) with this request carries; a stream of requests is None."""


class Telling:
    """A channel as stubs use it, over another one."""

    def __init__(self, channel: grpc.aio.Channel, tell: Tell) -> None:
        self._channel = channel
        self._tell = tell

    def unary_unary(self, method: str, *arguments: Any, **options: Any) -> Any:
        """As the other channel's."""
        return self._with(method, self._channel.unary_unary(method, *arguments, **options))

    def unary_stream(self, method: str, *arguments: Any, **options: Any) -> Any:
        """As the other channel's."""
        return self._with(method, self._channel.unary_stream(method, *arguments, **options))

    def stream_stream(self, method: str, *arguments: Any, **options: Any) -> Any:
        """As the other channel's."""
        call: Any = self._channel.stream_stream(method, *arguments, **options)

        def made(*given: Any, metadata: Identity = (), **more: Any) -> Any:
            return call(*given, metadata=(*self._tell(method, None), *metadata), **more)

        return made

    def _with(self, method: str, call: Any) -> Any:
        def made(request: Any, *, metadata: Identity = (), **more: Any) -> Any:
            return call(request, metadata=(*self._tell(method, request), *metadata), **more)

        return made


def telling(channel: grpc.aio.Channel, identity: Identity) -> Any:
    """A channel all of whose calls carry this."""
    return Telling(channel, lambda method, request: identity)
