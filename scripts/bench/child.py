"""A process of its own for what makes load: caller and server must not share an interpreter."""

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


async def run_child(module: str, given: bytes) -> bytes:
    """What a module of ours prints when it is given this. Raises RuntimeError with what it said when it failed."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        out, said = await child.communicate(given)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode != 0:
        raise RuntimeError(f"the load generator failed: {said.decode(errors='replace').strip()}")
    return out
