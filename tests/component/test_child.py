"""Child processes: looked after, and gone with their parent."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.chassis.testing import eventually
from services.local.child import MOST_ENDS, Child, ChildFailed, Program
from tests.parent import parent_that_tells

ROOT = Path(__file__).resolve().parents[2]

STEADY = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).write_text('up'); time.sleep(60)"
SHORT_LIVED = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text('up'); print('no more'); sys.exit(3)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + STEADY


def program(folder: Path, code: str) -> Program:
    """Python code as a child; it is ready once it has written its file, which its death removes."""
    up = folder / "up"

    async def answers() -> bool:
        return up.exists() and up.read_text() == "up"

    return Program(
        name="the child",
        command=(sys.executable, "-I", "-S", "-c", code, str(up)),
        log=folder / "child.log",
        answers=answers,
        prepare=lambda: up.unlink(missing_ok=True),
        explain=lambda log: f"it said {len(log.split())} words",
    )


@asynccontextmanager
async def kept(folder: Path, code: str) -> AsyncIterator[tuple[Child, asyncio.Task[None]]]:
    """A child that is kept running for the length of the block."""
    child = Child(program(folder, code))
    await child.start()
    keeper = asyncio.create_task(child.keep_running())
    try:
        yield child, keeper
    finally:
        keeper.cancel()
        await asyncio.wait([keeper])
        await child.stop()


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_child_that_dies_comes_back(tmp_path: Path) -> None:
    async with kept(tmp_path, STEADY) as (child, _):
        await asyncio.wait_for(child.answering.wait(), 10)
        first = child.pid
        assert first
        os.kill(first, signal.SIGKILL)
        second = await eventually(lambda: child.pid if child.pid != first else None, seconds=10)
        assert alive(second)
    assert not alive(second)


async def test_a_child_that_keeps_dying_is_given_up_with_its_last_words(tmp_path: Path) -> None:
    async with kept(tmp_path, SHORT_LIVED) as (_, keeper):
        with pytest.raises(ChildFailed) as raised:
            await asyncio.wait_for(keeper, 20)
    assert f"the child ended {MOST_ENDS} times within 60 s, now with code 3: it said" in str(raised.value)
    assert str(raised.value).endswith("no more")


async def test_a_child_that_never_answers_is_told_with_its_code(tmp_path: Path) -> None:
    child = Child(program(tmp_path, "import sys; sys.exit('cannot begin')"))
    await child.start()
    with pytest.raises(ChildFailed, match=r"the child ended with code 1: it said 2 words\ncannot begin"):
        await child.ready()


async def test_a_child_without_a_place_for_its_log_is_no_riddle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ChildFailed, match=r"the child cannot be started: .*Not a directory"):
        await Child(program(tmp_path / "file" / "folder", STEADY)).start()


async def test_a_child_that_will_not_end_is_ended(tmp_path: Path) -> None:
    async with kept(tmp_path, STUBBORN) as (child, _):
        await asyncio.wait_for(child.answering.wait(), 10)
        pid = child.pid
        assert pid
    assert not alive(pid)


async def test_the_ctrl_c_of_our_terminal_is_not_for_children(tmp_path: Path) -> None:
    async with kept(tmp_path, STEADY) as (child, _):
        assert child.pid
        assert os.getsid(child.pid) == child.pid != os.getsid(0)


async def test_a_child_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = (
        "import asyncio, pathlib, sys\n"
        "from services.local.child import Child\n"
        "from tests.component.test_child import STEADY, program\n"
        "async def main():\n"
        "    child = Child(program(pathlib.Path(sys.argv[1]), STEADY))\n"
        "    await child.start()\n"
        "    await child.ready()\n"
        "    print(child.pid, flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    async with parent_that_tells(script, str(tmp_path)) as pid:
        assert alive(pid)
    assert await eventually(lambda: not alive(pid))
