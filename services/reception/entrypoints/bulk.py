"""Joins in bulk: messages of many, each join answered as if it were a call of its own."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from services.chassis.dialogue import Dialogue
from services.chassis.grpc_errors import Refusals
from services.chassis.interceptor import in_time
from services.chassis.kernel import invalid
from services.reception.entrypoints.joining import Joining
from tabling.reception.v1 import reception_pb2 as pb
from tabling.reception.v1.reception_service_pb2 import CreateReceptionsRequest, CreateReceptionsResponse

METHOD = "tabling.reception.v1.ReceptionService/CreateReceptions"
MOST_IN_A_MESSAGE = 256
MOST_UNDER_WAY = 512


class BulkEntry:
    """Answers streams of joins."""

    def __init__(self, joining: Joining[Any], refusals: Refusals) -> None:
        self._joining = joining
        self._refusals = refusals

    def answers(
        self, requests: AsyncIterator[CreateReceptionsRequest], context: Any
    ) -> AsyncGenerator[CreateReceptionsResponse]:
        """An answer to each message, in the order in which they are done."""

        async def answer(request: CreateReceptionsRequest) -> CreateReceptionsResponse:
            try:
                return self._told(request.tag, await in_time(context, self._outcomes, request))
            except Exception as error:
                return CreateReceptionsResponse(tag=request.tag, refusal=self._refusals.of(METHOD, error).status)

        return Dialogue(answer, weight=_weight, most=MOST_UNDER_WAY).answers(requests)

    async def _outcomes(self, request: CreateReceptionsRequest) -> list[pb.Reception | BaseException]:
        if not 1 <= len(request.requests) <= MOST_IN_A_MESSAGE:
            raise invalid("requests", f"must be 1 to {MOST_IN_A_MESSAGE}")
        return await self._joining.many(request.requests)

    def _told(self, tag: int, outcomes: list[pb.Reception | BaseException]) -> CreateReceptionsResponse:
        response = CreateReceptionsResponse(tag=tag)
        for outcome in outcomes:
            result = response.results.add()
            if isinstance(outcome, BaseException):
                result.refusal.CopyFrom(self._refusals.of(METHOD, outcome).status)
            else:
                result.reception.CopyFrom(outcome)
        return response


def _weight(request: CreateReceptionsRequest) -> int:
    """How many joins it is; one that is refused for its size is like a single one."""
    size = len(request.requests)
    return size if 1 <= size <= MOST_IN_A_MESSAGE else 1
