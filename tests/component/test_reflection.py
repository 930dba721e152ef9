"""Reflection: any service can be asked about the contract of any other, since the gateway asks one about all."""

import subprocess
import sys

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from services.chassis.grpc_server import GrpcServer
from services.chassis.interceptor import Edge
from services.chassis.permissions import Door

# in a process of its own: this one has loaded every contract
ALONE = """
import asyncio
from services.chassis.grpc_server import GrpcServer
from services.chassis.interceptor import Edge
from services.chassis.permissions import Door

async def main():
    server = GrpcServer("127.0.0.1:0", Edge("seat.tabling", Door((), {})), (), lambda server: None)
    await server.start()
    print(server.port, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def described(port: int, symbol: str) -> set[str]:
    """The files that come when a symbol is asked about."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol)
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        answer = await stub.ServerReflectionInfo(iter([request]), wait_for_ready=True, timeout=20).read()
    files = answer.file_descriptor_response.file_descriptor_proto
    return {FileDescriptorProto.FromString(file).name for file in files}


@pytest.mark.parametrize(
    ("symbol", "file"),
    [
        ("tabling.management.v1.ManagementService", "tabling/management/v1/management_service.proto"),
        ("tabling.reception.v1.Reception", "tabling/reception/v1/reception.proto"),
        ("grpc.health.v1.Health", "grpc_health/v1/health.proto"),
    ],
)
async def test_it_describes_what_this_process_does_not_serve(symbol: str, file: str) -> None:
    with subprocess.Popen([sys.executable, "-W", "error", "-c", ALONE], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert file in await described(int(process.stdout.readline()), symbol)
        finally:
            process.kill()


async def test_what_has_no_contract_is_not_found() -> None:
    server = GrpcServer("127.0.0.1:0", Edge("seat.tabling", Door((), {})), (), lambda server: None)
    await server.start()
    assert await described(server.port, "tabling.soup.v1.SoupService") == set()
    await server.stop(0)
