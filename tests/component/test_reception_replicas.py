"""Several receptions on one database: whatever reaches whichever of them, it is as if there were one."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Connection, select
from sqlalchemy.util import await_

from services.chassis.testing import eventually
from services.reception import app
from services.reception.adapters.tables import receptions
from services.reception.application.follow_order import follow_order
from services.reception.application.register_walk_in import register_walk_in
from services.reception.domain.facts import Order as DomainOrder
from services.reception.domain.facts import OrderState
from tabling.management.v1.order_pb2 import Order
from tabling.management.v1.store_pb2 import Store
from tabling.reception.v1 import reception_service_pb2 as rpc
from tabling.reception.v1.reception_pb2 import Reception
from tests.component.reception_kit import NOON
from tests.component.replicas_kit import Replica, Unannounced, accepted, open_everywhere, outcomes, reasons, replicas

pytestmark = pytest.mark.parametrize("storage", ["postgresql", "mariadb"], indirect=True)

Vhost = Callable[[], str]


async def test_numbers_are_gapless_and_in_the_order_of_the_commits(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        answers = await outcomes((one, other)[n % 2].join() for n in range(100))
        numbers = sorted(joined.waiting_number for joined in accepted(answers))
        assert numbers == list(range(1, 101)), reasons(answers)
        assert await one.service.frame.database.read(_numbers_by_commit) == numbers
        for joined in accepted(answers)[::10]:
            ahead = joined.waiting_number - 1
            assert await one.place(joined.name) == await other.place(joined.name) == ahead


def _numbers_by_commit(connection: Connection) -> list[int]:
    c = receptions.c
    return [*connection.execute(select(c.waiting_number).order_by(c.line_version, c.order_key)).scalars()]


async def test_a_place_is_exact_on_every_replica_while_the_line_moves(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        names = [(await one.join()).name for _ in range(12)]
        for n, name in enumerate(names[:6]):
            changed, reader = ((one, other), (other, one))[n % 2]
            await changed.cancel(name)
            # what was answered is committed, and whoever asks then sees it
            assert await reader.place(names[11]) == 10 - n
        await other.postpone(names[6], 3)
        assert [await one.place(name) for name in names[6:]] == [3, 0, 1, 2, 4, 5]


async def test_a_customer_does_not_get_into_a_line_twice(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        for n in range(10):
            both = await outcomes(house.join(customer=f"customers/c{n}") for house in (one, other))
            assert len(accepted(both)) == 1
            assert all("is open" in reason for reason in reasons(both))


async def test_a_customer_does_not_get_into_too_many_lines(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        stores = [f"store{n}" for n in range(6)]
        for store in stores:
            await open_everywhere([one, other], store)
        answers = await outcomes(
            (one, other)[n % 2].join(store=store, customer="customers/everywhere") for n, store in enumerate(stores)
        )
        assert len(accepted(answers)) == 3
        assert all("3 at most" in reason for reason in reasons(answers))


async def test_a_request_that_reaches_two_replicas_takes_effect_once(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        await open_everywhere([one, other], "noodles")
        for _ in range(10):
            request = {"request_id": str(uuid4())}
            first, second = await outcomes(house.join(request=request) for house in (one, other))
            assert first == second
        request = {"request_id": str(uuid4())}
        both = await outcomes([one.join(request=request), other.join(store="noodles", request=request)])
        assert len(accepted(both)) == 1
        assert all("other content" in reason for reason in reasons(both))
        listed = await one.stub.ListReceptions(rpc.ListReceptionsRequest(parent="stores/sushi", page_size=100))
        assert len(listed.receptions) in (10, 11)


async def test_a_line_does_not_get_fuller_than_full(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        await open_everywhere([one, other], "tiny", max_waiting=7)
        answers = await outcomes((one, other)[n % 2].join(store="tiny") for n in range(40))
        assert len(accepted(answers)) == 7
        assert all("7 at most" in reason for reason in reasons(answers))


async def test_nobody_stays_in_a_line_that_was_closed_while_they_joined(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        joining = [asyncio.ensure_future((one, other)[n % 2].join()) for n in range(60)]
        await one.store_is(state=Store.CLOSED, sent_home_time=one.clock.now())
        answers = await outcomes(joining)
        assert all("is CLOSED" in reason for reason in reasons(answers))
        for house in (one, other):
            await eventually(partial(_is_refused, house))
        names = [joined.name for joined in accepted(answers)]
        for name in names:
            await eventually(partial(_has_left, other, name), seconds=10)
        # a timer that fired on both of them would have told so twice
        await eventually(lambda: _canceled(one).total() == len(names))
        assert set(_canceled(one).values()) <= {1}


async def _is_refused(house: Replica) -> bool:
    return "is CLOSED" in "".join(reasons(await outcomes([house.join()])))


async def _has_left(house: Replica, name: str) -> bool:
    return (await house.get(name)).state == Reception.CANCELED


def _canceled(house: Replica) -> "Counter[str]":
    return Counter(message.reception.name for fact, message in house.heard if fact == "canceled")


async def test_what_staff_did_before_their_walk_in_was_heard_of_is_not_lost(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        gate = asyncio.Event()
        name = "stores/nobody-knows-it/receptions/w1"
        walk_in = order(id="w1", store_id="nobody-knows-it", version=1)
        seated = order(id="w1", store_id="nobody-knows-it", version=2, state=OrderState.SEATED)

        def early(uow: Any) -> None:
            follow_order(seated, uow)
            uow.flush()
            await_(gate.wait())

        following = one.service.frame.lane.run(early)
        registering = asyncio.ensure_future(other.service.frame.lane.run(lambda uow: register_walk_in(walk_in, uow)))
        # it has to wait until the order is there
        await asyncio.wait([registering], timeout=0.5)
        gate.set()
        await asyncio.gather(following, registering)
        assert (await one.get(name)).state == Reception.SEATED


def order(**facts: Any) -> DomainOrder:
    known: dict[str, Any] = {"round": 0, "state": OrderState.ACCEPTED, "party_size": 2, "section": "", "table": ""}
    known |= dict.fromkeys(("created_at", "called_at", "seated_at", "hold_expires_at"), NOON)
    return DomainOrder(**known | facts)


async def test_a_timer_fires_once_and_on_whichever_replica_is_left(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        names = [(await one.join()).name for _ in range(5)]
        one.clock.advance(timedelta(days=2))
        for name in names:
            await eventually(partial(_has_left, other, name), seconds=10)
        await eventually(lambda: _canceled(one).total() == 5)
        assert (await other.join()).waiting_number == 1


async def test_a_watcher_is_told_what_happens_on_another_replica(
    tmp_path: Path, fresh_vhost: Vhost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "LOOK_SECONDS", 3600)
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        names = [(await one.join()).name for _ in range(3)]
        watch = one.stub.WatchReception(rpc.WatchReceptionRequest(name=names[2]))
        assert (await watch.read()).reception.parties_ahead == 2
        await other.cancel(names[0])
        async with asyncio.timeout(20):
            assert (await watch.read()).reception.parties_ahead == 1
        await other.postpone(names[1])
        async with asyncio.timeout(20):
            assert (await watch.read()).reception.parties_ahead == 0
        await other.cancel(names[2])
        async with asyncio.timeout(20):
            assert (await watch.read()).reception.state == Reception.CANCELED


async def test_watchers_of_all_replicas_see_a_whole_life(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost()) as (one, other):
        name = (await one.join()).name
        watches = [house.stub.WatchReception(rpc.WatchReceptionRequest(name=name)) for house in (one, other)]
        assert [(await watch.read()).reception.state for watch in watches] == [Reception.WAITING] * 2
        await one.called(name)
        assert [(await watch.read()).reception.state for watch in watches] == [Reception.CALLED] * 2
        await one.order_is(name, Order.SEATED, "seated")
        assert [(await watch.read()).reception.state for watch in watches] == [Reception.SEATED] * 2
        await one.order_is(name, Order.COMPLETED, "completed")
        assert [(await watch.read()).reception.state for watch in watches] == [Reception.COMPLETED] * 2


async def test_a_watcher_sees_what_nobody_announced_a_little_later(
    tmp_path: Path, fresh_vhost: Vhost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "LOOK_SECONDS", 0.3)
    async with replicas(tmp_path, fresh_vhost(), bus=Unannounced) as (one, other):
        names = [(await one.join()).name for _ in range(2)]
        watch = one.stub.WatchReception(rpc.WatchReceptionRequest(name=names[1]))
        assert (await watch.read()).reception.parties_ahead == 1
        await other.cancel(names[0])
        assert (await watch.read()).reception.parties_ahead == 0
        await other.cancel(names[1])
        assert (await watch.read()).reception.state == Reception.CANCELED


async def test_whoever_waits_for_a_table_hears_of_it_whichever_replica_it_was_told(
    tmp_path: Path, fresh_vhost: Vhost
) -> None:
    async with replicas(tmp_path, fresh_vhost()) as houses:
        houses[0].seats.fit = True
        for n in range(6):
            before = len(houses[0].heard)
            joining = asyncio.ensure_future(houses[n % 2].join(request={"wait": timedelta(seconds=2)}))
            await eventually(partial(_more_was_told, houses[0], before))
            name = houses[0].heard[before][1].reception.name
            await houses[0].called(name)
            assert (await joining).state == Reception.CALLED
            await eventually(partial(_was_called, houses[0], name))


def _more_was_told(house: Replica, before: int) -> bool:
    return len(house.heard) > before


def _was_called(house: Replica, name: str) -> bool:
    return "called" in house.told(name)


async def test_joins_and_changes_of_many_stores_on_three_replicas_agree(tmp_path: Path, fresh_vhost: Vhost) -> None:
    async with replicas(tmp_path, fresh_vhost(), count=3) as houses:
        stores = [f"store{n}" for n in range(8)]
        for store in stores:
            await open_everywhere(houses, store)
        answers = await outcomes(houses[n % 3].join(store=stores[n % 8]) for n in range(160))
        names = [joined.name for joined in accepted(answers)]
        assert len(names) == 160, reasons(answers)
        changes = [houses[n % 3].cancel(name) for n, name in enumerate(names) if n % 3 == 0]
        changes += [houses[n % 3].postpone(name) for n, name in enumerate(names) if n % 5 == 1 and n % 3]
        changed = await outcomes(changes)
        assert len(accepted(changed)) == len(changed), reasons(changed)
        for store in stores:
            places = [await _places(house, store) for house in houses]
            assert places[0] == places[1] == places[2]
            assert sorted(places[0].values()) == list(range(len(places[0])))


async def _places(house: Replica, store: str) -> dict[str, int]:
    request = rpc.ListReceptionsRequest(parent=f"stores/{store}", states=[Reception.WAITING], page_size=100)
    return {found.name: found.parties_ahead for found in (await house.stub.ListReceptions(request)).receptions}
