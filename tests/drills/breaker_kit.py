"""One reception, two seats, and between them the mesh with the circuit breakers that are shipped."""

import asyncio
import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc

from services.chassis.addresses import free_port
from services.chassis.settings import PORTS
from services.chassis.testing import eventually
from services.local.calling import Telling
from services.local.probe import fetch
from tabling.management.v1.management_service_pb2 import CreateStoreRequest, OpenStoreRequest
from tabling.management.v1.management_service_pb2_grpc import ManagementServiceStub
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import CancelReceptionRequest, CreateReceptionRequest
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tabling.seat.v1.seat_service_pb2 import CheckSeatsRequest, CreateTableRequest, GetTableRequest, SeatQuestion
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceStub
from tabling.seat.v1.table_pb2 import Table
from tests.drills.arena import Arena
from tests.drills.deployments import free_hosts
from tests.drills.fleet import Replica, living
from tests.mesh.istio import IstioMesh

if TYPE_CHECKING:
    from tabling.management.v1.management_service_pb2_grpc import ManagementServiceAsyncStub
    from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceAsyncStub
    from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceAsyncStub

GRPC_PORT = 9000
PATIENCE_SECONDS = 10.0
ASKING_SECONDS = 0.3
"""How long reception waits for seat."""

STORES = [f"breaker-{number}" for number in range(20)]
"""Seat is asked for a party that nobody is in front of."""

REPLICAS = ("reception-0", "seat-0", "seat-1", "management-0")

KNOWN_SECONDS = BACK_SECONDS = 60.0
CLUSTER = "outbound|9102||seat.tabling.svc.cluster.local"


@dataclass
class Answers:
    """How calls ended, and how many seconds each took."""

    codes: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Those that were not answered."""
        return self.codes.total() - self.codes["OK"]

    def quantile(self, share: float) -> float:
        """Of the times, in seconds."""
        return sorted(self.seconds)[min(int(share * len(self.seconds)), len(self.seconds) - 1)]

    async def of(self, call: Awaitable[object]) -> None:
        """Wait for a call and note it."""
        began = time.monotonic()
        try:
            await call
            code = "OK"
        except grpc.aio.AioRpcError as error:
            code = error.code().name
        self.codes[code] += 1
        self.seconds.append(time.monotonic() - began)

    async def steadily(self, call: Callable[[], Awaitable[object]], per_second: float, seconds: float) -> "Answers":
        """Call so often for so long, whether answers come or not; returns once all have come."""
        began, calls = asyncio.get_running_loop().time(), []
        for number in range(int(per_second * seconds)):
            await asyncio.sleep(max(0.0, began + number / per_second - asyncio.get_running_loop().time()))
            calls.append(asyncio.create_task(self.of(call())))
        await asyncio.gather(*calls)
        return self


@dataclass
class Breakers:
    """What runs, and ways to call it: seat's two processes, and their addresses; the port of a gateway."""

    processes: Sequence[Replica]
    mesh: IstioMesh
    seats: tuple[str, str]
    reception: "ReceptionServiceAsyncStub"
    seat: "SeatServiceAsyncStub"
    gateway_port: int
    _parties: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _lives: list["asyncio.Task[None]"] = field(default_factory=list)
    _leaving: "set[asyncio.Task[None] | None]" = field(default_factory=set)

    async def join(self) -> None:
        """A party comes to a store. Raises `AioRpcError`."""
        number = next(self._parties)
        party = Reception(party_size=2, customer=f"customers/breaker-{number}")
        request = CreateReceptionRequest(parent=f"stores/{STORES[number % len(STORES)]}", reception=party)
        joined = await self.reception.CreateReception(request, timeout=PATIENCE_SECONDS)
        self._leaving.add(asyncio.create_task(self._leave(joined.name)))

    async def _leave(self, name: str) -> None:
        """Make room at once: who stands in line would get the next table, so nobody would ask."""
        await self.reception.CancelReception(CancelReceptionRequest(name=name), timeout=PATIENCE_SECONDS)
        self._leaving.discard(asyncio.current_task())

    def look(self) -> Awaitable[object]:
        """Staff look at a table: a call of seat, through the mesh."""
        request = GetTableRequest(name=f"stores/{STORES[0]}/tables/t")
        return self.seat.GetTable(request, timeout=PATIENCE_SECONDS)

    def check(self) -> Awaitable[object]:
        """The question that reception asks, as it asks it."""
        question = SeatQuestion(store=f"stores/{STORES[0]}", party_size=2)
        return self.seat.CheckSeats(CheckSeatsRequest(questions=[question]), timeout=ASKING_SECONDS)

    @asynccontextmanager
    async def without(self, *numbers: int) -> AsyncIterator[None]:
        """Some of the seats are killed, and nobody tells the mesh; afterwards they begin again."""
        gone = [self.processes[number] for number in numbers]
        for replica in gone:
            replica.stopping = True
            replica.signal(signal.SIGKILL)
        yield
        for replica in gone:
            replica.stopping = False
            self._lives.append(asyncio.create_task(replica.serve()))

    async def end(self) -> None:
        """What was begun again is ended, too."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    async def well(self) -> None:
        """Return once both seats get calls again, and everybody is answered."""
        before = {seat: await self.calls_of(seat) for seat in self.seats}

        async def look() -> bool:
            looks = await Answers().steadily(self.look, 50, 0.5)
            called = [await self.calls_of(seat) > before[seat] for seat in self.seats]
            return not looks.failed and all(called) and not await self.ejected()

        await eventually(look, seconds=BACK_SECONDS)

    async def ejected(self) -> list[str]:
        """Addresses that get no calls for now."""
        hosts = await self._hosts()
        return [address for address, host in hosts.items() if host["health_status"].get("failed_outlier_check")]

    async def calls_of(self, address: str) -> int:
        """How many calls one process has got."""
        stats = (await self._hosts())[address]["stats"]
        return int(next(each.get("value", 0) for each in stats if each["name"] == "rq_total"))

    async def figure(self, name: str) -> int:
        """A figure of the proxy about seat."""
        text = await fetch(f"{self.mesh.sidecar.admin_url}/stats?filter={name}&format=json")
        found = json.loads(text or "{}").get("stats", [])
        return sum(each["value"] for each in found if "seat" in each.get("name", "") and "value" in each)

    async def _hosts(self) -> dict[str, dict[str, Any]]:
        text = await fetch(f"{self.mesh.sidecar.admin_url}/clusters?format=json")
        clusters = json.loads(text or "{}")["cluster_statuses"]
        found = {}
        for host in next(each for each in clusters if each["name"] == CLUSTER).get("host_statuses", []):
            place = host["address"]["socket_address"]
            found[f"{place['address']}:{place['port_value']}"] = host
        return found


@asynccontextmanager
async def running_breakers(arena: Arena, folder: Path) -> AsyncIterator[Breakers]:
    """Everything for the length of the block, on an arena's databases and broker."""
    mesh_port, gateway_port = free_port(), free_port()
    hosts = free_hosts(GRPC_PORT)
    addresses = {own: f"{next(hosts)}:{GRPC_PORT}" for own in REPLICAS}
    processes = _replicas(arena, folder, mesh_port, addresses)
    async with AsyncExitStack() as stack:

        async def channel(address: str) -> grpc.aio.Channel:
            return await stack.enter_async_context(grpc.aio.insecure_channel(address))

        async def inside(address: str) -> Any:
            return Telling(await channel(address), arena.callers.told_inside)

        mesh = await stack.enter_async_context(IstioMesh(folder / "mesh", {"seat": mesh_port}))
        await stack.enter_async_context(living(list(processes.values())))
        for address in addresses.values():
            await (await channel(address)).channel_ready()
        mesh.publish("seat", [addresses["seat-0"], addresses["seat-1"]])
        gateway = Replica(
            "gateway", ("-m", "services.local.gateway_main"), _gateway(arena, gateway_port, mesh_port), folder / "g"
        )
        await stack.enter_async_context(living([gateway]))
        running = Breakers(
            [processes["seat-0"], processes["seat-1"]],
            mesh,
            (addresses["seat-0"], addresses["seat-1"]),
            ReceptionServiceStub(await inside(addresses["reception-0"])),
            SeatServiceStub(await inside(f"127.0.0.1:{mesh_port}")),
            gateway_port,
        )
        await _open_stores(running, ManagementServiceStub(await inside(addresses["management-0"])))
        try:
            yield running
        finally:
            await running.end()


def _replicas(arena: Arena, folder: Path, mesh_port: int, addresses: Mapping[str, str]) -> dict[str, Replica]:
    """Services' processes at those addresses; reception asks seat through the mesh."""
    environment = {f"TABLING_{name.upper()}_DATABASE": address for name, address in arena.addresses.items()}
    environment |= {"TABLING_BUS": arena.bus, "TABLING_SEAT_TARGET": f"127.0.0.1:{mesh_port}"}
    environment |= arena.callers.keys.environment
    found = {}
    for own, address in addresses.items():
        name, _, _ = own.partition("-")
        listening = environment | {"TABLING_LISTEN": address}
        found[own] = Replica(name, ("-m", f"services.{name}"), listening, folder / own)
    return found


def _gateway(arena: Arena, port: int, mesh_port: int) -> dict[str, str]:
    """A gateway as in a cluster, of which seat alone is asked."""
    keys = arena.callers.keys
    targets = {f"TABLING_{name.upper()}_TARGET": f"127.0.0.1:{mesh_port}" for name in PORTS}
    listening = {"TABLING_GATEWAY_LISTEN": f"127.0.0.1:{port}", "TABLING_GATEWAY_BALANCED": "on"}
    return {**targets, **listening, **keys.environment, "TABLING_GATEWAY_JWKS": str(keys.jwks)}


async def _open_stores(breakers: Breakers, management: "ManagementServiceAsyncStub") -> None:
    """Stores whose only table is too small for those who come."""

    async def known(store: str) -> bool:
        try:
            table = CreateTableRequest(parent=f"stores/{store}", table=Table(capacity=1), table_id="t")
            await breakers.seat.CreateTable(table, timeout=PATIENCE_SECONDS)
            await breakers.join()
        except grpc.aio.AioRpcError as error:
            return error.code() is grpc.StatusCode.ALREADY_EXISTS
        return True

    for store in STORES:
        opened = Store(display_name=store, max_waiting=1000)
        await management.CreateStore(CreateStoreRequest(store=opened, store_id=store), timeout=PATIENCE_SECONDS)
        await management.OpenStore(OpenStoreRequest(name=f"stores/{store}"), timeout=PATIENCE_SECONDS)
    for store in STORES:
        await eventually(lambda store=store: known(store), seconds=KNOWN_SECONDS)  # type: ignore[misc]
    await eventually(lambda: _answers(breakers), seconds=KNOWN_SECONDS)


async def _answers(breakers: Breakers) -> bool:
    """Whether every store takes parties."""
    return not (await Answers().steadily(breakers.join, 50, 1.0)).failed
