"""Limits of joining, and proof of presence: who joins too often, or from too far away."""

from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import pytest
from sqlalchemy import select

from services.chassis.callers import ADDRESS, Identity, as_principal, as_service
from services.chassis.limits import Limits
from services.reception.adapters.tables import addresses, customers
from tabling.management.v1.order_pb2 import Order
from tabling.reception.v1 import reception_service_pb2 as rpc
from tabling.reception.v1.reception_pb2 import Reception
from tests.component.reception_kit import House, Refused, reception, refusal
from tests.component.rounds import some_rounds_later
from tests.entitled import KEYS

EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED
PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
PHONE = "01012345678"

STAFF = as_principal(KEYS, aud="tabling-staff", sub="kim", role="host", stores=["sushi"])
BACKEND = as_principal(KEYS, aud="tabling-backend", sub="app", customers="a")


def join(house: House, by: Identity, *, store: str = "sushi", **facts: Any) -> Any:
    """A join by somebody in particular."""
    request = rpc.CreateReceptionRequest(parent=f"stores/{store}", reception=Reception(party_size=2, **facts))
    return house.stub.CreateReception(request, metadata=by)


async def come_and_go(house: House, times: int, **facts: Any) -> None:
    """Join and cancel so many times."""
    for _ in range(times):
        await house.cancel((await house.join(**facts)).name)


@pytest.mark.parametrize("who", [{"phone": PHONE}, {"customer": "customers/anna"}], ids=["phone", "customer"])
async def test_who_joins_and_cancels_again_and_again_has_to_wait(tmp_path: Path, who: dict[str, Any]) -> None:
    async with reception(tmp_path, limits=Limits()) as house:
        await house.store_is()
        await come_and_go(house, 1, **who)
        house.clock.advance(MINUTE)
        await come_and_go(house, 2, **who)
        refused = await refusal(house.join(**who))
        assert (refused.code, refused.reason) == (EXHAUSTED, "TOO_MANY_JOINS")
        assert refused.retry_after == 9 * MINUTE
        house.clock.advance(refused.retry_after - timedelta(microseconds=1))
        assert (await refusal(house.join(**who))).reason == "TOO_MANY_JOINS"
        house.clock.advance(timedelta(microseconds=1))
        await come_and_go(house, 1, **who)
        assert (await refusal(house.join(**who))).retry_after == MINUTE
        await house.join(phone="01087654321")


async def test_nobody_joins_more_than_ten_times_a_day(tmp_path: Path) -> None:
    async with reception(tmp_path, limits=Limits()) as house:
        await house.store_is()
        for _ in range(10):
            await come_and_go(house, 1, phone=PHONE)
            house.clock.advance(10 * MINUTE)
        refused = await refusal(house.join(phone=PHONE))
        assert (refused.reason, refused.retry_after) == ("TOO_MANY_JOINS", DAY - 100 * MINUTE)
        house.clock.advance(refused.retry_after)
        await house.join(phone=PHONE)


async def test_a_request_that_is_repeated_is_no_other_join_and_a_refused_one_is_none(tmp_path: Path) -> None:
    async with reception(tmp_path, limits=Limits()) as house:
        await house.store_is()
        request = {"request_id": str(uuid4())}
        first = await house.join(phone=PHONE, request=request)
        for _ in range(5):
            assert (await house.join(phone=PHONE, request=request)).name == first.name
            assert (await refusal(house.join(phone=PHONE))).reason == "ALREADY_IN_LINE"
        await house.cancel(first.name)
        await come_and_go(house, 2, phone=PHONE)
        assert (await refusal(house.join(phone=PHONE))).reason == "TOO_MANY_JOINS"


async def test_who_is_brought_by_a_backend_is_limited_too_and_who_is_brought_by_staff_is_not(tmp_path: Path) -> None:
    async with reception(tmp_path, limits=Limits()) as house:
        await house.store_is()
        for _ in range(3):
            await house.cancel((await join(house, BACKEND, customer="customers/anna")).name)
            await house.cancel((await join(house, STAFF, phone=PHONE)).name)
        assert (await refusal(join(house, BACKEND, customer="customers/anna"))).reason == "TOO_MANY_JOINS"
        assert (await refusal(house.join(phone=PHONE))).reason == "TOO_MANY_JOINS"
        await join(house, STAFF, phone=PHONE)


async def test_joins_are_forgotten_after_a_day_and_open_receptions_are_not(tmp_path: Path) -> None:
    async with reception(tmp_path, limits=Limits()) as house:
        await house.store_is()
        await come_and_go(house, 2, phone=PHONE)
        anna = await house.join(customer="customers/anna")
        await house.order_is(anna.name, Order.SEATED, "seated")

        async def known() -> str:
            found = select(customers.c.id).order_by(customers.c.id)
            ids = await house.service.frame.database.read(lambda c: c.execute(found).scalars().all())
            return " ".join(id_[:6] for id_ in ids)

        assert (await known()).startswith("c:anna p:")
        house.clock.advance(DAY)
        await some_rounds_later(house.clock, lambda: _is(known(), "c:anna"))


async def _is(asked: Awaitable[str], wanted: str) -> bool:
    return await asked == wanted


async def test_many_people_at_once_are_taken_a_few_at_a_time_by_each_line(tmp_path: Path) -> None:
    async with reception(tmp_path, limits=Limits(most_joins_of_line_a_minute=6)) as house:
        await house.store_is()
        await house.store_is("ramen")
        for _ in range(6):
            await house.join()
        refused = await refusal(house.join())
        assert (refused.code, refused.reason, refused.retry_after) == (EXHAUSTED, "LINE_BUSY", timedelta(seconds=10))
        await house.join(store="ramen")
        for n in range(10):
            await join(house, STAFF)
            await join(house, BACKEND, customer=f"customers/a{n}")
        house.clock.advance(refused.retry_after)
        await house.join()
        assert (await refusal(house.join())).reason == "LINE_BUSY"


def at(address: str) -> Identity:
    """Somebody who tells nothing, at an address."""
    return (*as_service(KEYS, "")[:1], (ADDRESS, address))


HERE, THERE = at("203.0.113.7"), at("203.0.113.8")


async def test_parties_that_tell_nothing_are_taken_a_few_at_a_time_from_each_address(tmp_path: Path) -> None:
    async with reception(tmp_path, limits=Limits()) as house:
        await house.store_is()
        await house.store_is("ramen")
        for _ in range(20):
            await house.cancel((await join(house, HERE)).name)
        refused = await refusal(join(house, HERE))
        assert (refused.code, refused.reason) == (EXHAUSTED, "TOO_MANY_JOINS")
        assert refused.retry_after == timedelta(seconds=30)
        await join(house, THERE)
        await join(house, HERE, phone=PHONE)
        await join(house, HERE, store="ramen")
        await join(house, STAFF)
        house.clock.advance(refused.retry_after)
        await join(house, HERE)
        assert (await refusal(join(house, HERE))).reason == "TOO_MANY_JOINS"


async def test_no_address_is_kept_and_what_is_known_of_it_is_forgotten_when_it_counts_no_longer(tmp_path: Path) -> None:
    async with reception(tmp_path, limits=Limits()) as house:
        await house.store_is()
        await join(house, HERE)
        ask = house.service.frame.database.read
        [kept] = await ask(lambda connection: connection.execute(select(addresses)).all())
        assert "203.0.113" not in str(kept)
        none = lambda: _is(ask(lambda c: str(c.execute(select(addresses)).all())), "[]")  # noqa: E731
        await some_rounds_later(house.clock, none)


async def code_shown(house: House) -> Any:
    """What the store's display shows."""
    return await house.stub.GetPresenceCode(rpc.GetPresenceCodeRequest(name="stores/sushi/presenceCode"))


async def with_code(house: House, code: str) -> Reception:
    return await house.join(request={"presence_code": code})


async def test_the_code_on_the_display_lets_people_join_and_changes_every_minute(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(presence_required=True)
        refused = await refusal(house.join())
        assert (refused.code, refused.reason) == (PRECONDITION, "PRESENCE_REQUIRED")
        shown = await code_shown(house)
        assert len(shown.code) == 8
        assert shown.expire_time.ToDatetime(tzinfo=house.clock.now().tzinfo) == house.clock.now() + MINUTE
        for _ in range(2):
            await with_code(house, shown.code)
        house.clock.advance(MINUTE)
        assert (await code_shown(house)).code != shown.code
        await with_code(house, shown.code)
        house.clock.advance(MINUTE)
        assert await refusal(with_code(house, shown.code)) == refused
        await with_code(house, (await code_shown(house)).code)


async def test_no_other_code_opens_the_line_and_all_are_refused_alike(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(presence_required=True)
        await house.store_is("ramen", presence_required=True)
        shown = (await code_shown(house)).code
        answers: list[Refused] = [
            await refusal(with_code(house, f"{(int(shown) + 10**n) % 10**8:08}")) for n in range(8)
        ]
        answers.append(await refusal(house.join(store="ramen", request={"presence_code": shown})))
        answers.append(await refusal(house.join(store="ramen")))
        assert {answer.reason for answer in answers} == {"PRESENCE_REQUIRED"}
        for wrong in ("1234567", "123456789", "1234567a", "１２３４５６７８"):
            assert (await refusal(with_code(house, wrong))).fields == ("presence_code",)


async def test_staff_and_backends_vouch_for_whom_they_bring(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is(presence_required=True)
        await join(house, STAFF)
        await join(house, BACKEND, customer="customers/anna")
        anna = as_principal(KEYS, aud="tabling-customer", sub="anna")
        assert (await refusal(join(house, anna))).reason == "PRESENCE_REQUIRED"


async def test_a_store_that_wants_no_code_looks_at_none(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        await with_code(house, "00000000")
        missing = rpc.GetPresenceCodeRequest(name="stores/nowhere/presenceCode")
        assert (await refusal(house.stub.GetPresenceCode(missing))).code is grpc.StatusCode.NOT_FOUND
