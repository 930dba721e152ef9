"""A gateway pod that is gone, and the mesh does not know it yet: the ingress gateway passes it over."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.chassis.addresses import free_port
from tests.drills.deployments import free_hosts
from tests.mesh.istio import GATEWAY, IstioMesh

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio]

CALLS, AT_ONCE = 1000, 20
SERVICE = "tabling.management.v1.ManagementService"


async def test_no_call_fails_while_one_of_two_gateways_cannot_be_reached(tmp_path: Path) -> None:
    port, way_in = free_port(), free_port()
    hosts = free_hosts(port)
    there, gone = f"{next(hosts)}:{port}", f"{next(hosts)}:{port}"
    server = await _answering(there)
    codes: Counter[str] = Counter()
    async with (
        IstioMesh(tmp_path, {GATEWAY: way_in}) as mesh,
        grpc.aio.insecure_channel(f"127.0.0.1:{way_in}") as channel,
    ):
        mesh.publish(GATEWAY, [there, gone])
        await mesh.told()

        async def ask() -> None:
            for number in range(CALLS // AT_ONCE):
                call: Any = channel.unary_unary(f"/{SERVICE}/{'GetStore' if number % 2 else 'OpenStore'}")
                try:
                    await call(b"", timeout=10)
                    codes["OK"] += 1
                except grpc.aio.AioRpcError as error:
                    codes[f"{error.code().name}: {error.details()}"] += 1

        await asyncio.gather(*(ask() for _ in range(AT_ONCE)))
    await server.stop(None)
    assert codes == {"OK": CALLS}


async def _answering(address: str) -> grpc.aio.Server:
    """A gateway as far as this goes: it answers everything, and somebody is always under way with it."""

    async def answer(request: bytes, context: Any) -> bytes:
        await asyncio.sleep(0.005)
        return b""

    handler: Any = grpc.unary_unary_rpc_method_handler(answer)
    server = grpc.aio.server()
    methods = {"GetStore": handler, "OpenStore": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    server.add_insecure_port(address)
    await server.start()
    return server
