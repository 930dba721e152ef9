"""Settings: one typed object per service, from the environment (12-factor)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PORTS = {"reception": 9101, "seat": 9102, "management": 9103, "dashboard": 9104, "notification": 9105}
"""The port each service listens on when nothing else is said."""


class SettingsError(Exception):
    """A setting is missing or wrong; the text says which and what is wanted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a service must be told from outside.

    `listen` and `upstreams` (service → target) are host:port; `database` is a SQLite file. Times are seconds.
    """

    service: str
    listen: str
    database: Path
    upstreams: Mapping[str, str]
    kakao_url: str = "http://127.0.0.1:9190"
    reflection: bool = True
    heartbeat_seconds: float = 15.0
    pace_seconds: float = 0.020
    drain_seconds: float = 0.0
    log_level: str = "INFO"


def from_environment(service: str, environment: Mapping[str, str]) -> Settings:
    """Settings of one service. `TABLING_<NAME>` is for all services, `TABLING_<SERVICE>_<NAME>` for one.

    Raises `SettingsError`.
    """

    def value(name: str, default: str) -> str:
        return environment.get(f"TABLING_{service.upper()}_{name}", environment.get(f"TABLING_{name}", default))

    def number(name: str, default: float) -> float:
        try:
            return float(value(name, str(default)))
        except ValueError:
            raise SettingsError(f"TABLING_{name} must be a number of seconds, not {value(name, '')!r}") from None

    data = Path(value("DATA", "data"))
    return Settings(
        service=service,
        listen=value("LISTEN", f"127.0.0.1:{PORTS[service]}"),
        database=Path(value("DATABASE", str(data / f"{service}.db"))),
        upstreams={name: value(f"{name.upper()}_TARGET", f"127.0.0.1:{port}") for name, port in PORTS.items()},
        kakao_url=value("KAKAO_URL", "http://127.0.0.1:9190"),
        reflection=value("REFLECTION", "on").lower() in ("on", "1", "true", "yes"),
        heartbeat_seconds=number("HEARTBEAT_SECONDS", 15.0),
        pace_seconds=number("PACE_SECONDS", 0.020),
        drain_seconds=number("DRAIN_SECONDS", 0.0),
        log_level=value("LOG_LEVEL", "INFO").upper(),
    )
