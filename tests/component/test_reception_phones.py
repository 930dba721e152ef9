"""Phone numbers at rest: sealed, sealed anew when keys change, and deleted when the party has long been gone."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from sqlalchemy import Connection, RowMapping, select, update

from services.chassis.callers import PASS, Identity, as_principal, as_service
from services.chassis.clock import ManualClock
from services.chassis.figures import Reading
from services.chassis.testing import eventually
from services.local.calling import Telling
from services.reception.adapters.figures import figures
from services.reception.adapters.tables import customers, receptions
from services.reception.adapters.vault import PLAIN, Vault
from tabling.management.v1.order_pb2 import Order
from tabling.reception.v1 import contact_service_pb2 as contact_rpc
from tabling.reception.v1.reception_pb2 import Reception
from tabling.reception.v1.reception_service_pb2 import CancelReceptionRequest, GetPlaceRequest, GetReceptionRequest
from tabling.reception.v1.reception_service_pb2_grpc import ReceptionServiceStub
from tests.component.reception_kit import NOON, House, reception, refusal
from tests.component.rounds import some_rounds_later
from tests.entitled import KEYS, PHONE_KEYS

pytestmark = pytest.mark.every_database

PHONE, SHOWN = "+821012345678", "010-****-5678"
NEW_KEYS = ("of-the-tests-newer-phones-" + "0" * 32, *PHONE_KEYS)
WEEK = timedelta(days=7)

STAFF = as_principal(KEYS, aud="tabling-staff", sub="kim", role="host", stores=["sushi"])


@asynccontextmanager
async def calling(house: House, identity: Identity) -> AsyncIterator[Any]:
    """A stub of whoever this is."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{house.service.grpc.port}") as channel:
        told: Any = Telling(channel, lambda method, request: identity)
        yield ReceptionServiceStub(told)


async def rows(house: House) -> dict[str, RowMapping]:
    """All rows of receptions, by name."""

    def read(connection: Connection) -> dict[str, RowMapping]:
        found = connection.execute(select(receptions)).mappings().all()
        return {f"stores/{row['store_id']}/receptions/{row['id']}": row for row in found}

    return await house.service.frame.database.read(read)


async def known_customers(house: House) -> dict[str, dict[str, str]]:
    """Open receptions by the customer's key."""
    statement = select(customers.c.id, customers.c.open)
    found = await house.service.frame.database.read(lambda connection: connection.execute(statement).all())
    return dict(map(tuple, found))


async def change(house: House, *statements: Any) -> None:
    """Do something to the database behind the service's back."""

    def work(connection: Connection) -> None:
        for statement in statements:
            connection.execute(statement)

    await house.service.frame.database.write(work)


async def phone_of(house: House, name: str) -> str:
    """What notification would be told."""
    request = contact_rpc.BatchGetContactsRequest(names=[name])
    found = (await house.contacts.BatchGetContacts(request)).contacts
    return found[0].phone if found else ""


async def is_forgotten(house: House, name: str) -> bool:
    row = (await rows(house))[name]
    left = {column: row[column] for column in ("phone", "phone_sealed", "phone_masked", "phone_key", "customer_key")}
    assert not any(left.values()), left
    return True


async def is_sealed(house: House, name: str, key_id: str) -> bool:
    row = (await rows(house))[name]
    assert (row["phone"], row["phone_key"]) == ("", key_id)
    assert row["phone_sealed"].startswith(f"{key_id}.")
    return True


async def test_a_week_after_a_party_left_its_number_is_deleted_and_its_pass_opens_nothing(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        party, waiting = await house.join(phone=PHONE), await house.join(phone="+821087654321")
        await house.cancel(party.name)
        house.clock.advance(WEEK)
        assert (await rows(house))[party.name]["phone_sealed"]
        assert (await house.get(party.name)).phone == SHOWN
        await some_rounds_later(house.clock, partial(is_forgotten, house, party.name))
        assert await phone_of(house, party.name) == ""
        assert (await rows(house))[waiting.name]["phone_sealed"]
        assert await phone_of(house, waiting.name) == "+821087654321"


async def test_a_pass_opens_nothing_as_soon_as_its_time_is_up_and_staff_still_see_that_somebody_came(
    tmp_path: Path,
) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        party = await house.join(phone=PHONE)
        await house.cancel(party.name)
        holder = (*as_service(KEYS, "")[:1], (PASS, party.reception_pass))
        # nothing has been tidied up since
        house.clock._now += WEEK + timedelta(seconds=1)
        async with calling(house, holder) as customer, calling(house, STAFF) as staff:
            name, nobodys = party.name, "stores/sushi/receptions/nobody"
            for method, ask, missing in (
                (customer.GetReception, GetReceptionRequest(name=name), GetReceptionRequest(name=nobodys)),
                (customer.GetPlace, GetPlaceRequest(name=f"{name}/place"), GetPlaceRequest(name=f"{nobodys}/place")),
                (customer.CancelReception, CancelReceptionRequest(name=name), CancelReceptionRequest(name=nobodys)),
            ):
                assert await refusal(method(ask)) == await refusal(method(missing))
            seen = await staff.GetReception(GetReceptionRequest(name=name))
            assert seen.state == Reception.CANCELED


async def test_a_party_that_sat_down_and_was_never_said_to_have_gone_is_forgotten_too(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        party = await house.join(phone=PHONE)
        await house.order_is(party.name, Order.SEATED, "seated")
        await eventually(partial(is_in, house, party.name, Reception.SEATED))
        assert len(await known_customers(house)) == 1
        house.clock.advance(WEEK)
        await some_rounds_later(house.clock, partial(is_forgotten, house, party.name))
        assert await known_customers(house) == {}


async def is_in(house: House, name: str, state: Any) -> bool:
    assert (await house.get(name)).state == state
    return True


async def test_numbers_from_before_they_were_sealed_are_sealed_and_still_tell_their_customers(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        party, nobody = await house.join(phone=PHONE), await house.join()
        former = f"p:{hashlib.sha256(PHONE.encode()).hexdigest()}"
        plain = {"phone": PHONE, "phone_sealed": "", "phone_masked": "", "phone_key": PLAIN, "customer_key": former}
        await change(
            house,
            update(receptions).where(receptions.c.phone_sealed != "").values(plain),
            update(receptions).where(receptions.c.phone_sealed == "").values(phone_key=PLAIN),
            update(customers).values(id=former),
        )
        # as those versions left them, they are used until then
        assert (await house.get(party.name)).phone == SHOWN
        assert await phone_of(house, party.name) == PHONE
        await house.called(party.name)
        assert await phone_of(house, party.name) == PHONE
        vault = Vault(PHONE_KEYS)
        await some_rounds_later(house.clock, partial(is_sealed, house, party.name, vault.newest))
        assert await phone_of(house, party.name) == PHONE
        assert (await rows(house))[nobody.name]["phone_key"] == ""
        assert [*await known_customers(house)] == [f"p:{vault.hashes(PHONE)[0]}"]
        assert (await refusal(house.join(phone=PHONE))).reason == "ALREADY_IN_LINE"
        await house.cancel(party.name)
        assert [*(await known_customers(house)).values()] == [{}]


async def test_numbers_are_sealed_anew_with_a_new_key_which_then_suffices(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with reception(tmp_path, clock=clock) as house:
        await house.store_is()
        party = await house.join(phone=PHONE)
    async with reception(tmp_path, clock=clock, phone_keys=NEW_KEYS) as house:
        await eventually(partial(is_sealed, house, party.name, Vault(NEW_KEYS).newest))
    async with reception(tmp_path, clock=clock, phone_keys=NEW_KEYS[:1]) as house:
        assert await phone_of(house, party.name) == PHONE
        assert (await refusal(house.join(phone=PHONE))).reason == "ALREADY_IN_LINE"
        assert (await house.get(party.name)).version == party.version


async def test_a_customer_known_by_an_older_key_is_known(tmp_path: Path) -> None:
    async with reception(tmp_path, phone_keys=NEW_KEYS) as house:
        await house.store_is()
        await house.join(phone=PHONE)
        await change(house, update(customers).values(id=f"p:{Vault(NEW_KEYS).hashes(PHONE)[1]}"))
        assert (await refusal(house.join(phone=PHONE))).reason == "ALREADY_IN_LINE"


async def test_who_was_kept_as_waiting_for_what_has_ended_may_join_again(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        party = await house.join(phone=PHONE)
        await house.cancel(party.name)
        await change(house, update(customers).values(open={party.name.rpartition("/")[2]: "sushi"}))
        await house.join(phone=PHONE)


async def test_a_customer_for_whom_something_is_open_is_not_forgotten_whatever_was_written(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        await house.join(phone=PHONE)
        # as a process left it that lets people join and does not know of forgetting
        await change(house, update(customers).values(forget_at=NOON))
        await some_rounds_later(house.clock, partial(is_not_to_be_forgotten, house))
        assert (await refusal(house.join(phone=PHONE))).reason == "ALREADY_IN_LINE"


async def is_not_to_be_forgotten(house: House) -> bool:
    statement = select(customers.c.forget_at)
    return await house.service.frame.database.read(lambda c: c.execute(statement).scalars().all()) == [None]


async def test_a_number_whose_key_is_lost_keeps_no_other_from_being_told(tmp_path: Path) -> None:
    clock = ManualClock(NOON)
    async with reception(tmp_path, clock=clock) as house:
        await house.store_is()
        lost = await house.join(phone=PHONE)
    async with reception(tmp_path, clock=clock, phone_keys=NEW_KEYS[:1]) as house:
        other = await house.join(phone="+821087654321")
        request = contact_rpc.BatchGetContactsRequest(names=[lost.name, other.name])
        found = (await house.contacts.BatchGetContacts(request)).contacts
        assert [(contact.reception, contact.phone) for contact in found] == [(other.name, "+821087654321")]
        assert (await rows(house))[lost.name]["phone_sealed"]


async def test_operators_see_what_should_have_been_forgotten(tmp_path: Path) -> None:
    async with reception(tmp_path) as house:
        await house.store_is()
        party = await house.join(phone=PHONE)
        await house.cancel(party.name)
        read = next(each.read for each in figures(WEEK) if each.family.name == "tabling_contacts_overdue_seconds")
        ask = house.service.frame.database.read
        for at, overdue in ((NOON, 0.0), (NOON + WEEK, 0.0), (NOON + WEEK + timedelta(minutes=5), 300.0)):
            assert await ask(partial(_at, read, at)) == {(): overdue}


def _at(read: Callable[[Connection, datetime], Reading], now: datetime, connection: Connection) -> Reading:
    return read(connection, now)
