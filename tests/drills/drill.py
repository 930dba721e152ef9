"""One drill: a system dies at a chosen moment under load, comes back, and is looked at."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from services.chassis.crash import EXIT_CODE
from services.chassis.testing import eventually
from tests.drills.audit import Findings, audit, unrest
from tests.drills.calls import Call, Client, NoAnswer, Record
from tests.drills.load import Load
from tests.e2e.system import Ended, System, running_system

FULL = os.environ.get("TABLING_DRILLS") == "full"
"""Whether to take all the time it needs; else a few drills that stand for the others."""

BARE = ("--no-gateway", "--no-demo")
LONGEST_LIFE_SECONDS = 30.0
SETTLING_SECONDS = 30.0


Trouble = Callable[[System, Client], Awaitable[None]]
"""Something that goes wrong while a system lives."""


@dataclass(frozen=True)
class Report:
    """What came of a drill."""

    what: str
    passing: str
    accepted: int
    in_doubt: int
    findings: Findings
    recovery_seconds: float


class Drill:
    """A data folder, the lives of the systems on it, and the record of all that was asked of them."""

    def __init__(self, template: Path, data: Path, record: Record, seed: object) -> None:
        shutil.copytree(template, data, dirs_exist_ok=True)
        self.data = data
        self.record = Record(Random(str(seed)), list(record.calls))
        self._doubtful: set[int] = set()

    async def die_at(self, point: str, passing: int) -> None:
        """Live under load until the n-th passing of a crash point."""
        died = await self._live({"TABLING_CRASH": f"{point}:{passing}"})
        assert died is not None, f"{point} was not passed {passing} times in {LONGEST_LIFE_SECONDS:g} s"
        assert died == EXIT_CODE, f"the system ended with code {died}"

    async def die_after(self, seconds: float) -> None:
        """Live under load until a kill -9 after so long."""
        died = await self._live({}, kill_after=seconds)
        assert died == -signal.SIGKILL, f"the system ended with code {died}"

    async def live_through(self, trouble: Trouble, what: str) -> Report:
        """Live under load while something goes wrong, until everything has come right again; then look."""
        async with running_system(self.data, *BARE) as system, Client(system, self.record) as client:
            await self._suffer(trouble, system, client)
            assert system.process.returncode is None, f"the system ended with code {system.process.returncode}"
            return await self._come_right(client, what, "")

    async def die_of(self, trouble: Trouble) -> None:
        """Live under load while something goes wrong that ends with a kill -9."""
        async with running_system(self.data, *BARE) as system, Client(system, self.record) as client:
            await self._suffer(trouble, system, client)
            assert system.process.returncode == -signal.SIGKILL, f"it ended with code {system.process.returncode}"

    async def recover(self, what: str, passing: str) -> Report:
        """Live unharmed until everything has come right; then look whether it has."""
        started = time.monotonic()
        async with running_system(self.data, *BARE) as system, Client(system, self.record) as client:
            return await self._come_right(client, what, passing, started)

    async def _come_right(self, client: Client, what: str, passing: str, started: float | None = None) -> Report:
        started = started or time.monotonic()
        await self._repeat_doubtful(client)
        await self._settle()
        seconds = time.monotonic() - started
        findings = audit(self.data, self.record)
        await _repeat_answered(client, self.record)
        accepted = sum(1 for _ in self.record.accepted())
        return Report(what, passing, accepted, len(self._doubtful), findings, seconds)

    async def _suffer(self, trouble: Trouble, system: System, client: Client) -> None:
        load = Load(client)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(LONGEST_LIFE_SECONDS))
            await trouble(system, client)
            load.end()
        self._doubtful.update(map(id, self.record.in_doubt()))

    async def _live(self, environment: Mapping[str, str], *, kill_after: float | None = None) -> int | None:
        """The exit code of a system that ended, sooner or later; None when it did not."""
        try:
            async with running_system(self.data, *BARE, environment=environment) as system:
                if kill_after is not None:
                    asyncio.get_running_loop().call_later(kill_after, system.kill)
                async with Client(system, self.record) as client:
                    await self._repeat_doubtful(client)
                    await Load(client).run(LONGEST_LIFE_SECONDS)
                self._doubtful.update(map(id, self.record.in_doubt()))
                return system.process.returncode
        except Ended as ended:
            return ended.code

    async def _repeat_doubtful(self, client: Client) -> None:
        """Ask again for whatever was not answered; a system that dies meanwhile leaves it in doubt."""

        async def repeat(call: Call) -> None:
            with suppress(NoAnswer):
                await client.repeat(call)

        await asyncio.gather(*map(repeat, self.record.in_doubt()))

    async def _settle(self) -> None:
        seen: list[str] = []

        def at_rest() -> bool:
            seen[:] = unrest(self.data)
            return not seen

        try:
            await eventually(at_rest, seconds=SETTLING_SECONDS)
        except AssertionError:
            raise AssertionError("\n".join([f"no rest within {SETTLING_SECONDS:g} s:", *seen[:20]])) from None


async def _repeat_answered(client: Client, record: Record) -> None:
    """A request that was answered before gets the very same answer."""
    answered = list(record.accepted())
    for call in record.random.sample(answered, min(50, len(answered))):
        first = call.answer
        await client.repeat(call)
        assert call.refusal is None, f"{call.method} was answered before and is refused now"
        assert call.answer == first, f"{call.method} brought {first} at first, and later {call.answer}"
