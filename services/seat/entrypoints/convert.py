"""Events of other services → news for the host."""

from collections.abc import Mapping
from datetime import UTC, timedelta

from services.seat.domain.floor import SeatingMode, StoreNews
from services.seat.domain.seating import ReceptionNews, Stage
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1.events_pb2 import ReceptionSnapshot
from tabling.reception.v1.reception_pb2 import Reception

DEFAULT_CALL_TIMEOUT = timedelta(minutes=5)

STAGES: Mapping[int, Stage] = {
    Reception.REQUESTED: Stage.REQUESTED,
    Reception.WAITING: Stage.WAITING,
    Reception.CALLED: Stage.CALLED,
    Reception.SEATED: Stage.SEATED,
    Reception.COMPLETED: Stage.CLOSED,
    Reception.CANCELED: Stage.CLOSED,
    Reception.NO_SHOW: Stage.CLOSED,
    Reception.REJECTED: Stage.CLOSED,
}

MODES: Mapping[int, SeatingMode] = {
    Store.SEATING_MODE_UNSPECIFIED: SeatingMode.COMPATIBLE_FIFO,
    Store.COMPATIBLE_FIFO: SeatingMode.COMPATIBLE_FIFO,
    Store.STRICT_FIFO: SeatingMode.STRICT_FIFO,
    Store.BY_HAND: SeatingMode.BY_HAND,
}


def reception_news(snapshot: ReceptionSnapshot) -> ReceptionNews:
    """A reception, at one version."""
    _, store_id, _, reception_id = snapshot.name.split("/")
    expires = snapshot.HasField("hold_expire_time")
    return ReceptionNews(
        reception_id=reception_id,
        store_id=store_id,
        version=snapshot.version,
        stage=STAGES[snapshot.state],
        party_size=snapshot.party_size,
        order_key=snapshot.order_key,
        round=snapshot.round,
        section=snapshot.section,
        table_id=snapshot.table.rpartition("/")[2],
        hold_expire_at=snapshot.hold_expire_time.ToDatetime(tzinfo=UTC) if expires else None,
    )


def store_news(store: Store) -> StoreNews:
    """A store's policy, at one version."""
    timeout = store.call_timeout
    given = store.HasField("call_timeout")
    return StoreNews(
        store_id=store.name.rpartition("/")[2],
        version=store.version,
        mode=MODES[store.seating_mode],
        call_timeout=timedelta(seconds=timeout.seconds, microseconds=timeout.nanos // 1000)
        if given
        else DEFAULT_CALL_TIMEOUT,
    )
