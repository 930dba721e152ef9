"""Domain events as the messages of the contract."""

from collections.abc import Iterator

from services.chassis.fields import timestamp
from services.chassis.messages import Message
from services.seat.domain.events import HoldExpired, PromiseBroken, SeatAdded, SeatFreed, SeatTaken
from services.seat.domain.floor import Floor
from services.seat.domain.seating import Seating
from services.seat.domain.table import Table
from services.seat.wire import SeatingState, availability_to_pb, table_to_pb
from tabling.seat.v1 import events_pb2

Pb = events_pb2.Seating


def seating_messages(seating: Seating) -> Iterator[Message]:
    """What a saved seating announces."""
    for event in seating.events:
        match event:
            case SeatAdded():
                yield seat_added(seating)
            case SeatTaken():
                yield seat_taken(seating)
            case PromiseBroken():
                yield promise_broken(seating)
            case HoldExpired():
                body = events_pb2.SeatCanceled(seating=_ended(seating, Pb.EXPIRED, event))
                yield _message(seating, "seat.seating.canceled.v1", body)
            case SeatFreed():
                freed = events_pb2.SeatFreed(seating=_ended(seating, Pb.FREED, event))
                yield _message(seating, "seat.seating.freed.v1", freed)
            case _:
                raise TypeError(f"{event!r} has no message")


def seat_added(seating: Seating) -> Message:
    """A seating that is HELD."""
    body = events_pb2.SeatAdded(seating=_present(seating, Pb.HELD))
    return _message(seating, "seat.seating.added.v1", body)


def seat_taken(seating: Seating) -> Message:
    """A seating that is OCCUPIED."""
    body = events_pb2.SeatTaken(seating=_present(seating, Pb.OCCUPIED))
    return _message(seating, "seat.seating.taken.v1", body)


def promise_broken(seating: Seating) -> Message:
    """A seating whose promise was withdrawn."""
    body = events_pb2.SeatCanceled(seating=_present(seating, Pb.TAKEN))
    return _message(seating, "seat.seating.canceled.v1", body)


def table_messages(table: Table) -> Iterator[Message]:
    """What a saved table announces: itself, whatever happened to it."""
    if table.events:
        yield table_changed(table)


def table_changed(table: Table) -> Message:
    """A table as it is."""
    body = events_pb2.TableChanged(table=table_to_pb(table))
    key = table.key
    return Message(
        "seat.table.changed.v1", table.name, table.party or key, body.SerializeToString(), latest_of=f"table/{key}"
    )


def floor_messages(floor: Floor) -> Iterator[Message]:
    """What a saved floor announces: its free seats, when they changed."""
    if floor.events:
        yield availability_changed(floor)


def availability_changed(floor: Floor) -> Message:
    """A store's free seats as they are."""
    body = events_pb2.AvailabilityChanged(availability=availability_to_pb(floor))
    return Message(
        "seat.availability.changed.v1",
        f"{floor.name}/availability",
        floor.store_id,
        body.SerializeToString(),
        latest_of=f"availability/{floor.store_id}",
    )


def _present(seating: Seating, state: SeatingState) -> events_pb2.Seating:
    return Pb(
        reception=seating.reception,
        version=seating.version,
        round=seating.round,
        state=state,
        table=_table_name(seating, seating.table_id),
        hold_time=timestamp(seating.held_at),
        hold_expire_time=timestamp(seating.hold_expire_at),
    )


def _ended(seating: Seating, state: SeatingState, event: HoldExpired | SeatFreed) -> events_pb2.Seating:
    return Pb(
        reception=seating.reception,
        version=seating.version,
        round=seating.round,
        state=state,
        table=_table_name(seating, event.table_id),
        hold_time=timestamp(event.held_at),
        hold_expire_time=timestamp(event.hold_expire_at),
    )


def _table_name(seating: Seating, table_id: str) -> str:
    return f"stores/{seating.store_id}/tables/{table_id}" if table_id else ""


def _message(
    seating: Seating,
    key: str,
    body: events_pb2.SeatAdded | events_pb2.SeatTaken | events_pb2.SeatCanceled | events_pb2.SeatFreed,
) -> Message:
    return Message(key, seating.reception, seating.id, body.SerializeToString())
