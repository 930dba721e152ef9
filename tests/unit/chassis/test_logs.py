"""The log: what is on its lines, what never is, and what becomes of a process that cannot write it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from services.chassis.logs import PHONE_NUMBER

PROLOGUE = """
import asyncio, logging
from services.chassis import logs
logs.configure("INFO", json=True)
log = logs.get_logger("here")
"""

NUMBERS = ["+821012345678", "010-1234-5678", "01012345678", "010 1234 5678", "02-123-4567", "+82 10-1234-5678"]

NO_NUMBERS = [
    "01931234-5678-7abc-8def-012345678901",
    "01234567-0123-7123-8123-012345678901",
    "2026-03-02 03:00:00+00:00",
    "2026-11-22T03:04:05.012345678Z",
    "0.0123456789",
    "r0123456789",
    "+8210****5678",
]


def run(script: str, stderr: Any = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    """Run a script that logs."""
    return subprocess.run(
        [sys.executable, "-c", PROLOGUE + script],
        stdout=subprocess.PIPE,
        stderr=stderr,
        env={"PYTHONPATH": ":".join(sys.path)},
        timeout=30,
        check=False,
        text=True,
    )


def lines(script: str) -> list[dict[str, Any]]:
    """What a script logs."""
    return [json.loads(line) for line in run(script).stderr.splitlines()]


def test_a_log_that_cannot_be_written_does_not_end_the_process() -> None:
    script = """
for number in range(1000):
    log.warning("something", number=number)
print("still here")
"""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        assert run(script, full).stdout == "still here\n"


def test_what_is_told_is_on_every_line_of_a_task_and_of_those_it_starts() -> None:
    script = """
async def one(service):
    logs.tell(service=service)
    log.info("before")
    with logs.telling(correlation_id="r1"):
        log.info("within")
        await asyncio.gather(two())
    log.info("after")

async def two():
    log.info("started")

async def main():
    await asyncio.gather(one("a"), one("b"))
    log.info("elsewhere")

asyncio.run(main())
"""
    seen = [(line["event"], line.get("service"), line.get("correlation_id")) for line in lines(script)]
    for service in "ab":
        assert [each for each in seen if each[1] == service] == [
            ("before", service, None),
            ("within", service, "r1"),
            ("started", service, "r1"),
            ("after", service, None),
        ]
    assert seen[-1] == ("elsewhere", None, None)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_phone_number_is_known_as_one(number: str) -> None:
    assert PHONE_NUMBER.sub("-", f"'{number}'") == "'-'"


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_an_id_or_a_time_is_no_phone_number(text: str) -> None:
    assert not PHONE_NUMBER.search(f"'{text}'")


def test_a_phone_number_in_an_error_s_text_is_not_logged() -> None:
    script = """
try:
    raise ValueError("bad:\\n01012345678 of +821012345678")
except ValueError as error:
    log.error("failed", exc_info=error, text=str(error))
"""
    (line,) = lines(script)
    assert "12345678" not in json.dumps(line)
    assert "(phone number) of (phone number)" in line["exception"]


def test_what_a_library_complains_of_is_a_line_like_ours() -> None:
    script = """
logging.getLogger("some.library").info("chatter")
logging.getLogger("some.library").warning("cannot send to %s", "01012345678")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("some.library").exception("oops")
"""
    warning, error = lines(script)
    assert (warning["level"], warning["module"]) == ("warning", "some.library")
    assert warning["event"] == "cannot send to (phone number)"
    assert (error["level"], error["event"]) == ("error", "oops")
    assert "ZeroDivisionError" in error["exception"]


def test_of_a_caller_that_is_gone_grpc_leaves_no_line() -> None:
    script = """
class ExecuteBatchError(Exception): pass
def complain(name, error):
    try:
        raise error
    except Exception:
        logging.getLogger(name).exception("oops")
complain("grpc._cython.cygrpc", ExecuteBatchError())
complain("grpc._cython.cygrpc", ValueError())
complain("some.library", ExecuteBatchError())
"""
    assert [line["module"] for line in lines(script)] == ["grpc._cython.cygrpc", "some.library"]
