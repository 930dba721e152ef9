"""Settings: one typed object per service, from the environment (12-factor)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.chassis.running import CannotRun

PORTS = {"reception": 9101, "seat": 9102, "management": 9103, "dashboard": 9104, "notification": 9105}
"""The port each service listens on when nothing else is said."""

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
SWITCH = {"on": True, "1": True, "true": True, "yes": True, "off": False, "0": False, "false": False, "no": False}


class SettingsError(CannotRun):
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
    longest_pace_seconds: float = 0.2
    drain_seconds: float = 0.0
    log_level: str = "INFO"


@dataclass(frozen=True, slots=True)
class Variables:
    """Environment variables as one service reads them: `TABLING_<SERVICE>_<NAME>`, else `TABLING_<NAME>`.

    Its methods raise `SettingsError` when a value is not what is wanted.
    """

    service: str
    environment: Mapping[str, str]

    def text(self, name: str, default: str) -> str:
        return self.environment.get(self._found(name), default)

    def seconds(self, name: str, default: float) -> float:
        value = self.text(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and number >= 0):
            raise self._wrong(name, "a number of seconds", value)
        return number

    def address(self, name: str, default: str) -> str:
        value = self.text(name, default)
        host, _, port = value.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and int(port) <= 65535):
            raise self._wrong(name, "host:port", value)
        return value

    def url(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not value.startswith(("http://", "https://")):
            raise self._wrong(name, "an http:// or https:// address", value)
        return value

    def switch(self, name: str, default: str) -> bool:
        value = self.text(name, default)
        try:
            return SWITCH[value.lower()]
        except KeyError:
            raise self._wrong(name, "on or off", value) from None

    def log_level(self, default: str) -> str:
        value = self.text("LOG_LEVEL", default)
        if value.upper() not in LOG_LEVELS:
            raise self._wrong("LOG_LEVEL", f"one of {', '.join(LOG_LEVELS)}", value)
        return value.upper()

    def _found(self, name: str) -> str:
        own = f"TABLING_{self.service.upper()}_{name}"
        return own if own in self.environment else f"TABLING_{name}"

    def _wrong(self, name: str, wanted: str, value: str) -> SettingsError:
        return SettingsError(f"{self._found(name)} must be {wanted}, not {value!r}")


def from_environment(service: str, environment: Mapping[str, str]) -> Settings:
    """Settings of one service. `TABLING_<NAME>` is for all services, `TABLING_<SERVICE>_<NAME>` for one.

    Raises `SettingsError`.
    """
    given = Variables(service, environment)
    data = Path(given.text("DATA", "data"))
    return Settings(
        service=service,
        listen=given.address("LISTEN", f"127.0.0.1:{PORTS[service]}"),
        database=Path(given.text("DATABASE", str(data / f"{service}.db"))),
        upstreams={name: given.text(f"{name.upper()}_TARGET", f"127.0.0.1:{port}") for name, port in PORTS.items()},
        kakao_url=given.url("KAKAO_URL", "http://127.0.0.1:9190"),
        reflection=given.switch("REFLECTION", "on"),
        heartbeat_seconds=given.seconds("HEARTBEAT_SECONDS", 15.0),
        longest_pace_seconds=given.seconds("LONGEST_PACE_SECONDS", 0.2),
        drain_seconds=given.seconds("DRAIN_SECONDS", 0.0),
        log_level=given.log_level("INFO"),
    )
