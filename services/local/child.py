"""A child process: never outlives us, never gets the terminal's Ctrl-C, and comes back when it dies."""

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.chassis.logs import get_logger
from services.chassis.running import CannotRun

log = get_logger(__name__)

MOST_ENDS = 5
WITHIN_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 10.0

# Becomes the wanted program in the same process, having asked Linux to kill it when its parent dies, however that
# happens. A function to run between fork and exec would do the same, but is not safe beside threads.
LAUNCH = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the parent is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class ChildFailed(CannotRun):
    """The child did not start, or ends again and again; the text has the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What a child runs.

    `answers` asks it whether it is ready. `prepare` is called before each start, `explain` gets the text of the log
    when something went wrong, and says what to do. `environment` is ours if it is not given. One that ends `most_ends`
    times within a minute is given up; None: never.
    """

    name: str
    command: Sequence[str]
    log: Path
    answers: Callable[[], Awaitable[bool]]
    prepare: Callable[[], None] = lambda: None
    explain: Callable[[str], str]
    environment: Mapping[str, str] | None = None
    start_seconds: float = 20.0
    stop_seconds: float = 1.5
    most_ends: int | None = MOST_ENDS


class Child:
    """One child process. `answering` is set once it has been ready for the first time."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: asyncio.subprocess.Process | None = None
        self.answering = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self) -> None:
        """Start it; `ready` tells when it answers. What it prints goes to its log, which begins anew.

        Raises `ChildFailed`.
        """
        await self._start("wb")

    async def ready(self) -> None:
        """Return once it answers. Raises `ChildFailed`."""
        process = self._started()
        try:
            async with asyncio.timeout(self._program.start_seconds):
                while not await self._program.answers():
                    if process.returncode is not None:
                        raise self._failed(f"ended with code {process.returncode}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise self._failed(f"did not answer within {self._program.start_seconds:g} s") from None
        self.answering.set()

    async def keep_running(self) -> None:
        """Wait until it is ready; then start it again whenever it ends. Raises `ChildFailed` when that is no use."""
        await self.ready()
        ends: deque[float] = deque()
        while True:
            code = await self.wait()
            ends.append(time.monotonic())
            while ends[0] < ends[-1] - WITHIN_SECONDS:
                ends.popleft()
            if len(ends) == self._program.most_ends:
                raise self._failed(f"ended {len(ends)} times within {WITHIN_SECONDS:g} s, now with code {code}")
            pause = min(FIRST_PAUSE_SECONDS * 2 ** (len(ends) - 1), LONGEST_PAUSE_SECONDS)
            log.warning("child ended, starting it again", child=self._program.name, code=code, pause_seconds=pause)
            await asyncio.sleep(pause)
            await self._start("ab")
            try:
                await self.ready()
            except ChildFailed:
                await self.stop()

    async def wait(self) -> int:
        """Wait until it has ended, wanted or not; its exit code."""
        return await self._started().wait()

    async def stop(self) -> None:
        """End it, by force if need be."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(self._program.stop_seconds):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _start(self, log_mode: str) -> None:
        program = self._program
        try:
            program.log.parent.mkdir(parents=True, exist_ok=True)
            program.prepare()
            with program.log.open(log_mode) as output:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid()), *program.command),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=program.environment,
                    # Ctrl-C is for us: our own work ends before that of the children.
                    start_new_session=True,
                )
        except OSError as error:
            raise ChildFailed(f"{program.name} cannot be started: {error}") from error

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            raise RuntimeError(f"{self._program.name} was not started")
        return self._process

    def _failed(self, what: str) -> ChildFailed:
        text = self._program.log.read_text(encoding="utf-8", errors="replace")
        last_lines = "\n".join(text.splitlines()[-8:])
        return ChildFailed(f"{self._program.name} {what}: {self._program.explain(text)}\n{last_lines}".rstrip())


@asynccontextmanager
async def started(children: Sequence[Child]) -> AsyncIterator[None]:
    """Start these children now, and end them with the block."""
    async with ended(children):
        for child in children:
            await child.start()
        yield


@asynccontextmanager
async def ended(children: Sequence[Child]) -> AsyncIterator[None]:
    """End these children with the block, as far as they were started."""
    try:
        yield
    finally:
        await asyncio.gather(*(child.stop() for child in children))
