"""One drill: the embedded system dies at a chosen moment under load, comes back, and is looked at."""

import asyncio
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from services.chassis.crash import EXIT_CODE
from tests.drills.calls import Client, Record
from tests.drills.load import Load
from tests.drills.site import embedded_site
from tests.drills.trial import Report, Trial, copied
from tests.e2e.system import Ended, System, running_system

BARE = ("--no-gateway", "--no-demo")
LONGEST_LIFE_SECONDS = 30.0
SETTLING_SECONDS = 30.0


Trouble = Callable[[System, Client], Awaitable[None]]
"""Something that goes wrong while a system lives."""


class Drill(Trial):
    """A data folder, the lives of the systems on it, and the record of all that was asked of them."""

    def __init__(self, template: Path, data: Path, record: Record, seed: object) -> None:
        shutil.copytree(template, data, dirs_exist_ok=True)
        self.data = data
        super().__init__(copied(record, seed), SETTLING_SECONDS)

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
            return await self.come_right(client, embedded_site(self.data), what, "")

    async def die_of(self, trouble: Trouble) -> None:
        """Live under load while something goes wrong that ends with a kill -9."""
        async with running_system(self.data, *BARE) as system, Client(system, self.record) as client:
            await self._suffer(trouble, system, client)
            assert system.process.returncode == -signal.SIGKILL, f"it ended with code {system.process.returncode}"

    async def recover(self, what: str, passing: str) -> Report:
        """Live unharmed until everything has come right; then look whether it has."""
        started = time.monotonic()
        async with running_system(self.data, *BARE) as system, Client(system, self.record) as client:
            return await self.come_right(client, embedded_site(self.data), what, passing, since=started)

    async def _suffer(self, trouble: Trouble, system: System, client: Client) -> None:
        load = Load(client)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run(LONGEST_LIFE_SECONDS))
            await trouble(system, client)
            load.end()
        self.note_doubtful()

    async def _live(self, environment: Mapping[str, str], *, kill_after: float | None = None) -> int | None:
        """The exit code of a system that ended, sooner or later; None when it did not."""
        try:
            async with running_system(self.data, *BARE, environment=environment) as system:
                if kill_after is not None:
                    asyncio.get_running_loop().call_later(kill_after, system.kill)
                async with Client(system, self.record) as client:
                    await self.repeat_doubtful(client)
                    await Load(client).run(LONGEST_LIFE_SECONDS)
                self.note_doubtful()
                return system.process.returncode
        except Ended as ended:
            return ended.code
