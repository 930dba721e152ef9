"""Parties that want to join, each a different one, in the forms in which they are sent."""

import json
import uuid
from collections.abc import Iterator, Sequence
from itertools import islice

from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import CreateReceptionRequest, CreateReceptionsRequest

SERVICE = "/tabling.reception.v1.ReceptionService"
JOIN = f"{SERVICE}/CreateReception"
JOIN_MANY = f"{SERVICE}/CreateReceptions"
JOIN_PATH = "/recepts"
"""Where a gateway takes a whole CreateReceptionRequest as JSON."""

PARTIES = 4000 * 8000
"""How many there can be: as many as there are phone numbers for them."""


class Parties:
    """Gives every party only once."""

    def __init__(self) -> None:
        self._next = 0

    @property
    def next(self) -> int:
        """The number of the party that comes next."""
        return self._next

    def grpc(self, stores: Sequence[str]) -> Iterator[bytes]:
        """Requests of unary calls, to the stores in turn."""
        for request in self._requests(stores):
            yield request.SerializeToString()

    def json(self, stores: Sequence[str]) -> Iterator[bytes]:
        """Requests as JSON."""
        for request in self._requests(stores):
            party = {"partySize": request.reception.party_size, "phone": request.reception.phone}
            body = {"parent": request.parent, "reception": party, "requestId": request.request_id}
            yield json.dumps(body).encode()

    def messages(self, stores: Sequence[str], size: int) -> Iterator[tuple[int, bytes]]:
        """Messages of `size` joins for a stream: how many each has, and its bytes without a tag."""
        requests = self._requests(stores)
        while joins := list(islice(requests, size)):
            yield len(joins), CreateReceptionsRequest(requests=joins).SerializeToString()

    def _requests(self, stores: Sequence[str]) -> Iterator[CreateReceptionRequest]:
        while self._next < PARTIES:
            number, self._next = self._next, self._next + 1
            party = Reception(party_size=1 + number % 4, phone=phone(number))
            store = stores[number % len(stores)]
            yield CreateReceptionRequest(parent=f"stores/{store}", reception=party, request_id=str(uuid.uuid4()))


def phone(number: int) -> str:
    """A number of nobody's; its last digits are none at which the stand-in for KakaoTalk plays a trick."""
    return f"+8210{2000 + number // 4000}{5000 + number % 4000}"
