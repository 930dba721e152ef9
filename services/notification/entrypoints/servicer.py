"""NotificationService: the ledger, for operators."""

from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from services.chassis import fields
from services.chassis.kernel import invalid
from services.chassis.paging import page_position, page_size
from services.notification.domain.notice import State
from tabling.notification.v1.notice_pb2 import Notice
from tabling.notification.v1.notification_service_pb2 import (
    GetNoticeRequest,
    ListNoticesRequest,
    ListNoticesResponse,
)
from tabling.notification.v1.notification_service_pb2_grpc import NotificationServiceServicer

_STATES = {Notice.State.Value(state.value): state for state in State}


class Queries(Protocol):
    """The reads behind this service."""

    def get_notice(self, notice_id: str) -> Awaitable[Notice]:
        """One notice. Raises `NotFound`."""

    def list_notices(
        self,
        request: ListNoticesRequest,
        reception: tuple[str, ...] | None,
        states: Sequence[State],
        size: int,
        after: tuple[datetime, str] | None,
    ) -> Awaitable[ListNoticesResponse]:
        """A page of notices, newest first."""


class NotificationServicer(NotificationServiceServicer):
    """Checks what is asked for, and reads it."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    async def GetNotice(self, request: GetNoticeRequest, context: Any) -> Notice:
        (notice_id,) = fields.name_parts(request.name, "notices/*")
        return await self._queries.get_notice(notice_id)

    async def ListNotices(self, request: ListNoticesRequest, context: Any) -> ListNoticesResponse:
        reception = fields.optional_name("reception", request.reception, "stores/*/receptions/*")
        states = [fields.choice("states", state, _STATES) for state in request.states]
        after = _after(page_position(request, request.page_token))
        return await self._queries.list_notices(request, reception, states, page_size(request.page_size), after)


def _after(position: list[Any] | None) -> tuple[datetime, str] | None:
    if position is None:
        return None
    try:
        created_at, notice_id = position
        return datetime.fromisoformat(created_at).astimezone(UTC), str(notice_id)
    except (TypeError, ValueError, OverflowError):
        raise invalid("page_token", "is not a token of this list") from None
