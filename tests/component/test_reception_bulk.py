"""Joining in bulk: a stream of messages of many joins, each of them treated as a call of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from services.chassis.testing import eventually
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import (
    CreateReceptionRequest,
    CreateReceptionsRequest,
    CreateReceptionsResponse,
)
from tests.component.reception_kit import House, reception

METHOD = "/tabling.reception.v1.ReceptionService/CreateReceptions"


def joining(party_size: int = 2, *, store: str = "sushi", request: Any = None, **facts: Any) -> CreateReceptionRequest:
    party = Reception(party_size=party_size, **facts)
    return CreateReceptionRequest(parent=f"stores/{store}", reception=party, **(request or {}))


class Stream:
    """A stream of joins as a backend has it."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self._tag = 0

    async def send(self, *requests: CreateReceptionRequest) -> int:
        """Send one message; gives its tag."""
        self._tag += 1
        await self.call.write(CreateReceptionsRequest(tag=self._tag, requests=requests))
        return self._tag

    async def hear(self) -> CreateReceptionsResponse:
        response: CreateReceptionsResponse = await self.call.read()
        assert isinstance(response, CreateReceptionsResponse), await self.call.code()
        return response

    async def ask(self, *requests: CreateReceptionRequest) -> list[Any]:
        """Send one message and hear its answer: receptions, or how they were refused."""
        tag = await self.send(*requests)
        response = await self.hear()
        assert (response.tag, response.HasField("refusal")) == (tag, False)
        return [getattr(result, str(result.WhichOneof("result"))) for result in response.results]


@asynccontextmanager
async def stream(house: House) -> AsyncIterator[Stream]:
    call = house.stub.CreateReceptions()
    try:
        yield Stream(call)
    finally:
        call.cancel()


def reason(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    return info.reason


def numbers(receptions: Iterable[Reception]) -> list[int]:
    return [each.waiting_number for each in receptions]


async def test_joins_of_one_message_stand_in_line_in_its_order(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        async with stream(house) as bulk:
            joined = await bulk.ask(*(joining(1 + n % 4) for n in range(60)))
        assert numbers(joined) == list(range(1, 61))
        assert [each.parties_ahead for each in joined] == list(range(60))
        assert [each.party_size for each in joined] == [1 + n % 4 for n in range(60)]
        assert await house.get(joined[7].name)
        await house.told_of("added", joined[59].name)


async def test_seat_is_asked_once_for_a_message(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        await house.store_is("soup")
        house.seats.fit = True
        async with stream(house) as bulk:
            joined = await bulk.ask(*(joining(store=store) for store in ("sushi", "soup") * 5))
        assert {each.state for each in joined} == {Reception.REQUESTED}
        assert [len(questions) for questions in house.seats.calls] == [2]


async def test_a_refused_join_is_told_as_a_call_would_be_and_touches_no_other(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        bad = [
            joining(store="nowhere"),
            joining(store="NO"),
            joining(99),
            joining(-1),
            joining(phone="abc"),
            joining(language_code="fr"),
            joining(customer="anna"),
            joining(section="\u202eabc"),
            joining(request={"request_id": "7"}),
            joining(request={"wait": Duration(seconds=3)}),
            CreateReceptionRequest(parent="stores/sushi"),
            CreateReceptionRequest(),
        ]
        mixed = [each for one in bad for each in (one, joining())]
        async with stream(house) as bulk:
            outcomes = await bulk.ask(*mixed)
        assert numbers(outcomes[1::2]) == list(range(1, len(bad) + 1))
        assert outcomes[0::2] == [await refused_as_a_call(house, each) for each in bad]


async def refused_as_a_call(house: House, request: CreateReceptionRequest) -> status_pb2.Status:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await house.stub.CreateReception(request)
    metadata: dict[str, Any] = dict(caught.value.trailing_metadata() or ())
    return status_pb2.Status.FromString(metadata["grpc-status-details-bin"])


async def test_a_line_takes_as_many_as_fit(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(max_waiting=3)
        async with stream(house) as bulk:
            outcomes = await bulk.ask(*(joining() for _ in range(5)))
        assert numbers(outcomes[:3]) == [1, 2, 3]
        assert [reason(status) for status in outcomes[3:]] == ["LINE_FULL", "LINE_FULL"]


async def test_a_customer_stands_in_a_line_once(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        async with stream(house) as bulk:
            outcomes = await bulk.ask(*(joining(customer="customers/anna") for _ in range(3)), joining())
        assert numbers((outcomes[0], outcomes[3])) == [1, 2]
        assert [reason(status) for status in outcomes[1:3]] == ["ALREADY_IN_LINE"] * 2


async def test_the_same_request_id_brings_the_same_reception(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        request = {"request_id": str(uuid4())}
        async with stream(house) as bulk:
            first, again = await bulk.ask(joining(request=request), joining(request=request))
            later, other = await bulk.ask(joining(request=request), joining(5, request=request))
        assert first == again == later
        assert reason(other) == "REQUEST_ID_REUSED"
        assert (await house.join()).waiting_number == 2


async def test_a_message_may_wait_for_a_promised_table(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.fit = True
        async with stream(house) as bulk:
            await bulk.send(joining(request={"wait": Duration(seconds=2)}), joining(store="nowhere"))
            await house.called(await house.first_added())
            response = await bulk.hear()
        assert response.results[0].reception.state == Reception.CALLED
        assert reason(response.results[1].refusal) == "NOT_FOUND"


@pytest.mark.parametrize("size", [0, 257, 60_000])
async def test_a_message_of_no_or_too_many_joins_is_refused_and_the_stream_goes_on(tmp_path: Path, size: int) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        async with stream(house) as bulk:
            tag = await bulk.send(*[CreateReceptionRequest()] * size)
            response = await bulk.hear()
            assert (response.tag, reason(response.refusal), len(response.results)) == (tag, "INVALID_FIELD", 0)
            assert numbers(await bulk.ask(joining())) == [1]


async def test_bytes_that_are_no_message_end_the_stream_after_the_answers(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        call: Any = house.channel.stream_stream(METHOD)()
        await call.write(CreateReceptionsRequest(tag=1, requests=[joining()] * 20).SerializeToString())
        await call.write(b"\xff\xff\xff")
        assert len(CreateReceptionsResponse.FromString(await call.read()).results) == 20
        assert await call.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_stream_that_was_ended_by_its_caller_is_answered_to_the_last(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(max_waiting=1000)
        call = house.stub.CreateReceptions(
            CreateReceptionsRequest(tag=tag, requests=[joining()] * 7) for tag in range(30)
        )
        responses = [response async for response in call]
        assert await call.code() is grpc.StatusCode.OK
        assert sorted(response.tag for response in responses) == list(range(30))
        given = [result.reception for response in responses for result in response.results]
        assert sorted(numbers(given)) == list(range(1, 211))


async def test_streams_and_calls_side_by_side_leave_no_gap(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(max_waiting=1000)

        async def bring(messages: int) -> list[Reception]:
            async with stream(house) as bulk:
                return [each for _ in range(messages) for each in await bulk.ask(*[joining()] * 11)]

        alone = asyncio.gather(*(house.join() for _ in range(20)))
        first, second = await asyncio.gather(bring(5), bring(5))
        assert sorted(numbers([*first, *second, *await alone])) == list(range(1, 131))


async def test_a_stopping_server_answers_what_it_took_on_and_ends_the_stream(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        house.seats.answering.clear()
        async with stream(house) as bulk:
            await bulk.send(joining(), joining())
            await eventually(lambda: house.seats.calls)
            stopping = asyncio.create_task(house.service.grpc.stop(5.0))
            house.seats.answering.set()
            assert numbers(each.reception for each in (await bulk.hear()).results) == [1, 2]
            assert await bulk.call.code() is grpc.StatusCode.UNAVAILABLE
            await stopping


async def test_what_a_stream_that_broke_off_had_sent_is_done_once(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        sent = [joining(request={"request_id": str(uuid4())}) for _ in range(30)]
        async with stream(house) as bulk:
            await bulk.send(*sent)
            await eventually(lambda: house.seats.calls)
        async with stream(house) as bulk:
            joined = await bulk.ask(*sent)
        assert sorted(numbers(joined)) == list(range(1, 31))
