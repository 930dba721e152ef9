"""Facts about notices."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NoticeSettled:
    """A notice was delivered, failed or was withheld, for good."""
