"""The read model's rows, one kind per source aggregate; of each id only the newest version is kept.

Fields are in the order of the table's columns. Times are microseconds since 1970 in UTC, so that a row is made
and compared without a single datetime; None is absent. States and choices are enum names.
"""

from typing import Any, NamedTuple, Protocol, TypeVar


class StoreRow(NamedTuple):
    """A store's particulars, as management tells them."""

    id: str
    version: int
    display_name: str
    category: str
    address: str
    latitude: float | None
    longitude: float | None
    time_zone: str
    day_start_hour: int
    opening_hours: str
    min_party_size: int
    max_party_size: int
    accept_mode: str
    state: str
    update_micros: int
    name_key: str
    category_key: str
    search_text: str


class AvailabilityRow(NamedTuple):
    """What is free at a store, as seat tells it; may come before the store."""

    id: str
    version: int
    seats_remaining: int
    largest_free_capacity: int


class LineRow(NamedTuple):
    """A store's line in figures, as reception tells them; may come before the store."""

    id: str
    version: int
    parties_waiting: int
    pace_seconds: int


class ReceptionRow(NamedTuple):
    """A reception: what boards and figures need of it."""

    id: str
    version: int
    store_id: str
    state: str
    party_size: int
    waiting_number: int
    order_key: int
    table_name: str
    channel: str
    business_day: str
    postpone_count: int
    create_micros: int
    call_micros: int | None
    seat_micros: int | None
    close_micros: int | None
    hold_expire_micros: int | None
    change_micros: int


class OrderRow(NamedTuple):
    """Whether staff accepted a reception, under the reception's id; what comes after, the reception tells."""

    id: str
    version: int
    store_id: str
    accepted: bool


class TableRow(NamedTuple):
    """A table; its id is `<store>/<table>`."""

    id: str
    version: int
    store_id: str
    name: str
    display_name: str
    capacity: int
    section: str
    state: str
    reception: str
    blocked: bool
    hold_expire_micros: int | None


class Versioned(Protocol):
    """What every row has."""

    @property
    def id(self) -> str: ...

    @property
    def version(self) -> int: ...

    def _asdict(self) -> dict[str, Any]: ...


R_contra = TypeVar("R_contra", bound=Versioned, contravariant=True)


class Latest(Protocol[R_contra]):
    """Rows of one kind."""

    def put(self, row: R_contra) -> None:
        """Keep `row` unless one of the same or a newer version is held."""


class ReadModel(Protocol):
    """Everything that is shown, as a projection writes it."""

    @property
    def stores(self) -> Latest[StoreRow]: ...

    @property
    def availabilities(self) -> Latest[AvailabilityRow]: ...

    @property
    def lines(self) -> Latest[LineRow]: ...

    @property
    def receptions(self) -> Latest[ReceptionRow]: ...

    @property
    def orders(self) -> Latest[OrderRow]: ...

    @property
    def tables(self) -> Latest[TableRow]: ...

    def signal(self, topic: str) -> None:
        """Wake whoever follows the store `topic`, once committed."""
