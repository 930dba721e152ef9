"""Staff and reception act at the same time; when all messages have arrived, order and reception agree."""

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.management.domain import events
from services.management.domain.order import (
    FINAL,
    IMAGE,
    STAGE,
    Order,
    OrderState,
    ReceptionSnapshot,
    ReceptionState,
)
from services.management.domain.profile import AcceptMode
from tests.unit.management.making import NOON, TIMEOUT, snapshot

S = ReceptionState
OPEN = (S.REQUESTED, S.WAITING, S.CALLED, S.SEATED)


@dataclass
class Reception:
    """The arbiter in brief: what reception does with what it hears, in contract terms."""

    state: ReceptionState = S.WAITING
    version: int = 1
    round: int = 0
    order_version: int = 0
    sent: list[ReceptionSnapshot] = field(default_factory=list)

    def become(self, state: ReceptionState) -> None:
        self.state = state
        self.tell()

    def tell(self) -> None:
        self.version += 1
        self.sent.append(snapshot(self.version, self.state, round=self.round))

    def act(self, deed: str) -> None:
        """The customer, seat's tables, or the clock."""
        if deed == "leave" and self.state in (S.WAITING, S.CALLED):
            self.become(S.CANCELED)
        if deed == "hold" and self.state is S.WAITING:
            self.become(S.CALLED)
        if deed == "expire" and self.state is S.CALLED:
            self.become(S.NO_SHOW)

    def hear(self, event: object, order: Order) -> None:
        if order.version <= self.order_version or order.round < self.round:
            return
        self.order_version = order.version
        if isinstance(event, events.OrderRestored):
            if order.round > self.round and self.state not in FINAL:
                self.round = order.round
                self.become(S.WAITING)
        elif self.state not in OPEN:
            self.tell()
        elif isinstance(event, events.OrderCalled) and self.state is S.WAITING:
            self.become(S.CALLED)
        elif isinstance(event, events.OrderSeated) and self.state is not S.SEATED:
            self.become(S.SEATED)
        elif isinstance(event, events.OrderCompleted):
            self.become(S.COMPLETED)
        elif isinstance(event, events.OrderCanceled):
            wanted = {OrderState.DECLINED: S.REJECTED, OrderState.NO_SHOW: S.NO_SHOW}
            self.become(wanted.get(order.state, S.CANCELED))


@dataclass
class World:
    """An order and its reception, and what is under way between them, each way in order."""

    order: Order
    reception: Reception = field(default_factory=Reception)
    told: list[tuple[object, Order]] = field(default_factory=list)

    def staff(self, deed: str) -> None:
        given: dict[str, tuple[Any, ...]] = {
            "call": (TIMEOUT, NOON),
            "seat": ("", NOON),
            "complete": (NOON,),
            "decline": ("", NOON),
            "cancel": ("", NOON),
            "mark_no_show": (NOON,),
            "restore": (),
        }
        getattr(self.order, deed)(*given[deed])
        self.save()

    def save(self) -> None:
        self.order.version += 1
        self.told.extend((event, replace(self.order, events=[])) for event in self.order.events)
        self.order.events.clear()

    def deliver_to_reception(self) -> None:
        if self.told:
            self.reception.hear(*self.told.pop(0))

    def deliver_to_management(self) -> None:
        if self.reception.sent and self.order.follow(self.reception.sent.pop(0)):
            self.save()

    def settle(self) -> None:
        while self.told or self.reception.sent:
            self.deliver_to_reception()
            self.deliver_to_management()

    def possible(self) -> list[tuple[str, str]]:
        """What may happen next."""
        deeds = [("staff", deed) for deed in STAFF[self.order.state]]
        happenings = [("world", deed) for deed in ("leave", "hold", "expire")]
        return [*deeds, *happenings, ("to reception", ""), ("to management", "")]

    def step(self, who: str, deed: str) -> None:
        if who == "staff":
            self.staff(deed)
        elif who == "world":
            self.reception.act(deed)
        elif who == "to reception":
            self.deliver_to_reception()
        else:
            self.deliver_to_management()


IN_LINE = ("call", "seat", "decline", "cancel")
STAFF: dict[OrderState, tuple[str, ...]] = {
    OrderState.RECEIVED: IN_LINE,
    OrderState.ACCEPTED: IN_LINE,
    OrderState.CALLED: ("seat", "cancel", "mark_no_show"),
    OrderState.SEATED: ("complete",),
    OrderState.NO_SHOW: ("restore",),
    OrderState.COMPLETED: (),
    OrderState.CANCELED: (),
    OrderState.DECLINED: (),
}


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_order_and_reception_agree_in_the_end(data: st.DataObject) -> None:
    world = World(Order.of_reception(snapshot(1, S.WAITING), AcceptMode.AUTOMATIC))
    world.save()
    for _ in range(data.draw(st.integers(0, 20))):
        world.step(*data.draw(st.sampled_from(world.possible())))
    world.settle()
    assert STAGE[world.order.state] == STAGE[IMAGE[world.reception.state]]
    if world.order.is_closed:
        assert world.order.state is IMAGE[world.reception.state]
