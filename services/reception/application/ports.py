"""What the use cases need from outside, told as narrow protocols."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from services.reception.domain.address import Address
from services.reception.domain.customer import Customer
from services.reception.domain.facts import Order
from services.reception.domain.line import Line
from services.reception.domain.line_order import Spot
from services.reception.domain.reception import Reception


class Standing(NamedTuple):
    """Where a WAITING party stands; zeros for every other."""

    parties_ahead: int
    wait_seconds: int


NOWHERE = Standing(0, 0)


class Placed(NamedTuple):
    """A reception and where it stands."""

    reception: Reception
    standing: Standing


class Receptions(Protocol):
    """All receptions. Saving one also moves it in the order of its line."""

    def preload(self, keys: Iterable[str]) -> None:
        """Load these in one statement."""

    def find(self, key: str) -> Reception | None:
        """The reception with this id, or None."""

    def get(self, key: str, name: str | None = None) -> Reception:
        """The reception with this id. Raises `NotFound`, telling `name`."""

    def save(self, reception: Reception) -> None:
        """Keep it and tell what happened to it."""

    def uncalled(
        self, store_id: str, *, until: datetime | None = None, before_day: str | None = None, limit: int
    ) -> list[Reception]:
        """REQUESTED and WAITING receptions of a store, joined `until` then or on a day before that one."""


class Lines(Protocol):
    """All stores' lines."""

    def preload(self, keys: Iterable[str]) -> None:
        """Load these in one statement, before their receptions."""

    def find(self, key: str) -> Line | None:
        """The line of the store with this id, or None."""

    def get(self, key: str, name: str | None = None) -> Line:
        """The line of the store with this id. Raises `NotFound`, telling `name`."""

    def save(self, line: Line) -> None:
        """Keep it."""


class Customers(Protocol):
    """Customers who have open receptions, or joined in the last day.

    What is released is written for a whole transaction at once.
    """

    def preload(self, keys: Iterable[str]) -> None:
        """Load these in one statement."""

    def find(self, key: str) -> Customer | None:
        """The customer, or None when nothing is known."""

    def save(self, customer: Customer) -> None:
        """Keep it; one of whom nothing matters any more is forgotten."""

    def release(self, key: str, reception_id: str) -> None:
        """A reception of this customer's has ended."""

    def ended(self, limit: int) -> list[Customer]:
        """Customers whose time to be forgotten has passed; `limit` at most."""


class Addresses(Protocol):
    """Addresses from which parties came that tell nothing of themselves."""

    def find(self, key: str) -> Address | None:
        """The address, or None when nobody came from there for a while."""

    def save(self, address: Address) -> None:
        """Keep it."""


class Phones(Protocol):
    """Numbers at rest."""

    def forget(self, left_before: datetime, limit: int) -> list[tuple[str, str]]:
        """Delete the numbers of parties that had left by then; gives their receptions, and by which key each was known.

        `limit` at most.
        """


class EarlyOrders(Protocol):
    """Orders that came before the walk-in they are about."""

    def keep(self, order: Order) -> None:
        """Remember the newest."""

    def take(self, reception_id: str) -> Order | None:
        """What was kept; it is forgotten."""


class Places(Protocol):
    """The order of every line, as this transaction sees it."""

    def ahead(self, store_id: str, order_key: int) -> int:
        """How many WAITING parties have a smaller key."""

    def behind(self, store_id: str, order_key: int) -> Iterator[Spot]:
        """WAITING parties with a greater key, in order."""

    def free_key(self, store_id: str, order_key: int) -> int:
        """This order key, or the next one that nobody has who waits."""

    def look_again(self, store_id: str) -> None:
        """Who is near may have changed here."""

    def moved_up(self) -> set[str]:
        """Stores where parties may have come near since the last time this was asked."""


class Timers(Protocol):
    """Durable timers."""

    def set(self, kind: str, key: str, due_at: datetime) -> None:
        """Fire `kind` for `key` at `due_at`; replaces an earlier time."""


class UnitOfWork(Protocol):
    """One transaction."""

    now: datetime

    @property
    def receptions(self) -> Receptions:
        """All receptions."""

    @property
    def lines(self) -> Lines:
        """All lines."""

    @property
    def customers(self) -> Customers:
        """All customers of whom something is known."""

    @property
    def addresses(self) -> Addresses:
        """All addresses of which something is known."""

    @property
    def phones(self) -> Phones:
        """Numbers at rest."""

    @property
    def early_orders(self) -> EarlyOrders:
        """Orders that came too early."""

    @property
    def places(self) -> Places:
        """The order of the lines."""

    @property
    def timers(self) -> Timers:
        """Durable timers."""

    @property
    def seated(self) -> list[Reception]:
        """Receptions seated in this transaction whose customers may be in other lines."""

    def flush(self) -> None:
        """Write everything, so that queries see it."""


class Question(NamedTuple):
    """What seat is asked; parties alike ask in the same words. No section means anywhere."""

    store_id: str
    party_size: int
    section: str


class Seats(Protocol):
    """The question to seat."""

    async def fit(self, questions: Sequence[Question]) -> list[bool]:
        """For each, whether a free table fits that nobody in line could use. False when nobody knows."""
