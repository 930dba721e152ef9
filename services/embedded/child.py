"""A child process that never outlives us, and never gets the terminal's Ctrl-C."""

import asyncio
import ctypes
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

PR_SET_PDEATHSIG = 1
STOP_SECONDS = 2.0


class ChildFailed(Exception):
    """The child ended, or did not answer in time; the text has the end of its log."""


@asynccontextmanager
async def child(
    name: str,
    command: Sequence[str],
    log: Path,
    answers: Callable[[], Awaitable[bool]],
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float = 15.0,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run `command` with its output in `log`, from the moment `answers` is true until the end of the block.

    Raises `ChildFailed` when it does not get there within `seconds`.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    try:
        await _until_it_answers(name, process, log, answers, seconds)
        yield process
    finally:
        await _stop(process)


async def _until_it_answers(
    name: str,
    process: asyncio.subprocess.Process,
    log: Path,
    answers: Callable[[], Awaitable[bool]],
    seconds: float,
) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not await answers():
                if process.returncode is not None:
                    raise ChildFailed(f"{name} ended with code {process.returncode}: {_end_of(log)}")
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise ChildFailed(f"{name} did not answer within {seconds:g} s: {_end_of(log)}") from None


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return "\n".join(["", *lines[-5:], f"(all of it: {log})"])


def _die_with_parent() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
