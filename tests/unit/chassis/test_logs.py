"""The log, and what becomes of a process that cannot write it."""

import subprocess
import sys
from pathlib import Path

WRITES = """
from services.chassis import logs
logs.configure("INFO", json=True)
for number in range(1000):
    logs.get_logger("here").warning("something", number=number)
print("still here")
"""


def test_a_log_that_cannot_be_written_does_not_end_the_process() -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        done = subprocess.run(
            [sys.executable, "-c", WRITES],
            stdout=subprocess.PIPE,
            stderr=full,
            env={"PYTHONPATH": ":".join(sys.path)},
            timeout=30,
            check=False,
        )
    assert done.stdout == b"still here\n"
