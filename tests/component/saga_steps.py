"""What people do in the scenarios of the saga tests: one small dataclass each, so that a failing run can be read.

`play` gives what is to happen in one transaction, to be awaited together with what else happens at that moment.
"""

from collections.abc import Awaitable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

from services.chassis.kernel import DomainError, new_id
from services.management.application.accept_order import AcceptOrder, accept_order
from services.management.application.call_next_order import CallNextOrder, call_next_order
from services.management.application.call_order import CallOrder, call_order
from services.management.application.cancel_order import CancelOrder, cancel_order
from services.management.application.close_store import CloseStore, close_store
from services.management.application.complete_order import CompleteOrder, complete_order
from services.management.application.decline_order import DeclineOrder, decline_order
from services.management.application.mark_order_no_show import MarkOrderNoShow, mark_order_no_show
from services.management.application.open_store import OpenStore, open_store
from services.management.application.pause_store import PauseStore, pause_store
from services.management.application.register_walk_in import RegisterWalkIn, register_walk_in
from services.management.application.restore_order import RestoreOrder, restore_order
from services.management.application.seat_order import SeatOrder, seat_order
from services.management.application.update_store import UpdateStore, update_store
from services.management.domain.profile import SeatingMode
from services.notification.domain.outcome import Outcome
from services.reception.adapters.vault import Vault
from services.reception.application.cancel_reception import CancelReception, cancel_reception
from services.reception.application.create_reception import CreateReception, create_reception
from services.reception.application.postpone_reception import PostponeReception, postpone_reception
from services.reception.domain.phone import customer_key, masked
from services.reception.domain.reception import Contact
from services.seat.application.block_table import BlockTable, block_table
from services.seat.application.unblock_table import UnblockTable, unblock_table
from services.seat.application.update_table import UpdateTable, update_table
from services.seat.domain.table import TableChanges
from tests.component.saga_kit import NOON, World
from tests.entitled import LET_IN, OFTEN, PHONE_KEYS

Act: TypeAlias = Awaitable[object] | None

CUSTOMERS = (("", "", "ko"), ("kim", "+821011111111", "ko"), ("", "+821022222222", "en"))
"""Nobody in particular, one with an account, one with only a phone."""

VAULT = Vault(PHONE_KEYS)


def contact(number: int, reception_id: str) -> Contact:
    """One of the customers, the phone sealed for a reception."""
    id_, phone, language = CUSTOMERS[number]
    if not phone:
        return Contact(language_code=language)
    key = customer_key(id_, VAULT.hashes(phone)[0])
    return Contact(id_, key, VAULT.seal(phone, reception_id), masked(phone), language)


@dataclass
class Scene:
    """The world, and whom it has been told of so far."""

    world: World
    stores: list[str]
    parties: list[tuple[str, str]] = field(default_factory=list)

    def store(self, index: int) -> str:
        """One of the stores, counted round and round."""
        return self.stores[index % len(self.stores)]

    def party(self, index: int) -> tuple[str, str] | None:
        """Store and id of one of the parties, None while there are none."""
        return self.parties[index % len(self.parties)] if self.parties else None

    async def welcome(self, store: str, id_: str, joining: Awaitable[object]) -> None:
        """Remember a party that could join."""
        if await joining:
            self.parties.append((store, id_))


@dataclass(frozen=True)
class Join:
    """A customer asks for a place. `answer`: what seat says, None for the truth."""

    store: int
    size: int
    customer: int
    section: str
    answer: bool | None

    async def play(self, scene: Scene) -> Act:
        store, id_ = scene.store(self.store), new_id()
        fits = self.answer
        if fits is None:
            fits = await scene.world.free_table(store, self.size, self.section)
        cmd = CreateReception(id_, store, self.size, self.section, contact(self.customer, id_), fits, LET_IN, OFTEN)
        return scene.welcome(store, id_, scene.world.do("reception", lambda uow: create_reception(cmd, uow)))


@dataclass(frozen=True)
class WalkIn:
    """Staff register a party at the door."""

    store: int
    size: int

    async def play(self, scene: Scene) -> Act:
        cmd = RegisterWalkIn(new_id(), scene.store(self.store), self.size)
        joining = scene.world.do("management", lambda uow: register_walk_in(cmd, uow))
        return scene.welcome(cmd.store_id, cmd.order_id, joining)


@dataclass(frozen=True)
class Cancel:
    """A customer gives up."""

    party: int

    async def play(self, scene: Scene) -> Act:
        if party := scene.party(self.party):
            cmd = CancelReception(*party, "", LET_IN)
            return scene.world.do("reception", lambda uow: cancel_reception(cmd, uow))
        return None


@dataclass(frozen=True)
class Postpone:
    """A customer lets others go first."""

    party: int
    behind: int

    async def play(self, scene: Scene) -> Act:
        if party := scene.party(self.party):
            cmd = PostponeReception(*party, self.behind, "", LET_IN)
            return scene.world.do("reception", lambda uow: postpone_reception(cmd, uow))
        return None


STAFF: Mapping[str, tuple[Any, Any]] = {
    "accept": (AcceptOrder, accept_order),
    "decline": (DeclineOrder, decline_order),
    "call": (CallOrder, call_order),
    "seat": (SeatOrder, seat_order),
    "complete": (CompleteOrder, complete_order),
    "cancel": (CancelOrder, cancel_order),
    "no-show": (MarkOrderNoShow, mark_order_no_show),
    "restore": (RestoreOrder, restore_order),
}


@dataclass(frozen=True)
class Staff:
    """Staff do something about a party: the first of these that the order allows."""

    verbs: tuple[str, ...]
    party: int

    async def play(self, scene: Scene) -> Act:
        if party := scene.party(self.party):
            return scene.world.do("management", lambda uow: self._first(party, uow))
        return None

    def _first(self, party: tuple[str, str], uow: Any) -> object:
        for verb in self.verbs[:-1]:
            command, use_case = STAFF[verb]
            with suppress(DomainError):
                return use_case(command(*party), uow)
        command, use_case = STAFF[self.verbs[-1]]
        return use_case(command(*party), uow)


@dataclass(frozen=True)
class SeatAt:
    """Staff show a party to a table of their choice."""

    party: int
    table: int

    async def play(self, scene: Scene) -> Act:
        if party := scene.party(self.party):
            cmd = SeatOrder(*party, table_id=f"{party[0]}/t{self.table}")
            return scene.world.do("management", lambda uow: seat_order(cmd, uow))
        return None


@dataclass(frozen=True)
class CallNext:
    """Staff call whoever is next."""

    store: int

    async def play(self, scene: Scene) -> Act:
        cmd = CallNextOrder(scene.store(self.store))
        return scene.world.do("management", lambda uow: call_next_order(cmd, uow))


STORE: Mapping[str, tuple[Any, Any]] = {
    "open": (OpenStore, open_store),
    "pause": (PauseStore, pause_store),
    "pause a while": (lambda store: PauseStore(store, NOON + timedelta(hours=1)), pause_store),
    "close": (CloseStore, close_store),
    "send home": (lambda store: CloseStore(store, send_everyone_home=True), close_store),
    **{
        mode.value: (lambda store, mode=mode: UpdateStore(store, {"seating_mode": mode}), update_store)
        for mode in SeatingMode
    },
}


@dataclass(frozen=True)
class Run:
    """The store opens, pauses, closes, or has other rules."""

    change: str
    store: int

    async def play(self, scene: Scene) -> Act:
        command, use_case = STORE[self.change]
        return scene.world.do("management", lambda uow: use_case(command(scene.store(self.store)), uow))


TABLE: Mapping[str, tuple[Any, Any]] = {
    "block": (BlockTable, block_table),
    "unblock": (UnblockTable, unblock_table),
    "shrink": (lambda store, table: UpdateTable(store, table, TableChanges(capacity=1)), update_table),
    "grow": (lambda store, table: UpdateTable(store, table, TableChanges(capacity=6)), update_table),
    "move": (lambda store, table: UpdateTable(store, table, TableChanges(section="hall")), update_table),
}


@dataclass(frozen=True)
class Arrange:
    """Staff change a table."""

    change: str
    store: int
    table: int

    async def play(self, scene: Scene) -> Act:
        command, use_case = TABLE[self.change]
        store, table = scene.store(self.store), f"t{self.table}"
        return scene.world.do("seat", lambda uow: use_case(command(store, table), uow))


@dataclass(frozen=True)
class Pass:
    """Time passes; timers fire later, when they are told to."""

    seconds: int

    async def play(self, scene: Scene) -> Act:
        scene.world.clock.advance(timedelta(seconds=self.seconds))
        return None


@dataclass(frozen=True)
class Fire:
    """One of the timers that are due fires."""

    timer: int

    async def play(self, scene: Scene) -> Act:
        due = await scene.world.due()
        return scene.world.fire(*due[self.timer % len(due)]) if due else None


@dataclass(frozen=True)
class Send:
    """Notices are taken to the vendor, which answers so."""

    answer: Outcome

    async def play(self, scene: Scene) -> Act:
        scene.world.vendor.answers = self.answer
        await scene.world.send_notices()
        return None


Step: TypeAlias = Join | WalkIn | Cancel | Postpone | Staff | SeatAt | CallNext | Run | Arrange | Pass | Fire | Send


@dataclass(frozen=True)
class Turn:
    """Some act, and some of what is on its way arrives, all at once; numbers say which parcels of those pending.

    `again` are delivered and come again, whole and as single events; `lost` are found at the end only; `split` come as
    single events.
    """

    steps: tuple[Step, ...] = ()
    arrive: tuple[int, ...] = ()
    again: tuple[int, ...] = ()
    lost: tuple[int, ...] = ()
    split: tuple[int, ...] = ()

    async def play(self, scene: Scene) -> None:
        """Let it all happen, a moment later than what happened before."""
        scene.world.clock.advance(timedelta(milliseconds=1))
        bus = scene.world.bus
        bus.lost += bus.take(self.lost)
        twice = bus.take(self.again)
        parcels = [*twice, *bus.take(self.arrive)]
        for parcel in bus.take(self.split):
            bus.pending += bus.parts(parcel)
        for parcel in twice:
            bus.pending += [parcel, *bus.parts(parcel)]
        acts = [await step.play(scene) for step in self.steps]
        await scene.world.at_once([*filter(None, acts), *bus.deliveries(parcels)])
