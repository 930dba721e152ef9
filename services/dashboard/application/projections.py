"""What an event changes in the read model. Rows carry their versions, so any order of events ends the same."""

from services.dashboard.application.model import (
    AvailabilityRow,
    LineRow,
    OrderRow,
    ReadModel,
    ReceptionRow,
    StoreRow,
    TableRow,
)


def show_store(store: StoreRow, model: ReadModel) -> None:
    """A store was created or changed."""
    model.stores.put(store)
    model.signal(store.id)


def show_reception(reception: ReceptionRow, line: LineRow | None, model: ReadModel) -> None:
    """A reception changed, and with it the line."""
    model.receptions.put(reception)
    if line is not None:
        model.lines.put(line)
    model.signal(reception.store_id)


def show_order(order: OrderRow, model: ReadModel) -> None:
    """Staff did something about a reception."""
    model.orders.put(order)
    model.signal(order.store_id)


def show_table(table: TableRow, model: ReadModel) -> None:
    """A table changed."""
    model.tables.put(table)
    model.signal(table.store_id)


def show_availability(availability: AvailabilityRow, model: ReadModel) -> None:
    """Free seats of a store changed."""
    model.availabilities.put(availability)
    model.signal(availability.id)
