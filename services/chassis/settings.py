"""Settings: one typed object per service, from the environment (12-factor)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.chassis.limits import MOST_OF_ANYTHING, Limits
from services.chassis.mounted import Mounted
from services.chassis.running import CannotRun

PORTS = {"reception": 9101, "seat": 9102, "management": 9103, "dashboard": 9104, "notification": 9105}
"""The port each service listens on when nothing else is said."""

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
REQUEST_LOGS = ("refused", "changes", "all")
"""What gets a line of its own: only what went wrong; also what changed something; every call."""

LONGEST_DAYS = 3650.0

SHORTEST_KEY = 32
"""Characters: 128 bits, written in hexadecimal digits."""

SWITCH = {"on": True, "1": True, "true": True, "yes": True, "off": False, "0": False, "false": False, "no": False}


class SettingsError(CannotRun):
    """A setting is missing or wrong; the text says which and what is wanted."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a service must be told from outside.

    `listen` and `upstreams` (service → target) are host:port. `database` is `sqlite:///path`, `postgresql://…`,
    `mariadb://…` or the path of a SQLite file; `bus` is `memory` or `amqp://…`. Times are seconds.

    `keys` open the services' doors (see `callers`), of `pass_keys` passes are made, by `phone_keys` phone numbers are
    sealed; of each the newest is the first.

    What is known of somebody is deleted after a while: `contact_days` after a party has left, how it can be reached and
    its pass; after `notice_days`, what it was told.

    `request_log` is one of `REQUEST_LOGS`. `metrics_listen` is host:port, or empty for no figures; `traces` an OTLP
    endpoint, or empty for no traces; `traces_share` is the share of calls, 0 to 1, that begin a trace.
    """

    service: str
    listen: str
    database: str
    upstreams: Mapping[str, str]
    keys: tuple[str, ...] = ()
    pass_keys: tuple[str, ...] = ()
    phone_keys: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    bus: str = "memory"
    kakao_url: str = "http://127.0.0.1:9190"
    contact_days: float = 7.0
    notice_days: float = 90.0
    reflection: bool = True
    heartbeat_seconds: float = 15.0
    longest_pace_seconds: float = 0.2
    drain_seconds: float = 0.0
    log_level: str = "INFO"
    request_log: str = "refused"
    metrics_listen: str = ""
    traces: str = ""
    traces_share: float = 1.0


@dataclass(frozen=True, slots=True)
class Variables:
    """Environment variables as one service reads them: `TABLING_<SERVICE>_<NAME>`, else `TABLING_<NAME>`.

    Instead of each, one with `_FILE` behind its name may tell the file that has the value: a mounted secret.

    Its methods raise `SettingsError` when a value is not what is wanted.
    """

    service: str
    environment: Mapping[str, str]

    def text(self, name: str, default: str) -> str:
        found = self._found(name)
        if (file := self.environment.get(f"{found}_FILE")) is None:
            return self.environment.get(found, default)
        try:
            return Mounted.read(Path(file))
        except OSError as error:
            raise SettingsError(f"{found}_FILE names {file}, which cannot be read: {error.strerror}") from None

    def seconds(self, name: str, default: float) -> float:
        return self._number(name, default, math.inf, "a number of seconds")

    def days(self, name: str, default: float) -> float:
        wanted = f"a number of days from 1 to {LONGEST_DAYS:.0f}"
        days = self._number(name, default, LONGEST_DAYS, wanted)
        if days < 1:
            raise self._wrong(name, wanted, self.text(name, ""))
        return days

    def address(self, name: str, default: str) -> str:
        value = self.text(name, default)
        host, _, port = value.rpartition(":")
        if not (host and port.isascii() and port.isdigit() and int(port) <= 65535):
            raise self._wrong(name, "host:port", value)
        return value

    def optional_address(self, name: str) -> str:
        return self.address(name, "") if self.text(name, "") else ""

    def optional_url(self, name: str) -> str:
        return self.url(name, "") if self.text(name, "") else ""

    def url(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not value.startswith(("http://", "https://")):
            raise self._wrong(name, "an http:// or https:// address", value)
        return value

    def database(self, default: str) -> str:
        from services.chassis.database.address import parse  # a gateway has no database, nor what it takes

        value = self.text("DATABASE", default)
        try:
            parse(value)
        except ValueError as error:
            # never the value: it may hold a password
            raise SettingsError(f"{self._found('DATABASE')} {error}") from None
        return value

    def bus(self, default: str) -> str:
        value = self.text("BUS", default)
        if value != "memory" and not value.startswith(("amqp://", "amqps://")):
            raise SettingsError(f"{self._found('BUS')} must be memory, or the amqp:// address of a RabbitMQ server")
        return value

    def switch(self, name: str, default: str) -> bool:
        value = self.text(name, default)
        try:
            return SWITCH[value.lower()]
        except KeyError:
            raise self._wrong(name, "on or off", value) from None

    def keys(self, name: str = "KEY") -> tuple[str, ...]:
        """Secrets of this installation, the newest first. There is no way to do without."""
        found = tuple(self.text(name, "").split())
        if not found:
            variable = self._found(name)
            raise SettingsError(f"{variable} must hold one key or more, or {variable}_FILE name a file that does")
        if any(len(key) < SHORTEST_KEY for key in found):
            raise SettingsError(f"{self._found(name)} must hold keys of {SHORTEST_KEY} characters or more")
        return found

    def share(self, name: str, default: float) -> float:
        return self._number(name, default, 1.0, "a number from 0 to 1")

    def whole(self, name: str, default: int, most: int, least: int = 0) -> int:
        value = self.text(name, str(default))
        if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
            raise self._wrong(name, f"a whole number from {least} to {most}", value)
        return int(value)

    def limits(self) -> Limits:
        defaults = asdict(Limits())
        return Limits(**{name: self.whole(name.upper(), most, MOST_OF_ANYTHING, 1) for name, most in defaults.items()})

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        value = self.text(name, default)
        if value.lower() not in choices:
            raise self._wrong(name, f"one of {', '.join(choices)}", value)
        return value.lower()

    def log_level(self, default: str) -> str:
        value = self.text("LOG_LEVEL", default)
        if value.upper() not in LOG_LEVELS:
            raise self._wrong("LOG_LEVEL", f"one of {', '.join(LOG_LEVELS)}", value)
        return value.upper()

    def _number(self, name: str, default: float, most: float, wanted: str) -> float:
        value = self.text(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and 0 <= number <= most):
            raise self._wrong(name, wanted, value)
        return number

    def _found(self, name: str) -> str:
        own = f"TABLING_{self.service.upper()}_{name}"
        return own if not self.environment.keys().isdisjoint((own, f"{own}_FILE")) else f"TABLING_{name}"

    def _wrong(self, name: str, wanted: str, value: str) -> SettingsError:
        return SettingsError(f"{self._found(name)} must be {wanted}, not {value!r}")


def upstreams(given: Variables) -> dict[str, str]:
    """Where each service is found: host:port. Raises `SettingsError`."""
    return {name: given.text(f"{name.upper()}_TARGET", f"127.0.0.1:{port}") for name, port in PORTS.items()}


def from_environment(service: str, environment: Mapping[str, str]) -> Settings:
    """Settings of one service. `TABLING_<NAME>` is for all services, `TABLING_<SERVICE>_<NAME>` for one.

    Raises `SettingsError`.
    """
    given = Variables(service, environment)
    data = Path(given.text("DATA", "data"))
    return Settings(
        service=service,
        listen=given.address("LISTEN", f"127.0.0.1:{PORTS[service]}"),
        database=given.database(str(data / f"{service}.db")),
        upstreams=upstreams(given),
        limits=given.limits(),
        bus=given.bus("memory"),
        kakao_url=given.url("KAKAO_URL", "http://127.0.0.1:9190"),
        contact_days=given.days("CONTACT_DAYS", 7.0),
        notice_days=given.days("NOTICE_DAYS", 90.0),
        reflection=given.switch("REFLECTION", "on"),
        heartbeat_seconds=given.seconds("HEARTBEAT_SECONDS", 15.0),
        longest_pace_seconds=given.seconds("LONGEST_PACE_SECONDS", 0.2),
        drain_seconds=given.seconds("DRAIN_SECONDS", 0.0),
        log_level=given.log_level("INFO"),
        request_log=given.choice("REQUEST_LOG", REQUEST_LOGS, "refused"),
        metrics_listen=given.optional_address("METRICS_LISTEN"),
        traces=given.optional_url("TRACES"),
        traces_share=given.share("TRACES_SHARE", 1.0),
        # last: without them, operators' commands still learn of all the others
        keys=given.keys(),
        pass_keys=given.keys("PASS_KEY") if service == "reception" else (),
        phone_keys=given.keys("PHONE_KEY") if service == "reception" else (),
    )
