"""What the doctor finds."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum

from services.operations.surroundings import Surroundings


class Severity(StrEnum):
    """How bad it is."""

    WRONG = "wrong"
    """It does not work, or it loses something."""

    RISKY = "risky"
    """It works, until something happens."""

    NOTE = "note"
    """Nothing is wrong; this could not be looked at, or is good to know."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be, where, and what to type or change. Neither text holds a secret."""

    severity: Severity
    where: str
    what: str
    fix: str


Probe = Callable[[Surroundings], AsyncIterator[Finding]]
"""Looks at one kind of thing. Reads only, and takes seconds at most."""
