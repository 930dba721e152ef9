"""A gRPC server with health, reflection and the edge that all services share."""

import asyncio
from collections.abc import Callable, Iterable

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer

from services.chassis.addresses import why_not
from services.chassis.interceptor import Edge
from services.chassis.reflection import reflect
from services.chassis.running import CannotRun

OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 256 * 1024),
    # beyond the soft limit calls are refused at random; the gateway lets 8 KiB through and adds some of its own
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 16 * 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.max_concurrent_streams", 10_000),
)

LIVE, READY = "live", "ready"
"""Names under which the health service tells more than that it serves, which it does under the empty name and those of
its services: that the process is alive, also before it serves, and that it can do its work."""

REFUSING_SECONDS = 0.1
"""Where calls are running others are waiting, which would end as CANCELLED: this is their time to be refused."""

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING

Register = Callable[[grpc.aio.Server], None]


class GrpcServer:
    """One listening port with some services on it; SERVING between `start` and `drain`.

    Before `start` it may `listen`, which shows that the process is alive; calls are refused until it serves.
    """

    def __init__(
        self, listen: str, edge: Edge, services: Iterable[str], register: Register, *, reflected: bool = True
    ) -> None:
        self._services = tuple(services)
        self._health = HealthServicer()
        self._edge = edge
        self._server = grpc.aio.server(interceptors=(edge,), options=OPTIONS)
        register(self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        if reflected:
            reflect((*self._services, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name), self._server)
        self._listen = listen
        self._ready = False
        self.port = 0

    async def listen(self) -> None:
        """Listen, and say that we are alive. Raises `AddressInUse`."""
        if why := why_not(self._listen):
            raise AddressInUse(f"cannot listen on {self._listen} ({why}): name another address with TABLING_LISTEN")
        self.port = self._server.add_insecure_port(self._listen)
        self._edge.starting = True
        for service in ("", READY, *self._services):
            await self._health.set(service, NOT_SERVING)
        await self._health.set(LIVE, SERVING)
        await self._server.start()

    async def start(self) -> None:
        """Listen unless we do already, and say SERVING. Raises `AddressInUse`."""
        if not self.port:
            await self.listen()
        self._edge.starting = False
        for service in ("", *self._services):
            await self._health.set(service, SERVING)
        await self.say_ready(self._ready)

    async def say_ready(self, ready: bool) -> None:
        """Say, once it serves, whether it should be sent anything; which changes nothing about what it does."""
        self._ready = ready
        await self._health.set(READY, SERVING if ready and not self._edge.starting else NOT_SERVING)

    async def drain(self) -> None:
        """Say NOT_SERVING, so that nobody sends anything new."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_seconds: float) -> None:
        """End the streams, refuse new calls and stop listening; give running calls some time."""
        self._edge.stopping.set()
        if self._edge.running:
            await asyncio.sleep(REFUSING_SECONDS)
        await self._server.stop(grace_seconds)


class AddressInUse(CannotRun):
    """The port is taken, or not ours to take."""
