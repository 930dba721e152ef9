"""What the full system must be told."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.chassis.settings import PORTS
from services.local.ports import Listener

METRICS_PORTS_ABOVE = 100
"""A process counts on the port that is so far above the one it serves on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """One process of a service; `number` counts from 1."""

    service: str
    number: int
    port: int

    @property
    def name(self) -> str:
        return f"{self.service}-{self.number}"

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def metrics_address(self) -> str:
        return f"127.0.0.1:{self.port + METRICS_PORTS_ABOVE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FullSettings:
    """What the full system must be told. `first_port` is that of the first reception; the others follow in `PORTS`'
    order, then all of the second replicas, and so on."""

    data: Path = Path("data/full")
    port: int = 8080
    first_port: int = 9101
    kakao_port: int = 9190
    demo: bool = True
    replicas: int = 1
    origins: tuple[str, ...] = ("http://localhost:5173", "http://127.0.0.1:5173")

    @property
    def processes(self) -> list[Replica]:
        """Every process of a service."""
        return list(self._processes())

    @property
    def targets(self) -> dict[str, str]:
        """Service → host:port of its processes, with commas between."""
        return {
            service: ",".join(process.address for process in self.processes if process.service == service)
            for service in PORTS
        }

    @property
    def kakao_url(self) -> str:
        """Where the stand-in for KakaoTalk is."""
        return f"http://127.0.0.1:{self.kakao_port}"

    @property
    def listeners(self) -> list[Listener]:
        """Everything that will listen on a port that was asked for."""
        found = [
            Listener("the gateway", self.port, "--port"),
            Listener("the stand-in for KakaoTalk", self.kakao_port, "--kakao-port"),
        ]
        for process in self.processes:
            found.append(Listener(process.name, process.port, "--first-port"))
            found.append(Listener(f"{process.name}'s metrics", process.port + METRICS_PORTS_ABOVE, "--first-port"))
        return found

    def _processes(self) -> Iterator[Replica]:
        port = self.first_port
        for number in range(1, self.replicas + 1):
            for service in PORTS:
                yield Replica(service=service, number=number, port=port)
                port += 1
