"""A Python process of its own that starts others, and is killed."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.e2e.system import ROOT


@asynccontextmanager
async def parent_that_tells(script: str, *arguments: str) -> AsyncIterator[int]:
    """The number that the script prints first; the process is killed at the end of the block."""
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, *arguments),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'gen'}"},
        stdout=subprocess.PIPE,
    )
    try:
        assert parent.stdout
        async with asyncio.timeout(30):
            told = int(await parent.stdout.readline())
        yield told
    finally:
        with contextlib.suppress(ProcessLookupError):
            parent.kill()
        await parent.wait()
