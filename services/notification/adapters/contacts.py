"""Contacts, asked of reception."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import grpc

from services.chassis.callers import Identity
from services.chassis.tracing import cause, metadata
from services.notification.application.notifier import ContactsUnavailable
from tabling.reception.v1.contact_service_pb2 import BatchGetContactsRequest
from tabling.reception.v1.contact_service_pb2_grpc import ContactServiceStub

DEADLINE_SECONDS = 2.0

OPTIONS = (("grpc.lb_policy_name", "round_robin"),)
"""Each replica of reception gets its share."""


class ReceptionContacts(AbstractAsyncContextManager["ReceptionContacts"]):
    """Asks reception, in one call for a whole batch. Open it on the loop that uses it."""

    def __init__(self, target: str, identity: Identity) -> None:
        self._target = target
        self._identity = identity

    async def __aenter__(self) -> "ReceptionContacts":
        self._channel = grpc.aio.insecure_channel(self._target, options=OPTIONS)
        self._stub = ContactServiceStub(self._channel)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._channel.close()

    async def look_up(self, receptions: Sequence[tuple[str, str]]) -> dict[str, str]:
        """Phone numbers by reception id. Raises `ContactsUnavailable`."""
        names = [f"stores/{store_id}/receptions/{reception_id}" for store_id, reception_id in receptions]
        request = BatchGetContactsRequest(names=names)
        try:
            answer = await self._stub.BatchGetContacts(
                request, timeout=DEADLINE_SECONDS, metadata=self._identity + metadata(cause.get())
            )
        except grpc.aio.AioRpcError as error:
            raise ContactsUnavailable(error.code().name) from error
        return {contact.reception.rpartition("/")[2]: contact.phone for contact in answer.contacts}
