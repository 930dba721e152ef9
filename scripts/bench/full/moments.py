"""From joining to the notice in the vendor's hands, at a given rate, as the caller and the vendor saw it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

import aiohttp

from scripts.bench.full.rounds import SPREAD
from scripts.bench.full.rows import Ledgers
from scripts.bench.full.system import System
from scripts.bench.identities import backend
from scripts.bench.joins import JOIN, Parties, phone
from scripts.bench.load import Latencies, latencies_of, run_load_in_process

CALLERS, CONNECTIONS = 512, 4
MOST_LOOKED_AT = 1000
LOOKING_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Moments:
    """Latencies in ms from when each join was due: until its answer, and until the vendor had the notice."""

    rate: float
    joins: int
    answer: Latencies
    notice: Latencies
    untold: int


async def measure_moments(system: System, ledgers: Ledgers, parties: Parties, rate: float, seconds: float) -> Moments:
    """Join at `rate` a second for `seconds`, whatever the answers take."""
    first, count = parties.next, round(rate * seconds)
    before, since = await ledgers.counts(), datetime.now(UTC)
    load = await run_load_in_process(
        system.targets["reception"],
        JOIN,
        islice(parties.grpc(SPREAD), count),
        callers=CALLERS,
        connections=CONNECTIONS,
        calls=count,
        seconds=None,
        rate=rate,
        metadata=backend(system.keys),
    )
    await ledgers.drained(before, load.ok, since)
    looked_at = range(0, count, max(1, count // MOST_LOOKED_AT))
    told = await _told(system.kakao_url, [phone(first + index) for index in looked_at])
    took = sorted(
        at - (load.started_at + index / rate) for index, at in zip(looked_at, told, strict=True) if at is not None
    )
    return Moments(rate, load.ok, load.latencies, latencies_of(took), told.count(None))


async def _told(kakao_url: str, phones: Sequence[str]) -> list[float | None]:
    """When the vendor took the first notice for each phone (epoch seconds)."""
    connector = aiohttp.TCPConnector(limit=LOOKING_AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:
        return await asyncio.gather(*(_first(session, f"{kakao_url}/inbox/0{each[3:]}.json") for each in phones))


async def _first(session: aiohttp.ClientSession, url: str) -> float | None:
    async with session.get(url) as answer:
        answer.raise_for_status()
        messages = (await answer.json())["messages"]
    return datetime.fromisoformat(messages[0]["time"]).timestamp() if messages else None
