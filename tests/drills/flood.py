"""Many requests a second, made by h2load: a process of its own, which leaves the machine to what is flooded."""

import asyncio
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 100
DONE = re.compile(r"finished in .*, ([\d.]+) req/s")
STATUSES = re.compile(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx")


@dataclass(frozen=True)
class Flood:
    """What came of it: requests, those let in, refused and failed, and how many there were a second."""

    requests: int
    let_in: int
    refused: int
    failed: int
    rate: float


async def flood(url: str, body: str, seconds: float, rate: int, folder: Path) -> Flood:
    """Post this JSON again and again, at this rate if possible."""
    program = shutil.which("h2load")
    assert program, "h2load is missing. Type: sudo apt-get install --no-install-recommends nghttp2-client"
    file = folder / "body.json"
    file.write_text(body)
    requests = round(seconds * rate)
    process = await asyncio.create_subprocess_exec(
        *(program, "-n", str(requests), "-c", str(CONNECTIONS), "--rps", str(rate / CONNECTIONS)),
        *("-d", str(file), "-H", "content-type: application/json", url),
        stdout=subprocess.PIPE,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    done, statuses = DONE.search(said.decode()), STATUSES.search(said.decode())
    assert done, said
    assert statuses, said
    let_in, _, refused, failed = map(int, statuses.groups())
    return Flood(requests, let_in, refused, failed, float(done[1]))
