"""Purposes: what a notice is for, and which state of a reception it tells of."""

from collections.abc import Mapping
from enum import Enum


class ReceptionState(Enum):
    """Where a reception is in its life, as reception tells it."""

    REQUESTED = "REQUESTED"
    WAITING = "WAITING"
    CALLED = "CALLED"
    SEATED = "SEATED"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    NO_SHOW = "NO_SHOW"
    REJECTED = "REJECTED"


class CloseReason(Enum):
    """Why a reception was closed, as reception tells it."""

    NONE = "NONE"
    CUSTOMER_CANCELED = "CUSTOMER_CANCELED"
    STORE_CANCELED = "STORE_CANCELED"
    STORE_DECLINED = "STORE_DECLINED"
    STORE_CLOSED = "STORE_CLOSED"
    SEATED_ELSEWHERE = "SEATED_ELSEWHERE"
    HOLD_EXPIRED = "HOLD_EXPIRED"
    MARKED_NO_SHOW = "MARKED_NO_SHOW"


class Purpose(Enum):
    """What a notice is for."""

    COME_IN = "COME_IN"
    NUMBERED = "NUMBERED"
    NEAR_TURN = "NEAR_TURN"
    CALLED = "CALLED"
    CANCELED = "CANCELED"
    DECLINED = "DECLINED"
    STORE_CLOSED = "STORE_CLOSED"
    NO_SHOW = "NO_SHOW"


TRUE_WHILE: Mapping[Purpose, ReceptionState] = {
    Purpose.COME_IN: ReceptionState.CALLED,
    Purpose.NUMBERED: ReceptionState.WAITING,
    Purpose.NEAR_TURN: ReceptionState.WAITING,
    Purpose.CALLED: ReceptionState.CALLED,
    Purpose.CANCELED: ReceptionState.CANCELED,
    Purpose.DECLINED: ReceptionState.REJECTED,
    Purpose.STORE_CLOSED: ReceptionState.CANCELED,
    Purpose.NO_SHOW: ReceptionState.NO_SHOW,
}
"""The one state of a reception in which a notice is worth sending. A round passes each state at most once."""


URGENT = frozenset((Purpose.COME_IN, Purpose.CALLED))
"""A party that is not told of its table loses it: these have budgets of their own, which no other notice uses up."""


def is_true(purpose: Purpose, round_: int, state: ReceptionState, newest_round: int) -> bool:
    """Whether a notice of `purpose` and `round_` is true of a reception in `state` and `newest_round`."""
    return round_ == newest_round and TRUE_WHILE[purpose] is state
