"""What the embedded system must be told."""

from dataclasses import dataclass
from pathlib import Path

from services.chassis.settings import PORTS
from services.local.ports import Listener


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedSettings:
    """What the embedded system must be told. `first_port` is reception's; the others follow in `PORTS`' order."""

    data: Path = Path("data")
    port: int = 8080
    first_port: int = 9101
    kakao_port: int = 9190
    demo: bool = True
    gateway: bool = True
    origins: tuple[str, ...] = ("http://localhost:5173", "http://127.0.0.1:5173")

    @property
    def targets(self) -> dict[str, str]:
        """Service → host:port of its own gRPC server."""
        return {name: f"127.0.0.1:{self.first_port + index}" for index, name in enumerate(PORTS)}

    @property
    def environment(self) -> dict[str, str]:
        """What the services are told of all this."""
        given = {"TABLING_DATA": str(self.data), "TABLING_KAKAO_URL": f"http://127.0.0.1:{self.kakao_port}"}
        for name, target in self.targets.items():
            given[f"TABLING_{name.upper()}_LISTEN"] = given[f"TABLING_{name.upper()}_TARGET"] = target
        return given

    @property
    def listeners(self) -> list[Listener]:
        """Everything that will listen."""
        gateway = [Listener("the gateway", self.port, "--port")] if self.gateway else []
        kakao = Listener("the stand-in for KakaoTalk", self.kakao_port, "--kakao-port")
        services = [Listener(name, self.first_port + index, "--first-port") for index, name in enumerate(PORTS)]
        return [*gateway, kakao, *services]
