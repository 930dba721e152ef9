"""Events of the other services → snapshots of ours."""

from datetime import datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp

from services.management.domain.order import ReceptionSnapshot, ReceptionState
from services.management.domain.table import TableSnapshot, TableState
from services.management.wire import EPOCH
from tabling.reception.v1.events_pb2 import ReceptionSnapshot as ReceptionMessage
from tabling.reception.v1.reception_pb2 import Reception
from tabling.seat.v1.table_pb2 import Table as TableMessage

RECEPTION_STATES = {Reception.State.Value(state.name): state for state in ReceptionState}
TABLE_STATES = {TableMessage.State.Value(state.name): state for state in TableState}


def reception_from_pb(seen: ReceptionMessage) -> ReceptionSnapshot:
    """What reception tells of a party."""
    _, store, _, reception = seen.name.split("/")
    return ReceptionSnapshot(
        id=reception,
        store_id=store,
        version=seen.version,
        state=RECEPTION_STATES[seen.state],
        round=seen.round,
        party_size=seen.party_size,
        waiting_number=seen.waiting_number,
        order_key=seen.order_key,
        table_name=seen.table,
        section=seen.section,
        walk_in=seen.channel == Reception.WALK_IN,
        created_at=_time(seen.create_time),
        called_at=_time(seen.call_time) if seen.HasField("call_time") else None,
        seated_at=_time(seen.seat_time) if seen.HasField("seat_time") else None,
        closed_at=_time(seen.close_time) if seen.HasField("close_time") else None,
        hold_expires_at=_time(seen.hold_expire_time) if seen.HasField("hold_expire_time") else None,
    )


def table_from_pb(seen: TableMessage) -> TableSnapshot:
    """What seat tells of a table."""
    _, store, _, table = seen.name.split("/")
    return TableSnapshot(
        id=f"{store}/{table}",
        store_id=store,
        version=seen.version,
        capacity=seen.capacity,
        state=TABLE_STATES[seen.state],
        blocked=seen.blocked,
        reception_id=seen.reception.rpartition("/")[2],
    )


def _time(value: Timestamp) -> datetime:
    # by hand: ToDatetime checks what a sibling service has checked already
    return EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1000)
