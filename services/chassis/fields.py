"""Checks of request fields: each returns the clean value or raises `InvalidField` naming the field."""

import math
import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis.kernel import ID, NotFound, Stale, invalid

T = TypeVar("T")

# bidirectional overrides and isolates could make one name look like another; plain joiners are fine
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NOT_SHOWN = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
# spaces, joiners, fillers and marks: what leaves nothing to be seen where nothing else is
_BLANK = re.compile(
    r"[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]+"
)


def text(field: str, value: str, *, longest: int, required: bool = False) -> str:
    """Text for people, in NFC. Refuses control and bidi-override characters and text of spaces only."""
    clean = unicodedata.normalize("NFC", value)
    if len(clean) > longest:
        raise invalid(field, f"has more than {longest} characters")
    if not all(map(_is_shown, clean)):
        raise invalid(field, "has characters that cannot be shown")
    if _BLANK.fullmatch(clean):
        raise invalid(field, "has nothing to be seen")
    if required and not clean:
        raise invalid(field, "is required")
    return clean


def identifier(field: str, value: str, *, shortest: int = 1) -> str:
    """An id chosen by the caller: a-z, 0-9 and inner hyphens, at most 63 characters (AIP-122)."""
    if len(value) < shortest or not ID.fullmatch(value):
        raise invalid(field, f"must be {shortest} to 63 of a-z, 0-9 and hyphen, with no hyphen at the ends")
    return value


def name_parts(name: str, pattern: str, field: str = "name") -> tuple[str, ...]:
    """The ids in a resource name, for a pattern like `stores/*/tables/*`.

    Raises `InvalidField` when there is no name, `NotFound` when it has another form: nothing of that name can exist.
    """
    if not name:
        raise invalid(field, "is required")
    if found := _form(pattern).fullmatch(name):
        return found.groups()
    raise NotFound(f"{name[:200]!r} does not exist")


def optional_name(field: str, value: str, pattern: str) -> tuple[str, ...] | None:
    """The ids in a resource name inside a request, None when empty. Raises `InvalidField`."""
    if not value:
        return None
    try:
        return name_parts(value, pattern)
    except NotFound:
        raise invalid(field, f"is not of the form {pattern}") from None


def whole(field: str, value: int, *, least: int, most: int) -> int:
    """A whole number within bounds."""
    if not least <= value <= most:
        raise invalid(field, f"must be from {least} to {most}")
    return value


def finite(field: str, value: float, *, least: float, most: float) -> float:
    """A number within bounds; neither NaN nor infinite."""
    if not math.isfinite(value) or not least <= value <= most:
        raise invalid(field, f"must be a number from {least:g} to {most:g}")
    return value


def choice(field: str, value: int, choices: Mapping[Any, T]) -> T:
    """What an enum number stands for. Refuses numbers that are not among `choices`."""
    try:
        return choices[value]
    except KeyError:
        raise invalid(field, "is not one of the known values") from None


def one_of(field: str, value: str, values: Collection[str], default: str) -> str:
    """One of a few words; `default` when empty."""
    if value and value not in values:
        raise invalid(field, f"must be one of {', '.join(sorted(values))}")
    return value or default


def span(field: str, value: Duration, *, least: timedelta, most: timedelta) -> timedelta:
    """A duration within bounds."""
    if abs(value.seconds) > 315_576_000_000 or abs(value.nanos) > 999_999_999 or value.seconds * value.nanos < 0:
        raise invalid(field, "is not a valid duration")
    seconds = value.seconds + value.nanos / 1e9
    if not least.total_seconds() <= seconds <= most.total_seconds():
        raise invalid(field, f"must be from {least.total_seconds():g} s to {most.total_seconds():g} s")
    return timedelta(seconds=seconds)


def moment(field: str, value: Timestamp) -> datetime:
    """A point in time, aware, in UTC."""
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise invalid(field, "is not a valid timestamp") from None


def timestamp(value: datetime | None) -> Timestamp | None:
    """A time for a message; None stays absent."""
    if value is None:
        return None
    result = Timestamp()
    result.FromDatetime(value)
    return result


def duration(value: timedelta | None) -> Duration | None:
    """A duration for a message; None stays absent."""
    if value is None:
        return None
    result = Duration()
    result.FromTimedelta(value)
    return result


def check_etag(given: str, version: int) -> None:
    """Raises `Stale` when the caller saw another version than the present one; no etag means any."""
    if given and given != str(version):
        raise Stale(f"etag is {version} now, not {given[:40]!r}")


@cache
def _form(pattern: str) -> re.Pattern[str]:
    return re.compile("/".join(f"({ID.pattern})" if part == "*" else re.escape(part) for part in pattern.split("/")))


def _is_shown(char: str) -> bool:
    # this Python does not know the newest emoji yet, phones do
    return (
        unicodedata.category(char) not in _NOT_SHOWN or "\U0001f000" <= char <= "\U0001faff"
    ) and char not in _BIDI_CONTROLS
