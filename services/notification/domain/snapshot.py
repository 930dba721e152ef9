"""A reception's snapshot: which purposes it gives rise to, in what words, and for how long."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from services.notification.domain.purpose import CloseReason, Purpose, ReceptionState


class Snapshot(NamedTuple):
    """A reception at one version, as far as notices speak of it. `neared`: its turn has just come near."""

    id: str
    store_id: str
    version: int
    round: int
    state: ReceptionState
    close_reason: CloseReason
    party_size: int
    waiting_number: int
    parties_ahead: int
    estimated_wait_seconds: int
    hold_expire_at: datetime | None
    closed_at: datetime | None
    language_code: str
    neared: bool


_NOTHING: tuple[Purpose, ...] = ()

_OF_STATE: Mapping[ReceptionState, tuple[Purpose, ...]] = {
    ReceptionState.REQUESTED: _NOTHING,  # a promise: the party is told once its table is really held
    ReceptionState.WAITING: (Purpose.NUMBERED,),
    ReceptionState.CALLED: (Purpose.CALLED,),
    ReceptionState.SEATED: _NOTHING,
    ReceptionState.COMPLETED: _NOTHING,
    ReceptionState.CANCELED: (Purpose.CANCELED,),
    ReceptionState.NO_SHOW: (Purpose.NO_SHOW,),
    ReceptionState.REJECTED: (Purpose.DECLINED,),
}

_LASTS: Mapping[Purpose, timedelta] = {
    Purpose.COME_IN: timedelta(minutes=5),
    Purpose.NUMBERED: timedelta(minutes=30),
    Purpose.NEAR_TURN: timedelta(minutes=10),
    Purpose.CALLED: timedelta(minutes=5),
    Purpose.CANCELED: timedelta(hours=2),
    Purpose.DECLINED: timedelta(hours=1),
    Purpose.STORE_CLOSED: timedelta(hours=2),
    Purpose.NO_SHOW: timedelta(hours=1),
}

_CANCELED_WORDS: Mapping[CloseReason, str] = {
    CloseReason.STORE_CANCELED: "canceled_by_store",
    CloseReason.SEATED_ELSEWHERE: "seated_elsewhere",
}


def purposes(snapshot: Snapshot) -> tuple[Purpose, ...]:
    """What this snapshot alone calls for. All that was ever decided is the union over the snapshots seen."""
    if snapshot.neared and snapshot.state is ReceptionState.WAITING:
        return (Purpose.NUMBERED, Purpose.NEAR_TURN)
    if snapshot.state is ReceptionState.CALLED and not snapshot.waiting_number:
        return (Purpose.COME_IN,)
    if snapshot.state is ReceptionState.CANCELED and snapshot.close_reason is CloseReason.STORE_CLOSED:
        return (Purpose.STORE_CLOSED,)
    return _OF_STATE[snapshot.state]


def words(snapshot: Snapshot, purpose: Purpose) -> str:
    """Key of the template that tells this purpose in this situation."""
    if purpose is Purpose.NUMBERED and snapshot.round:
        return "back_in_line"
    if purpose is Purpose.CANCELED:
        return _CANCELED_WORDS.get(snapshot.close_reason, "canceled")
    name: str = purpose.value
    return name.lower()


def expire_at(snapshot: Snapshot, purpose: Purpose, now: datetime) -> datetime:
    """From when on the notice is of no use: the end of the hold, or some time after what it tells of."""
    if snapshot.state is ReceptionState.CALLED and snapshot.hold_expire_at is not None:
        return snapshot.hold_expire_at
    since = now if snapshot.state is ReceptionState.WAITING else snapshot.closed_at or now
    return since + _LASTS[purpose]
