"""What the commands print: tables for people, JSON for scripts."""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

WIDE = 500
"""Columns of a page that nobody looks at: a file or another program gets its lines whole."""


class Output(StrEnum):
    """For whom something is printed."""

    TABLE = "table"
    JSON = "json"


def rows(output: Output, columns: Sequence[str], found: Sequence[Mapping[str, Any]], nothing: str) -> None:
    """Print rows, all of their values or the named columns; `nothing` is what people read when there are none."""
    if output is Output.JSON:
        return whole(found)
    if not found:
        return print(nothing)
    table = Table(*(column.replace("_", " ") for column in columns), box=SIMPLE_HEAD, pad_edge=False)
    for row in found:
        table.add_row(*(text(row[column]) for column in columns))
    return console().print(table)


def whole(value: Any) -> None:
    """Print JSON."""
    print(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def text(value: Any) -> str:
    """A value as people read it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, timedelta):
        return age(value)
    if isinstance(value, list | tuple):
        return ", ".join(map(text, value))
    return str(value)


def age(value: timedelta) -> str:
    """How long, in the unit that fits."""
    seconds = value.total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"


def masked(value: str) -> str:
    """An address without its password."""
    return re.sub(r"(://[^:/@\s]*):\S*@", r"\1:…@", value)


def console(*, stderr: bool = False) -> Console:
    """Where to print; as wide as it takes when that is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else WIDE, highlight=False, markup=False)


def counted(number: int, one: str, more: Iterable[str] = ()) -> str:
    """`1 envelope`, `2 envelopes`."""
    return f"{number} {one if number == 1 else next(iter(more), one + 's')}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return round(value.total_seconds(), 3)
    raise TypeError(f"{value!r} has no JSON")
