"""Watching through the gateway as a JSON caller."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.local.gateway_settings import Limits
from tests.e2e.gateway import Asked, eventually, gateway_before_an_upstream

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

WATCH = "/v1/stores/s1/receptions/r1:watch"
EVENTS = {"accept": "text/event-stream"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    limits = Limits(unary_seconds=1, idle_seconds=2, stream_seconds=10)
    async with gateway_before_an_upstream(tmp_path_factory.mktemp("gateway"), limits=limits) as it:
        yield it


def watching(asked: Asked, **options: Any) -> Any:
    return asked.http.get(asked.gateway.url + WATCH, **options)


async def test_a_watcher_is_told_each_change_as_it_happens(asked: Asked) -> None:
    asked.upstream.to_watchers.put_nowait(1)
    async with watching(asked) as answer:
        assert answer.headers["content-type"] == "application/json"
        for version in (1, 2, 3):
            line = await answer.content.readline()
            assert json.loads(line)["reception"]["version"] == version
            asked.upstream.to_watchers.put_nowait(version + 1 if version < 3 else None)
        assert await answer.content.read() == b""


async def test_an_event_source_is_told_each_change_as_an_event(asked: Asked) -> None:
    asked.upstream.to_watchers.put_nowait(1)
    async with watching(asked, headers=EVENTS) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["cache-control"] == "no-store"
        for version in (1, 2):
            line = await answer.content.readline()
            assert json.loads(line.removeprefix(b"data: "))["reception"]["version"] == version
            assert await answer.content.readline() == b"\n"
            asked.upstream.to_watchers.put_nowait(version + 1 if version < 2 else None)
        assert await answer.content.read() == b""


@pytest.mark.parametrize("headers", [{}, EVENTS])
async def test_watching_what_is_not_there_is_an_ordinary_error(asked: Asked, headers: dict[str, str]) -> None:
    answer = await asked.get("/v1/stores/s1/receptions/missing:watch", headers=headers)
    assert answer.status == 404
    assert answer.reason == "reception.tabling RECEPTION_NOT_FOUND 5"


async def test_an_event_source_on_an_unknown_path_gets_the_common_error(asked: Asked) -> None:
    answer = await asked.get("/v1/nothing:watch", headers=EVENTS)
    assert answer.status == 404
    assert answer.reason == "gateway.tabling UNKNOWN_PATH 5"


async def test_heartbeats_keep_a_stream_longer_than_any_ordinary_answer_may_take(asked: Asked) -> None:
    asked.upstream.to_watchers.put_nowait(0)
    async with watching(asked) as answer:
        for beat in range(8):
            assert json.loads(await answer.content.readline())["heartbeat"] is True
            asyncio.get_running_loop().call_later(0.25, asked.upstream.to_watchers.put_nowait, 0 if beat < 7 else None)
        assert await answer.content.read() == b""


async def test_a_stream_that_falls_silent_is_ended(asked: Asked) -> None:
    asked.upstream.to_watchers.put_nowait(0)
    async with watching(asked) as answer:
        await answer.content.readline()
        with pytest.raises(aiohttp.ClientPayloadError):
            await answer.content.read()


async def test_a_watcher_that_leaves_is_forgotten(asked: Asked) -> None:
    asked.upstream.to_watchers.put_nowait(0)
    async with watching(asked) as answer:
        await answer.content.readline()
        assert await asked.stat("upstream_rq_active", "reception-streams") == 1

    async def active() -> int:
        return await asked.stat("upstream_rq_active", "reception-streams")

    await eventually(active, lambda count: count == 0)
