"""Domain events as messages for the other services."""

from collections.abc import Iterator

from services.chassis.messages import Message
from services.notification.domain.notice import Notice, State
from services.notification.domain.purpose import Purpose
from tabling.notification.v1 import events_pb2
from tabling.notification.v1.notice_pb2 import Notice as NoticeMessage

SETTLED = "notification.notice.settled.v1"

PURPOSES = {purpose: NoticeMessage.Purpose.Value(purpose.value) for purpose in Purpose}
STATES = {state: NoticeMessage.State.Value(state.value) for state in State}


def messages(notice: Notice) -> Iterator[Message]:
    """One message per event recorded."""
    for _ in notice.events:
        name = f"notices/{notice.id}"
        event = events_pb2.NoticeSettled(
            name=name,
            reception=f"stores/{notice.store_id}/receptions/{notice.reception_id}",
            purpose=PURPOSES[notice.purpose],
            state=STATES[notice.state],
            failure=notice.failure,
        )
        yield Message(SETTLED, name, notice.reception_id, event.SerializeToString())
