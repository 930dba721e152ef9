"""ContactService: where notices go; for notification alone."""

from typing import Any

from services.chassis import fields
from services.chassis.kernel import InvalidField, NotFound, invalid
from services.reception.entrypoints.ports import Reads
from tabling.reception.v1 import contact_service_pb2 as rpc
from tabling.reception.v1.contact_service_pb2_grpc import ContactServiceServicer as Base

MOST_NAMES = 1000


class ContactServicer(Base):
    """Contact data by reference."""

    def __init__(self, reads: Reads) -> None:
        self._reads = reads

    async def BatchGetContacts(  # noqa: N802 - gRPC names its methods so
        self, request: rpc.BatchGetContactsRequest, context: Any
    ) -> rpc.BatchGetContactsResponse:
        if len(request.names) > MOST_NAMES:
            raise invalid("names", f"has more than {MOST_NAMES} names")
        names = [parts for name in request.names if (parts := _parts(name))]
        found = await self._reads.contacts(names) if names else []
        return rpc.BatchGetContactsResponse(
            contacts=[rpc.Contact(reception=n, phone=p, language_code=language) for n, p, language in found]
        )


def _parts(name: str) -> tuple[str, str] | None:
    try:
        store_id, reception_id = fields.name_parts(name, "stores/*/receptions/*")
    except (NotFound, InvalidField):
        return None
    return store_id, reception_id
