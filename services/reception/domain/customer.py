"""A customer's open receptions: one to a store, three in all."""

from dataclasses import dataclass, field

from services.chassis.kernel import Aggregate
from services.reception.domain.errors import AlreadyInLine, TooManyLines

MOST_LINES = 3


@dataclass(kw_only=True)
class Customer(Aggregate):
    """Open receptions of one customer, `open`: reception id → store id."""

    key: str
    open: dict[str, str] = field(default_factory=dict)

    def may_join(self, store_id: str) -> bool:
        """Whether another reception at this store is within the limits."""
        return store_id not in self.open.values() and len(self.open) < MOST_LINES

    def check_join(self, store_id: str) -> None:
        """Raises `AlreadyInLine` or `TooManyLines`."""
        for reception_id, open_store_id in self.open.items():
            if open_store_id == store_id:
                name = f"stores/{store_id}/receptions/{reception_id}"
                raise AlreadyInLine(f"{name} is open", reception=name)
        if len(self.open) >= MOST_LINES:
            raise TooManyLines(f"{len(self.open)} receptions are open; {MOST_LINES} at most")

    def hold(self, reception_id: str, store_id: str) -> None:
        """A reception of the customer's is open."""
        self.open[reception_id] = store_id

    def let_go(self, reception_id: str) -> None:
        """A reception of the customer's is open no more."""
        self.open.pop(reception_id, None)
