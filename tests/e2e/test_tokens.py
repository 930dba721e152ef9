"""Tokens at the gateway: which are believed, what the services are told of them, and how an issuer changes its keys."""

import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio
from aiohttp import web

from services.local.gateway_settings import ISSUER, Issuer, Limits
from tabling.dashboard.v1.dashboard_service_pb2 import SearchStoresRequest
from tabling.dashboard.v1.dashboard_service_pb2_grpc import DashboardServiceStub
from tests.e2e.gateway import Answer, Asked, eventually, gateway_before_an_upstream
from tests.e2e.tokens import BAD, DAY, HOUR, SKEW, Signer, at, claimed, jwks

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

SEARCH = "/v1/storeViews:search"
"""What anybody may ask."""
OLD, NEW = Signer("old"), Signer("new")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    async with believing(tmp_path_factory.mktemp("gateway"), OLD) as it:
        yield it


@asynccontextmanager
async def believing(folder: Path, *signers: Signer) -> AsyncIterator[Asked]:
    """A gateway that knows these keys from a file."""
    file = folder / "jwks.json"
    file.write_text(jwks(*signers))
    async with gateway_before_an_upstream(folder, issuer=Issuer(name=ISSUER, jwks=file)) as asked:
        yield asked


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


async def search(asked: Asked, token: str) -> Answer:
    return await asked.get(SEARCH, headers=bearer(token))


async def search_by_grpc(asked: Asked, headers: dict[str, str]) -> None:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{asked.gateway.port}") as channel:
        stub: Any = DashboardServiceStub(channel)
        await stub.SearchStores(SearchStoresRequest(), metadata=tuple(headers.items()))


def principal(asked: Asked) -> Any:
    """What the service was told of who calls."""
    told = asked.upstream.last.metadata["x-tabling-principal"]
    return json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))


def is_told_nothing(asked: Asked) -> bool:
    return not {"authorization", "x-tabling-principal"} & asked.upstream.last.metadata.keys()


@pytest.mark.parametrize("what", BAD)
async def test_a_token_that_is_not_good_is_refused_even_where_none_is_needed(asked: Asked, what: str) -> None:
    before = len(asked.upstream.calls)
    token = BAD[what](OLD)
    answer = await search(asked, token)
    assert (answer.status, answer.reason) == (401, "gateway.tabling INVALID_TOKEN 16")
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await search_by_grpc(asked, bearer(token))
    assert raised.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert len(asked.upstream.calls) == before


@pytest.mark.parametrize(
    "claims",
    [
        dict,
        lambda: {"aud": "tabling-staff", "role": "host", "stores": ["s1"]},
        lambda: {"exp": at(DAY - HOUR)},
        lambda: {"exp": at(-SKEW / 2)},
        lambda: {"nbf": at(SKEW / 2)},
        lambda: {"iat": None, "nbf": None},
    ],
    ids=["an operator's", "staff's", "long", "just over", "about to begin", "without a beginning"],
)
async def test_the_service_is_told_what_a_good_token_claims_and_never_the_token(
    asked: Asked, claims: Callable[[], dict[str, Any]]
) -> None:
    claimed = claims()
    token = OLD.token(**claimed)
    assert (await search(asked, token)).status == 200
    by_json = principal(asked)
    await search_by_grpc(asked, bearer(token))
    assert by_json == principal(asked)
    assert by_json.items() >= {"sub": "root", **{name: value for name, value in claimed.items() if value}}.items()
    assert "authorization" not in asked.upstream.last.metadata


async def test_a_token_may_be_shown_in_lower_case(asked: Asked) -> None:
    assert (await asked.get(SEARCH, headers={"authorization": f"bearer {OLD.token(sub='kim')}"})).status == 200
    assert principal(asked)["sub"] == "kim"


async def test_a_token_may_be_for_others_too(asked: Asked) -> None:
    assert (await search(asked, OLD.token(aud=["tabling-operator", "https://other.example"]))).status == 200
    assert principal(asked)["aud"] == ["tabling-operator", "https://other.example"]


async def test_a_token_need_not_name_its_key(asked: Asked) -> None:
    assert (await search(asked, OLD.token({"kid": None}))).status == 200


@pytest.mark.parametrize("shown", ["", "Bearer", "Basic cm9vdDpyb290", "Token x"])
async def test_who_shows_no_token_is_nobody(asked: Asked, shown: str) -> None:
    headers = {"authorization": shown} if shown else {}
    assert (await asked.get(SEARCH, headers=headers)).status == 200
    assert is_told_nothing(asked)
    await search_by_grpc(asked, headers)
    assert is_told_nothing(asked)


async def test_a_token_in_the_address_counts_for_nothing(asked: Asked) -> None:
    before = len(asked.upstream.calls)
    answer = await asked.get(f"{SEARCH}?access_token={OLD.token()}")
    assert (answer.status, answer.reason) == (400, "gateway.tabling MALFORMED_REQUEST 3")
    assert len(asked.upstream.calls) == before

    async with grpc.aio.insecure_channel(f"127.0.0.1:{asked.gateway.port}") as channel:
        path = f"/tabling.dashboard.v1.DashboardService/SearchStores?access_token={OLD.token()}"
        call: Any = channel.unary_unary(path)
        with pytest.raises(grpc.aio.AioRpcError):
            await call(b"")
    assert len(asked.upstream.calls) == before


async def test_what_a_caller_says_of_itself_never_reaches_a_service(asked: Asked) -> None:
    told = base64.urlsafe_b64encode(json.dumps(claimed()).encode()).decode()
    forged = {"x-tabling-principal": told, "x-tabling-service": "seat", "x-tabling-key": "guessed"}
    assert (await asked.get(SEARCH, headers=forged)).status == 200
    by_json = asked.upstream.last.metadata
    await search_by_grpc(asked, forged)
    for seen in (by_json, asked.upstream.last.metadata):
        assert not {"x-tabling-principal", "x-tabling-service"} & seen.keys()
        assert seen["x-tabling-key"] != "guessed"

    await asked.get(SEARCH, headers={**forged, **bearer(OLD.token(sub="kim"))})
    assert principal(asked)["sub"] == "kim"


async def test_a_new_key_in_the_file_counts_after_a_restart_and_the_old_one_until_it_is_gone(tmp_path: Path) -> None:
    async def answers(*signers: Signer) -> list[int]:
        async with believing(tmp_path, *signers) as asked:
            return [(await search(asked, signer.token())).status for signer in (OLD, NEW)]

    assert await answers(OLD) == [200, 401]
    assert await answers(OLD, NEW) == [200, 200]
    assert await answers(NEW) == [401, 200]


@dataclass
class Keys:
    """An issuer that tells its keys over HTTP; without `signers` it fails."""

    signers: tuple[Signer, ...]
    url: str = ""

    async def tell(self, request: web.Request) -> web.Response:
        if not self.signers:
            return web.Response(status=503)
        return web.Response(text=jwks(*self.signers), content_type="application/json")


@asynccontextmanager
async def telling(*signers: Signer) -> AsyncIterator[Keys]:
    """An issuer for the length of the block."""
    keys = Keys(signers)
    app = web.Application()
    app.router.add_get("/jwks.json", keys.tell)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    keys.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks.json"
    try:
        yield keys
    finally:
        await runner.cleanup()


@asynccontextmanager
async def inquiring(folder: Path, keys: Keys) -> AsyncIterator[Asked]:
    """A gateway that asks the issuer for its keys, often."""
    issuer = Issuer(name=ISSUER, jwks=keys.url)
    async with gateway_before_an_upstream(folder, issuer=issuer, limits=Limits(keys_seconds=1)) as asked:
        yield asked


async def failed_fetches(asked: Asked) -> int:
    """How often the gateway asked for keys in vain."""
    async with asked.http.get(f"{asked.gateway.admin_url}/stats?filter=jwt_authn.*jwks_fetch_failed") as answer:
        return int((await answer.text()).rpartition(": ")[2] or 0)


async def test_an_issuers_new_key_counts_soon_and_its_old_one_until_it_tells_it_no_more(tmp_path: Path) -> None:
    async def status(signer: Signer) -> int:
        return (await search(theirs, signer.token())).status

    async with telling(OLD) as keys, inquiring(tmp_path, keys) as theirs:
        assert [await status(OLD), await status(NEW)] == [200, 401]
        keys.signers = (OLD, NEW)
        await eventually(lambda: status(NEW), lambda seen: seen == 200)
        assert await status(OLD) == 200
        keys.signers = (NEW,)
        await eventually(lambda: status(OLD), lambda seen: seen == 401)
        assert await status(NEW) == 200


async def test_known_keys_count_while_the_issuer_is_away(tmp_path: Path) -> None:
    async with telling(OLD) as keys, inquiring(tmp_path, keys) as theirs:
        assert (await search(theirs, OLD.token())).status == 200
        keys.signers = ()
        before = await failed_fetches(theirs)
        await eventually(lambda: failed_fetches(theirs), lambda seen: seen >= before + 2)
        assert (await search(theirs, OLD.token())).status == 200


async def test_without_any_key_a_token_has_to_wait_and_who_needs_none_is_served(tmp_path: Path) -> None:
    async with telling() as keys, inquiring(tmp_path, keys) as theirs:
        assert (await theirs.get(SEARCH)).status == 200
        answer = await search(theirs, OLD.token())
        info, retry = answer.json["details"]
        assert (answer.status, answer.json["code"], info["reason"]) == (503, 14, "KEYS_UNAVAILABLE")
        assert retry["retryDelay"] == "1s"
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await search_by_grpc(theirs, bearer(OLD.token()))
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        keys.signers = (OLD,)

        async def status() -> int:
            return (await search(theirs, OLD.token())).status

        await eventually(status, lambda seen: seen == 200)
