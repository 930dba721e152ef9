"""Outcomes: what an attempt to send a notice came to, whoever the vendor is."""

from enum import Enum
from typing import NamedTuple


class Outcome(Enum):
    """Classes of vendors' answers; each asks for one thing to be done."""

    DELIVERED = "DELIVERED"
    """It arrived."""
    ACCEPTED = "ACCEPTED"
    """The vendor has it; whether it arrives will be known later."""
    DUPLICATE = "DUPLICATE"
    """The vendor had it already: an earlier attempt came through."""
    UNCERTAIN = "UNCERTAIN"
    """It may or may not have come through: try again under the same id."""
    TRANSIENT = "TRANSIENT"
    """It did not come through, but may the next time."""
    CONFIG = "CONFIG"
    """Our account or template is wrong: keep it, tell the operator."""
    RECIPIENT_UNREACHABLE = "RECIPIENT_UNREACHABLE"
    """Not reachable by KakaoTalk."""
    RECIPIENT_INVALID = "RECIPIENT_INVALID"
    """No such number."""
    REFUSED = "REFUSED"
    """Refused for a reason that trying again does not change."""


class Report(NamedTuple):
    """What one attempt, or a later question, came to.

    `phone` is masked; empty when not known. `doubtful`: an attempt before this one may have come through unseen.
    """

    outcome: Outcome
    vendor_reference: str = ""
    phone: str = ""
    doubtful: bool = False


OUTAGE = frozenset((Outcome.TRANSIENT, Outcome.UNCERTAIN))
"""What attempts come to while the vendor is out of reach."""

WORTH_REPEATING = OUTAGE | {Outcome.CONFIG}
"""What another attempt may change."""
