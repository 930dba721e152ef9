"""The order: the store's own record of one reception."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from services.chassis.kernel import Aggregate
from services.management.domain.errors import OrderStateConflict, TableTaken
from services.management.domain.events import (
    OrderAccepted,
    OrderCalled,
    OrderCanceled,
    OrderCompleted,
    OrderRestored,
    OrderSeated,
    WalkInRegistered,
)
from services.management.domain.profile import AcceptMode
from services.management.domain.table import Table


class OrderState(StrEnum):
    """Where an order is in its life."""

    RECEIVED = "RECEIVED"
    ACCEPTED = "ACCEPTED"
    CALLED = "CALLED"
    SEATED = "SEATED"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    NO_SHOW = "NO_SHOW"
    DECLINED = "DECLINED"


class ReceptionState(StrEnum):
    """Where a reception is in its life."""

    REQUESTED = "REQUESTED"
    WAITING = "WAITING"
    CALLED = "CALLED"
    SEATED = "SEATED"
    COMPLETED = "COMPLETED"
    CANCELED = "CANCELED"
    NO_SHOW = "NO_SHOW"
    REJECTED = "REJECTED"


IN_LINE, CALLED, SEATED, CLOSED = 1, 2, 3, 4

STAGE: Mapping[OrderState, int] = {
    OrderState.RECEIVED: IN_LINE,
    OrderState.ACCEPTED: IN_LINE,
    OrderState.CALLED: CALLED,
    OrderState.SEATED: SEATED,
    OrderState.COMPLETED: CLOSED,
    OrderState.CANCELED: CLOSED,
    OrderState.NO_SHOW: CLOSED,
    OrderState.DECLINED: CLOSED,
}
"""How far an order has come; within one round it never goes back."""

IMAGE: Mapping[ReceptionState, OrderState] = {
    ReceptionState.REQUESTED: OrderState.ACCEPTED,
    ReceptionState.WAITING: OrderState.ACCEPTED,
    ReceptionState.CALLED: OrderState.CALLED,
    ReceptionState.SEATED: OrderState.SEATED,
    ReceptionState.COMPLETED: OrderState.COMPLETED,
    ReceptionState.CANCELED: OrderState.CANCELED,
    ReceptionState.NO_SHOW: OrderState.NO_SHOW,
    ReceptionState.REJECTED: OrderState.DECLINED,
}
"""The order's state that goes with a reception's."""

FINAL = frozenset({ReceptionState.COMPLETED, ReceptionState.CANCELED, ReceptionState.REJECTED})
"""States that not even a restore leaves, so they hold whatever the round."""


class ReceptionSnapshot(NamedTuple):
    """A reception as reception tells it."""

    id: str
    store_id: str
    version: int
    state: ReceptionState
    round: int
    party_size: int
    waiting_number: int
    order_key: int
    table_name: str
    section: str
    walk_in: bool
    created_at: datetime
    called_at: datetime | None
    seated_at: datetime | None
    closed_at: datetime | None
    hold_expires_at: datetime | None


@dataclass(kw_only=True)
class Order(Aggregate):
    """An order; its id is the reception's. Methods of staff answer whether anything changed.

    `reception_version` and `reception_state` are of the newest snapshot followed, 0 and None before the first.
    """

    id: str
    store_id: str
    state: OrderState
    party_size: int
    created_at: datetime
    waiting_number: int = 0
    table_name: str = ""
    section: str = ""
    walk_in: bool = False
    reason: str = ""
    round: int = 0
    called_at: datetime | None = None
    seated_at: datetime | None = None
    closed_at: datetime | None = None
    hold_expires_at: datetime | None = None
    reception_version: int = 0
    reception_state: ReceptionState | None = None
    order_key: int = 0

    @classmethod
    def of_reception(cls, seen: ReceptionSnapshot, accept_mode: AcceptMode) -> "Order":
        """The order of a reception that is heard of for the first time, in whatever state it is by now."""
        consent_needed = accept_mode is AcceptMode.MANUAL and not seen.walk_in
        order = cls(
            id=seen.id,
            store_id=seen.store_id,
            state=OrderState.RECEIVED if consent_needed else OrderState.ACCEPTED,
            party_size=seen.party_size,
            created_at=seen.created_at,
            section=seen.section,
            walk_in=seen.walk_in,
        )
        order.follow(seen)
        if not consent_needed and not order.is_closed:
            order.record(OrderAccepted())
        return order

    @classmethod
    def of_walk_in(cls, order_id: str, store_id: str, party_size: int, section: str, now: datetime) -> "Order":
        """The order of a party at the door; its reception follows."""
        order = cls(
            id=order_id,
            store_id=store_id,
            state=OrderState.ACCEPTED,
            party_size=party_size,
            created_at=now,
            section=section,
            walk_in=True,
        )
        order.record(WalkInRegistered())
        return order

    @property
    def is_closed(self) -> bool:
        return STAGE[self.state] == CLOSED

    def follow(self, seen: ReceptionSnapshot) -> bool:
        """Take over a newer snapshot of the reception. Answers False for one that tells nothing new.

        The reception's word is final once it is closed. Before that it moves the order forward only: staff may
        have done more than reception knows yet.
        """
        if seen.version <= self.reception_version:
            return False
        if seen.round < self.round and seen.state not in FINAL:
            return False
        image = IMAGE[seen.state]
        restored = seen.round > self.round
        self.reception_version, self.reception_state = seen.version, seen.state
        self.party_size, self.waiting_number, self.order_key = seen.party_size, seen.waiting_number, seen.order_key
        if restored or STAGE[image] >= STAGE[self.state]:
            if restored or STAGE[image] > IN_LINE:
                self._become(image)
            self.round = max(self.round, seen.round)
            self.table_name = seen.table_name
            self.hold_expires_at = seen.hold_expires_at if image is OrderState.CALLED else None
            self.called_at, self.seated_at, self.closed_at = seen.called_at, seen.seated_at, seen.closed_at
        return True

    def accept(self) -> bool:
        """Give staff's consent."""
        if self.state is OrderState.ACCEPTED:
            return False
        self._check_state(OrderState.RECEIVED)
        self.state = OrderState.ACCEPTED
        self.record(OrderAccepted())
        return True

    def decline(self, reason: str, now: datetime) -> bool:
        """Refuse the party; not once it was called."""
        if self.state is OrderState.DECLINED:
            return False
        self._check_state(OrderState.RECEIVED, OrderState.ACCEPTED)
        self._close(OrderState.DECLINED, reason, now)
        return True

    def call(self, timeout: timedelta, now: datetime) -> None:
        """Tell the party to come; it has `timeout` to do so."""
        self._check_state(OrderState.RECEIVED, OrderState.ACCEPTED)
        self.state = OrderState.CALLED
        self.called_at, self.hold_expires_at = now, now + timeout
        self.record(OrderCalled())

    def seat(self, table_name: str, now: datetime) -> bool:
        """Let the party sit, at the table held for it when `table_name` is empty."""
        if self.state is OrderState.SEATED and table_name in ("", self.table_name):
            return False
        self.check_may_sit()
        self.state = OrderState.SEATED
        self.table_name = table_name or self.table_name
        self.seated_at, self.hold_expires_at = now, None
        self.record(OrderSeated())
        return True

    def seat_at(self, table: Table, table_name: str, shown: "Order | None", now: datetime) -> bool:
        """Let the party sit at a chosen table. `shown` is the order that staff seated there last, if any.

        Raises `TableTooSmall` or `TableTaken`.
        """
        if not (self.state is OrderState.SEATED and self.table_name == table_name):
            self.check_may_sit()
            table.check_admits(self.id, self.party_size)
            if shown is not None and shown.id != self.id and shown.sits_at(table_name):
                raise TableTaken(f"table {table.id} was given to another party")
        if not self.seat(table_name, now):
            return False
        table.shown_to = self.id
        return True

    def complete(self, now: datetime) -> bool:
        """The party has left."""
        if self.state is OrderState.COMPLETED:
            return False
        self._check_state(OrderState.SEATED)
        self.state, self.closed_at = OrderState.COMPLETED, now
        self.record(OrderCompleted())
        return True

    def cancel(self, reason: str, now: datetime) -> bool:
        """Give the order up for the store's own reasons, before the party sits."""
        if self.state is OrderState.CANCELED:
            return False
        self._check_state(OrderState.RECEIVED, OrderState.ACCEPTED, OrderState.CALLED)
        self._close(OrderState.CANCELED, reason, now)
        return True

    def mark_no_show(self, now: datetime) -> bool:
        """The called party is not there."""
        if self.state is OrderState.NO_SHOW:
            return False
        self._check_state(OrderState.CALLED)
        self._close(OrderState.NO_SHOW, "", now)
        return True

    def restore(self) -> None:
        """Bring a no-show back into the line; a new round begins."""
        self._check_state(OrderState.NO_SHOW)
        self._become(OrderState.ACCEPTED)
        self.round += 1
        self.table_name, self.hold_expires_at = "", None
        self.called_at = self.seated_at = self.closed_at = None
        self.record(OrderRestored())

    def check_may_sit(self) -> None:
        """Raises `OrderStateConflict` unless the party is in line or called."""
        self._check_state(OrderState.RECEIVED, OrderState.ACCEPTED, OrderState.CALLED)

    def sits_at(self, table_name: str) -> bool:
        return self.state is OrderState.SEATED and self.table_name == table_name

    def _check_state(self, *wanted: OrderState) -> None:
        if self.state not in wanted:
            raise OrderStateConflict(f"order {self.id} is {self.state}", state=self.state)

    def _close(self, state: OrderState, reason: str, now: datetime) -> None:
        self.state, self.reason, self.closed_at = state, reason, now
        self.table_name, self.hold_expires_at = "", None
        self.record(OrderCanceled())

    def _become(self, state: OrderState) -> None:
        if state is not self.state:
            self.state, self.reason = state, ""
