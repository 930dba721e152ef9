"""Probes as a kubelet makes them: a new connection each time, and one answer that counts."""

import asyncio
import time
from collections.abc import Callable

import aiohttp
import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.drills.manifest import Probe

OPTIONS = (("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0))


async def succeeds(probe: Probe, host: str, port: int) -> bool:
    """Whether one probe of the process that listens there succeeds."""
    if probe.grpc is not None:
        return await _serves(f"{host}:{port}", str(probe.grpc.get("service", "")), probe.timeout)
    assert probe.http is not None, "a probe of a kind that nobody here makes"
    return await _is_well(f"http://{host}:{port}{probe.http['path']}", probe.timeout)


async def until_failed(
    probe: Probe, host: str, port: int, tell: Callable[[bool], None], *, until_success: bool = False
) -> bool:
    """Probe again and again, telling each result; return once it has failed too often in a row: False.

    `until_success` ends at the first one that succeeds, too: True.
    """
    failed = 0
    while True:
        began = time.monotonic()
        well = await succeeds(probe, host, port)
        failed = 0 if well else failed + 1
        tell(well)
        if well and until_success:
            return True
        if failed >= probe.failures:
            return False
        await asyncio.sleep(max(0.0, began + probe.period - time.monotonic()))


async def _serves(target: str, service: str, seconds: float) -> bool:
    async with grpc.aio.insecure_channel(target, options=OPTIONS) as channel:
        try:
            answer = await HealthStub(channel).Check(HealthCheckRequest(service=service), timeout=seconds)
        except grpc.aio.AioRpcError:
            return False
    return bool(answer.status == HealthCheckResponse.SERVING)


async def _is_well(url: str, seconds: float) -> bool:
    try:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
            return 200 <= answer.status < 400
    except (aiohttp.ClientError, TimeoutError):
        return False
