"""Where a system leaves its traces, and how they are read."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from services.chassis.database import Database
from services.operations import invariants
from services.operations.catalogue import SERVICES
from services.operations.databases import opened
from services.operations.invariants import Books
from services.operations.invariants.queues import waiting
from tests.e2e.system import log_of

LEFT = "ExecuteBatchError raised in core by servicer method"


@dataclass(frozen=True)
class Site:
    """The databases' addresses by service, KakaoTalk's folder, what the system prints to, and the broker's address."""

    addresses: Mapping[str, str]
    kakao: Path
    logs: Sequence[Path]
    bus: str = ""

    def messages(self) -> list[str]:
        """The keys of all messages that KakaoTalk ever took."""
        journal = self.kakao / "kakao.jsonl"
        lines = journal.read_text(encoding="utf-8").splitlines() if journal.exists() else []
        records = [json.loads(line) for line in lines if line.endswith("}")]
        return [str(message[2]) for record in records if "messages" in record for message in record["messages"]]

    def complaints(self) -> list[str]:
        """What the system itself calls an error, but for what gRPC tells of callers who left as they were answered."""
        lines = [line for log in self.logs if log.exists() for line in log.read_text(errors="replace").splitlines()]
        serious = ('"level": "error"', '"level": "critical"')
        found = [line for line in lines if line.startswith("Traceback") or any(word in line for word in serious)]
        return [line for line in found if LEFT not in line]


def embedded_site(data: Path) -> Site:
    """That of the system on a data folder."""
    return Site({name: str(data / f"{name}.db") for name in SERVICES}, data / "kakao", [log_of(data)])


class Evidence:
    """A site while it is looked at."""

    def __init__(self, site: Site, databases: Mapping[str, Database]) -> None:
        self.site = site
        self.databases = databases

    async def books(self) -> Books:
        """All that the databases have."""
        return await invariants.read(self.databases)

    async def queues(self) -> list[str]:
        """The broker's queues that are not empty."""
        return await waiting(self.site.bus, quiescent=True) if self.site.bus else []


@asynccontextmanager
async def evidence(site: Site) -> AsyncIterator[Evidence]:
    """The site, for the length of the block."""
    async with AsyncExitStack() as stack:
        databases = {
            name: await stack.enter_async_context(opened(name, address)) for name, address in site.addresses.items()
        }
        yield Evidence(site, databases)
