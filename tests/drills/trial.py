"""What every drill has: a record over all lives of a system, and how it is looked at once it is left alone."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from tests.drills.audit import Findings, audit, unrest
from tests.drills.calls import Call, Client, NoAnswer, Record
from tests.drills.site import Evidence, Site, evidence

FULL = os.environ.get("TABLING_DRILLS") == "full"
"""Whether to take all the time it needs; else a few drills that stand for the others."""

LOOK_EVERY_SECONDS = 0.1
REPEATED_AT_ONCE = 16


@dataclass(frozen=True)
class Report:
    """What came of a drill. `accepted` are the requests answered in it, `in_doubt` those that at first were not.

    `what` was injected, `lasting` seconds, or `passing` a crash point so many times.
    """

    what: str
    passing: str
    lasting: float
    accepted: int
    in_doubt: int
    findings: Findings
    recovery_seconds: float


class Trial:
    """The record of all that was asked of a system, and which of it was ever in doubt."""

    def __init__(self, record: Record, settling_seconds: float) -> None:
        self.record = record
        self._settling_seconds = settling_seconds
        self._accepted_before = sum(1 for _ in record.accepted())
        self._doubtful: set[int] = set()

    async def come_right(
        self,
        client: Client,
        site: Site,
        what: str,
        passing: str,
        *,
        lasting: float = 0.0,
        since: float | None = None,
        foreseen: Sequence[str] = (),
    ) -> Report:
        """Wait until everything has come right, then look whether it has. `since`: monotonic, else now."""
        since = since or time.monotonic()
        async with evidence(site) as seen:
            await self._settle(client, seen)
            seconds = time.monotonic() - since
            findings = await audit(seen, self.record, foreseen)
        await _repeat_answered(client, self.record)
        accepted = sum(1 for _ in self.record.accepted()) - self._accepted_before
        return Report(what, passing, lasting, accepted, len(self._doubtful), findings, seconds)

    def note_doubtful(self) -> None:
        """Remember which requests are in doubt."""
        self._doubtful.update(map(id, self.record.in_doubt()))

    async def repeat_doubtful(self, client: Client) -> None:
        """Ask again for whatever was not answered; a system that dies meanwhile leaves it in doubt."""

        few = asyncio.Semaphore(REPEATED_AT_ONCE)

        async def repeat(call: Call) -> None:
            async with few:
                with suppress(NoAnswer):
                    await client.repeat(call)

        await asyncio.gather(*map(repeat, self.record.in_doubt()))

    async def _settle(self, client: Client, seen: Evidence) -> None:
        limit = time.monotonic() + self._settling_seconds
        while True:
            await self.repeat_doubtful(client)
            left = [f"still in doubt: {call.method}" for call in self.record.in_doubt()] or await unrest(seen)
            if not left:
                return
            if time.monotonic() > limit:
                raise AssertionError("\n".join([f"no rest within {self._settling_seconds:g} s:", *left[:20]]))
            await asyncio.sleep(LOOK_EVERY_SECONDS)


async def _repeat_answered(client: Client, record: Record) -> None:
    """A request that was answered before gets the very same answer."""
    answered = list(record.accepted())
    for call in record.random.sample(answered, min(50, len(answered))):
        first = call.answer
        await client.repeat(call)
        assert call.refusal is None, f"{call.method} was answered before and is refused now"
        assert call.answer == first, f"{call.method} brought {first} at first, and later {call.answer}"


def copied(record: Record, seed: object) -> Record:
    """The same record, to be continued with other luck."""
    return Record(Random(str(seed)), list(record.calls))
