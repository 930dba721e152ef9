"""What domain code may use: broken rules, aggregates, ids. Standard library only."""

import base64
import os
import random
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import ClassVar


class Kind(Enum):
    """What a broken rule means to a caller; each kind is one gRPC status code."""

    INVALID = "INVALID_ARGUMENT"
    NOT_FOUND = "NOT_FOUND"
    EXISTS = "ALREADY_EXISTS"
    PRECONDITION = "FAILED_PRECONDITION"
    EXHAUSTED = "RESOURCE_EXHAUSTED"
    ABORTED = "ABORTED"
    DENIED = "PERMISSION_DENIED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE = "DEADLINE_EXCEEDED"


class DomainError(Exception):
    """A broken rule, named as a fact; the class's name is the reason on the wire (`LineFull` → `LINE_FULL`).

    `english` and `korean` are what a person may be shown; the message is for the developer of the caller. Where trying
    again later may help, `retry_after_seconds` tells when: the same for all of a kind, or for this one.
    """

    kind: ClassVar[Kind] = Kind.PRECONDITION
    english: ClassVar[str] = "That is not possible right now."
    korean: ClassVar[str] = "지금은 할 수 없습니다."
    retry_after_seconds: float | None = None

    def __init__(self, message: str, retry_after: timedelta | None = None, /, **metadata: str) -> None:
        super().__init__(message)
        self.metadata = metadata
        if retry_after is not None:
            self.retry_after_seconds = retry_after.total_seconds()

    @property
    def reason(self) -> str:
        """Upper snake case of the class's name, at most 63 characters (AIP-193)."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).upper()


class NotFound(DomainError):
    """No such resource, or none that the caller may know of."""

    kind = Kind.NOT_FOUND
    english = "Not found."
    korean = "찾을 수 없습니다."


class AlreadyExists(DomainError):
    """A resource with this name exists."""

    kind = Kind.EXISTS
    english = "It already exists."
    korean = "이미 있습니다."


class Stale(DomainError):
    """Somebody else changed the resource first."""

    kind = Kind.ABORTED
    english = "It was changed meanwhile. Please look again."
    korean = "그사이 변경되었습니다. 다시 확인해 주세요."


class Conflict(Stale):
    """Another transaction changed the same rows first; the database runs this one again by itself."""


class Unauthenticated(DomainError):
    """Nobody knows who calls, and this is not for everybody."""

    kind = Kind.UNAUTHENTICATED
    english = "Please sign in."
    korean = "로그인이 필요합니다."


class PermissionDenied(DomainError):
    """This is for others than the caller."""

    kind = Kind.DENIED
    english = "You are not allowed to do this."
    korean = "권한이 없습니다."


class RequestIdReused(DomainError):
    """The request id was used before with other content."""

    kind = Kind.INVALID
    english = "The request could not be repeated."
    korean = "요청을 다시 처리할 수 없습니다."


class TooBusy(DomainError):
    """More work is waiting than the service can take on."""

    kind = Kind.EXHAUSTED
    english = "Too many people at once. Please try again in a moment."
    korean = "접속자가 많습니다. 잠시 후 다시 시도해 주세요."
    retry_after_seconds = 1.0


class StorageBusy(DomainError):
    """The database cannot be written to for the moment."""

    kind = Kind.UNAVAILABLE
    english = "Please try again in a moment."
    korean = "잠시 후 다시 시도해 주세요."
    retry_after_seconds = 1.0


class OutcomeUnknown(StorageBusy):
    """The database was lost while it committed, and could not be asked since."""


class StorageFull(DomainError):
    """The database's disk is full."""

    kind = Kind.EXHAUSTED
    english = "The service is out of space. Please try again later."
    korean = "저장 공간이 부족합니다. 나중에 다시 시도해 주세요."


class DeadlineExceeded(DomainError):
    """The caller's deadline passed before the work began; nothing was changed."""

    kind = Kind.DEADLINE
    english = "It took too long. Please try again."
    korean = "시간이 초과되었습니다. 다시 시도해 주세요."


class ServerStarting(DomainError):
    """This replica does not serve yet; another one, or this one in a moment, answers."""

    kind = Kind.UNAVAILABLE
    english = "Please try again in a moment."
    korean = "잠시 후 다시 시도해 주세요."
    retry_after_seconds = 0.5


class ServerStopping(DomainError):
    """This replica is going away; another one, or the next one, answers."""

    kind = Kind.UNAVAILABLE
    english = "Please try again in a moment."
    korean = "잠시 후 다시 시도해 주세요."
    retry_after_seconds = 0.5


@dataclass(frozen=True, slots=True)
class Violation:
    """One field of a request that is wrong, and what is wanted instead."""

    field: str
    description: str


class InvalidField(DomainError):
    """One or more fields of the request are wrong."""

    kind = Kind.INVALID
    english = "Something in the request is not right."
    korean = "입력한 내용을 확인해 주세요."

    def __init__(self, *violations: Violation) -> None:
        super().__init__("; ".join(f"{v.field}: {v.description}" for v in violations))
        self.violations = violations


def invalid(field_name: str, description: str) -> InvalidField:
    """An `InvalidField` for one field."""
    return InvalidField(Violation(field_name, description))


class Role(Enum):
    """In which role somebody calls."""

    ANYBODY = "anybody"
    CUSTOMER = "customer"
    BACKEND = "backend"
    HOST = "host"
    MANAGER = "manager"
    OPERATOR = "operator"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as far as it was verified.

    `id` is that of the customer, backend, member of staff or operator, or a service's name. `stores` are those that
    staff work for; a backend acts for the customers whose ids begin with `customers`.
    """

    role: Role = Role.ANYBODY
    id: str = ""
    stores: frozenset[str] = frozenset()
    customers: str = ""


ANYBODY = Caller()

ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""What an id in a resource's name looks like (AIP-122)."""


NO_TIME = timedelta()


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` within any `span` of time."""

    most: int
    span: timedelta

    def wait(self, times: Sequence[datetime], now: datetime) -> timedelta:
        """How long until there may be one more after those at these times, oldest first; nothing when there may."""
        if len(times) < self.most:
            return NO_TIME
        return max(times[-self.most] + self.span - now, NO_TIME)


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `most` at once, which come back evenly in the course of `span`.

    What was taken is told by one moment, that at which all of it will have come back (GCRA, ITU-T I.371).
    """

    most: int
    span: timedelta

    def wait(self, back_at: datetime | None, now: datetime) -> timedelta:
        """How long until one more may be taken; nothing when it may."""
        return max(self.take(back_at, now) - self.span - now, NO_TIME)

    def take(self, back_at: datetime | None, now: datetime) -> datetime:
        """When all will have come back, with one more taken now."""
        return max(back_at or now, now) + self.span // self.most


@dataclass(kw_only=True)
class Aggregate:
    """A consistency boundary: its methods check first and change afterwards, and record what happened.

    `version` is 0 until first saved and grows by one with every save.
    """

    version: int = 0
    events: list[object] = field(default_factory=list, repr=False, compare=False)

    def record(self, event: object) -> None:
        """Keep an event until the aggregate is saved, which announces it."""
        self.events.append(event)


_uuid7_lock = threading.Lock()
_uuid7_last = 0


def uuid7() -> str:
    """A UUIDv7 (RFC 9562) as text; later calls in one process sort after earlier ones. Unique, not secret."""
    global _uuid7_last
    with _uuid7_lock:
        # 48 bits of milliseconds and 12 bits below them, in steps of 1/4096 ms (method 3 of RFC 9562 §6.2)
        ticks = max(time.time_ns() * 4096 // 1_000_000, _uuid7_last + 1)
        _uuid7_last = ticks
    rest = random.getrandbits(62)
    digits = f"{(ticks >> 12) << 80 | 0x7 << 76 | (ticks & 0xFFF) << 64 | 0b10 << 62 | rest:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def new_id() -> str:
    """A public id: 26 characters of a-z and 2-7, 128 random bits, not guessable."""
    return base64.b32encode(os.urandom(16))[:26].decode().lower()
