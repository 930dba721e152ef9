"""What can be found in the logs of one reception, by its id, and what never can."""

import asyncio
import json
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from services.chassis import logs
from tabling.management.v1.management_service_pb2 import GetOrderRequest, SeatOrderRequest
from tests.component.five import STORE, five

PROCESS = """
from pathlib import Path
from tests.component.test_saga_logs import story
import asyncio, sys
asyncio.run(story(Path(sys.argv[1]), sys.argv[2]))
"""


async def story(folder: Path, wanted: str) -> None:
    """A party comes, is called and seated, and others do what cannot be done; tells its name and all numbers."""
    logs.configure("INFO", json=True)
    async with five(folder, REQUEST_LOG=wanted) as here:
        await here.open_store(2)
        name = (await here.join()).name
        await here.settled()
        order = name.replace("receptions", "orders")
        await here.staff.SeatOrder(SeatOrderRequest(name=order))
        await here.settled()
        await here.reception(name)
        with suppress(grpc.aio.AioRpcError):
            await here.join(party_size=-1)
        with suppress(grpc.aio.AioRpcError):
            await here.staff.GetOrder(GetOrderRequest(name=f"{STORE}/orders/nobody"))
    print(json.dumps([name.rpartition("/")[2], here.phones]))


@dataclass
class Log:
    """What such a story leaves behind."""

    saga: str
    phones: list[str]
    text: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All lines."""
        return [json.loads(line) for line in self.text.splitlines()]

    def of(self, saga: str) -> list[dict[str, Any]]:
        """The lines with this correlation id."""
        return [line for line in self.lines if line.get("correlation_id") == saga]


async def logged(folder: Path, wanted: str) -> Log:
    """The log of a story, told in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, str(folder), wanted,
        env={"PYTHONPATH": ":".join(sys.path)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    saga, phones = json.loads(out)
    return Log(saga, phones, err.decode())


def methods(lines: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Service, method and code of the calls among lines."""
    return [(line["service"], line["method"].rpartition("/")[2], line["code"]) for line in lines if "ms" in line]


async def test_a_saga_is_found_by_its_id_in_the_logs_of_all_services(tmp_path: Path) -> None:
    log = await logged(tmp_path, "changes")
    found = log.of(log.saga)
    assert {line["service"] for line in found} == {"reception", "seat", "management", "dashboard", "notification"}
    assert methods(found) == [("reception", "CreateReception", "OK"), ("management", "SeatOrder", "OK")]
    applied = [(line["service"], line["type"]) for line in found if line["event"] == "applied"]
    assert ("seat", "reception.reception.added.v1") in applied
    assert ("reception", "management.order.seated.v1") in applied
    assert ("dashboard", "reception.reception.seated.v1") in applied
    notices = [(line["state"], line["notice"]) for line in found if line["event"] == "notice settled"]
    assert notices == [("DELIVERED", f"{log.saga}-come-in-0")]
    assert all(line["timestamp"] and line["level"] == "info" for line in found)


async def test_what_went_well_has_no_line_unless_wanted_and_what_was_refused_has(tmp_path: Path) -> None:
    log = await logged(tmp_path, "refused")
    assert {line["event"] for line in log.lines} == {"serving", "refused"}
    (refused,) = log.of("nobody")
    assert refused["ms"] >= 0
    assert (refused["service"], refused["code"], refused["reason"]) == ("management", "NOT_FOUND", "NOT_FOUND")


async def test_where_all_calls_are_wanted_reads_have_lines_too_and_no_phone_number_is_in_any(tmp_path: Path) -> None:
    log = await logged(tmp_path, "all")
    guide = Path(__file__).parents[2].joinpath("docs", "operations.md").read_text("utf-8")
    assert {field for line in log.lines for field in line if f"`{field}`" not in guide} == set()
    assert ("reception", "GetReception", "OK") in methods(log.of(log.saga))
    assert ("reception", "BatchGetContacts", "OK") in methods(log.lines)
    assert len(log.phones) == 2
    assert [phone for phone in log.phones if phone[3:] in log.text] == []
    assert "phone number" not in log.text
