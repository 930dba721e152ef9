"""Asking a gRPC server how it is: `python -m services.chassis.health 127.0.0.1:9101` for a container's own check."""

import asyncio
import sys
from enum import StrEnum

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

SECONDS = 2.0


class State(StrEnum):
    """What a server says of itself."""

    SERVING = "SERVING"
    NOT_SERVING = "NOT_SERVING"
    AWAY = "not there"
    SILENT = "silent"
    OTHER = "something else, which does not speak gRPC's health protocol"


FAILURES = {grpc.StatusCode.UNAVAILABLE: State.AWAY, grpc.StatusCode.DEADLINE_EXCEEDED: State.SILENT}


async def ask_health(target: str) -> State:
    """The state of the server at host:port."""
    async with grpc.aio.insecure_channel(target) as channel:
        try:
            answer = await HealthStub(channel).Check(HealthCheckRequest(), timeout=SECONDS)
        except grpc.aio.AioRpcError as error:
            return FAILURES.get(error.code(), State.OTHER)
    return State.SERVING if answer.status == HealthCheckResponse.SERVING else State.NOT_SERVING


if __name__ == "__main__":
    state = asyncio.run(ask_health(sys.argv[1]))
    print(state)
    sys.exit(state is not State.SERVING)
