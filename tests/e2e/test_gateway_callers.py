"""For whom a request counts at the gateway, and that nobody can use up what is for others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.local.gateway_settings import ISSUER, Issuer, Limits
from tests.e2e.gateway import Asked, eventually, gateway_before_an_upstream
from tests.e2e.tokens import BAD, Signer, jwks

pytestmark = pytest.mark.e2e

JOIN = "/v1/stores/s1/receptions"
SEARCH = "/v1/storeViews:search"
WATCH = "/tabling.reception.v1.ReceptionService/WatchReception"
GET = "/tabling.reception.v1.ReceptionService/GetReception"
SIGNER = Signer("known")
MANY = 60
HALF_OPEN = 25


@asynccontextmanager
async def counting(folder: Path, limits: Limits) -> AsyncIterator[Asked]:
    """A gateway with these limits that knows the signer's key, and believes where callers say that they come from."""
    file = folder / "jwks.json"
    file.write_text(jwks(SIGNER))
    issuer = Issuer(name=ISSUER, jwks=file)
    async with gateway_before_an_upstream(folder, issuer=issuer, limits=limits, trusted_hops=1) as asked:
        yield asked


def from_(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


def by(**claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {SIGNER.token(**claims)}"}


async def searches(asked: Asked, callers: Iterable[dict[str, str]]) -> Counter[int]:
    return Counter([(await asked.get(SEARCH, headers=headers)).status for headers in callers])


async def joins(asked: Asked, callers: Iterable[dict[str, str]], body: str = "{}") -> Counter[int]:
    return Counter([(await asked.ask("POST", JOIN, headers=headers, data=body)).status for headers in callers])


async def test_whoever_has_a_network_of_ipv6_addresses_counts_once(tmp_path: Path) -> None:
    async with counting(tmp_path, Limits(per_address=2)) as asked:
        counted = await searches(asked, (from_(f"2001:db8::{number:x}") for number in range(1, MANY)))
        assert counted[200] >= 10
        assert counted[429] >= 1
        assert await searches(asked, (from_(f"2001:db8:0:{number:x}::1") for number in range(1, 11))) == {200: 10}


async def test_bad_tokens_count_for_the_address_that_they_come_from(tmp_path: Path) -> None:
    bad = {"authorization": f"Bearer {BAD['of another key by the same name'](SIGNER)}"}
    async with counting(tmp_path, Limits(looks_per_address=2)) as asked:
        counted = await searches(asked, [{**bad, **from_("203.0.113.7")}] * MANY)
        assert counted[401] >= 10
        assert counted[429] >= 1
        assert await searches(asked, [{**bad, **from_("203.0.113.8")}]) == {401: 1}


@pytest.mark.parametrize("claims", [{"aud": ["tabling-customer"]}, {"sub": None}, {"sub": ""}])
async def test_who_is_not_told_in_one_word_counts_for_the_address(tmp_path: Path, claims: dict[str, Any]) -> None:
    async with counting(tmp_path, Limits(per_address=2)) as asked:
        told = by(**claims)
        counted = await searches(asked, [{**told, **from_("203.0.113.7")}] * MANY)
        assert counted[200] >= 10
        assert counted[429] >= 1
        assert await searches(asked, [{**told, **from_("203.0.113.8")}] * 10) == {200: 10}


async def test_ill_made_joins_from_one_address_leave_the_store_to_others(tmp_path: Path) -> None:
    async with counting(tmp_path, Limits(per_store=10, per_store_and_caller=1)) as asked:
        counted = await joins(asked, [from_("203.0.113.7")] * MANY, "garbage")
        assert counted[400] >= 5
        assert counted[429] >= 1
        assert await joins(asked, (from_(f"198.51.100.{number}") for number in range(10))) == {200: 10}


async def test_one_token_holder_leaves_the_store_to_others(tmp_path: Path) -> None:
    staff = {"aud": "tabling-staff", "role": "host", "stores": ["s1"]}
    async with counting(tmp_path, Limits(per_store=10, per_store_and_caller=1)) as asked:
        assert (await joins(asked, [by(**staff, sub="kim")] * MANY))[429] >= 1
        assert await joins(asked, [by(**staff, sub="lee")] * 5) == {200: 5}


async def test_a_backend_joins_for_many_at_one_store(tmp_path: Path) -> None:
    backend = {"aud": "tabling-backend", "sub": "app", "customers": "a"}
    async with counting(tmp_path, Limits(per_store=10, per_store_and_caller=1)) as asked:
        assert await joins(asked, [by(**backend)] * 15) == {200: 15}


async def never() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


@pytest.mark.parametrize("method", [WATCH, GET])
async def test_calls_whose_message_does_not_come_take_no_room_at_the_services(tmp_path: Path, method: str) -> None:
    few = Limits(requests_per_upstream=HALF_OPEN - 5, streams_per_upstream=HALF_OPEN - 5)
    async with (
        gateway_before_an_upstream(tmp_path, limits=few) as asked,
        grpc.aio.insecure_channel(f"127.0.0.1:{asked.gateway.port}") as channel,
    ):
        calling: Any = channel.stream_stream(method)
        calls = [calling(never()) for _ in range(HALF_OPEN)]
        await eventually(lambda: figure(asked, "downstream_rq_active"), lambda active: active >= HALF_OPEN)
        assert await asked.stat("upstream_rq_total", "reception-streams") == 0
        assert (await asked.get(f"{JOIN}/r1")).status == 200
        assert [call.method for call in asked.upstream.calls] == ["GetReception"]
        for call in calls:
            call.cancel()


async def test_watchers_leave_room_for_joins(tmp_path: Path) -> None:
    async with gateway_before_an_upstream(tmp_path, limits=Limits(streams_per_upstream=1)) as asked:
        asked.upstream.to_watchers.put_nowait(0)
        async with asked.http.get(f"{asked.gateway.url}{JOIN}/r1:watch"):
            answer = await asked.get(f"{JOIN}/r1:watch")
            assert (answer.status, answer.reason) == (503, "gateway.tabling OVERLOADED 14")
            assert (await asked.ask("POST", JOIN, data="{}")).status == 200


async def test_one_message_too_large_for_a_service_does_not_reach_it(tmp_path: Path) -> None:
    async with (
        gateway_before_an_upstream(tmp_path) as asked,
        grpc.aio.insecure_channel(f"127.0.0.1:{asked.gateway.port}") as channel,
    ):
        calling: Any = channel.unary_unary(GET)
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await calling(b"\x0a" + bytes(Limits().message_bytes))
        assert raised.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert asked.upstream.calls == []


async def figure(asked: Asked, name: str) -> int:
    """One of Envoy's own figures of its callers."""
    async with asked.http.get(f"{asked.gateway.admin_url}/stats?filter=^http.gateway.{name}$") as answer:
        return int((await answer.text()).rpartition(": ")[2])
