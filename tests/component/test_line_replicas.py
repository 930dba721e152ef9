"""Whatever several processes do to the lines, in whatever order they hear of it: each shows every line as it is."""

import asyncio
from collections.abc import Callable, Iterable
from itertools import count

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, delete

from services.chassis.database.address import parse, sqlite_path
from services.chassis.migrate import migrate
from services.reception.adapters import line_view, queries
from services.reception.adapters.line_view import LineView
from services.reception.adapters.tables import metadata
from services.reception.domain.facts import OrderState
from services.reception.domain.line import Line
from tests.component.line_replicas import (
    Replica,
    Truth,
    Work,
    Works,
    at_first_statement,
    present_lines,
    snapshot,
    truth,
)
from tests.conftest import Kind

STORES = ("noodles", "sushi")
REPLICAS = 3

replica = st.integers(0, REPLICAS - 1)
store = st.sampled_from(STORES)
pick = st.integers(0, 30)
round_ = st.sampled_from([0, 0, 0, 1])

WHAT = (
    *("join", "join", "join", "cancel", "postpone", "postpone", "open", "held", "taken", "expired"),
    *("CALLED", "SEATED", "COMPLETED", "NO_SHOW"),
)

Step = tuple[str, str, int, int, int, bool]
step: st.SearchStrategy[Step] = st.tuples(
    st.sampled_from(WHAT),
    store,
    pick,
    st.integers(1, 4),
    round_,
    st.booleans(),
)

steps = st.lists(step, min_size=1, max_size=4)


class Replicas(RuleBasedStateMachine):
    """Replicas commit, hear of their commits late, read lines, hold on to old snapshots, and give up."""

    address: str

    def __init__(self) -> None:
        super().__init__()
        self.file = sqlite_path(parse(self.address))
        self.runner = asyncio.Runner()
        self.replicas = [Replica(self.address) for _ in range(REPLICAS)]
        self.works = Works(count(1))
        self.ids = count()
        self.known: list[tuple[str, str]] = []
        self.truths: dict[tuple[str, int], Truth] = {}
        self.shown: dict[tuple[int, str], int] = {}
        self.runner.run(self.replicas[0].database.write(_clear))

    @initialize(worth=st.sampled_from([1000, 5, -(10**9)]))
    def open(self, worth: int) -> None:
        line_view.WORTH_A_DELTA = worth
        for store_id in STORES:
            self.commit(0, [self.works.opened(store_id, 2)])

    @rule(by=replica, steps=steps, heard=st.booleans())
    def change(self, by: int, steps: list[Step], heard: bool) -> None:
        """Up to four things in one transaction."""
        self.commit(by, [self.work(*each) for each in steps], heard=heard)

    @rule(by=replica, steps=steps)
    def give_up(self, by: int, steps: list[Step]) -> None:
        """A transaction that is rolled back leaves nothing."""
        known = [*self.known]
        self.replicas[by].settle()
        self.runner.run(self.replicas[by].write(*(self.work(*each) for each in steps), broken=True))
        self.known = known

    @rule(by=replica)
    def hear(self, by: int) -> None:
        """A commit is heard of, maybe after its lines have been read."""
        self.replicas[by].settle()

    @rule(by=replica, store_id=store)
    def look(self, by: int, store_id: str) -> None:
        """Whoever reads a line shows it as it is now, and nothing older ever after."""
        before = self.replicas[by].view.version(store_id)
        self.runner.run(self.replicas[by].look(store_id))
        assert self.replicas[by].view.version(store_id) == max(v for s, v in self.truths if s == store_id) >= before

    @precondition(lambda self: self.file.exists())
    @rule(by=replica, other=replica, early=steps, late=steps)
    def look_with_an_old_snapshot(self, by: int, other: int, early: list[Step], late: list[Step]) -> None:
        """A line that was read before it changed arrives when the view has the change already."""
        view = self.replicas[by].view
        self.commit(other, [self.work(*each) for each in early])
        with snapshot(self.file) as old:
            self.commit(other, [self.work(*each) for each in late])
            present = present_lines(old, STORES)
            newest: list[Line] = []
            with snapshot(self.file) as new, at_first_statement(old, lambda: newest.extend(look(view, new))):
                view.catch_up(old, present)
        assert all(view.version(line.id) == line.version for line in newest)

    @rule(by=replica, other=replica, early=steps, late=steps, store_id=store)
    def hear_late(self, by: int, other: int, early: list[Step], late: list[Step], store_id: str) -> None:
        """A commit is heard of after others have committed and been read."""
        self.commit(by, [self.work(*each) for each in early], heard=False)
        if other != by:
            self.commit(other, [self.work(*each) for each in late])
        self.runner.run(self.replicas[by].look(store_id))
        self.replicas[by].settle()

    @invariant()
    def every_view_is_the_line_at_its_version(self) -> None:
        for number, each in enumerate(self.replicas):
            for store_id in each.view.stores:
                version = each.view.version(store_id)
                assert version >= self.shown.get((number, store_id), 0), "an older line after a newer one"
                self.shown[number, store_id] = version
                held = self.truths[store_id, version]
                assert each.line(store_id) == held.line
                line = each.view.line(store_id)
                assert line is not None
                assert line.waiting == len(held.line)

    def commit(self, by: int, works: list[Work], *, heard: bool = True) -> None:
        self.replicas[by].settle()
        if not self.runner.run(self.replicas[by].write(*works)):
            for work in works if len(works) > 1 else ():
                self.commit(by, [work])
        for store_id in STORES:
            now = self.runner.run(truth(self.replicas[by], store_id))
            assert self.truths.setdefault((store_id, now.version), now) == now, "a change without a new version"
            self.check_line_versions(store_id, now)
        if heard:
            self.replicas[by].settle()

    def check_line_versions(self, store_id: str, now: Truth) -> None:
        """Since any version that was ever found, those were saved that have a greater line version, and no others."""
        for version, then in ((v, held) for (s, v), held in self.truths.items() if s == store_id):
            newer = {id_ for id_, (_, line_version) in now.receptions.items() if line_version > version}
            assert newer == {id_ for id_, held in now.receptions.items() if then.receptions.get(id_) != held}

    def work(self, what: str, store_id: str, which: int, number: int, round_: int, flag: bool) -> Work:
        if what == "open":
            return self.works.opened(store_id, number)
        if what == "join" or not self.known:
            self.known.append((store_id, f"r{next(self.ids)}"))
            customer = f"c{number}" if flag else ""
            return self.works.joined(*self.known[-1], number, customer=customer, fits=which % 3 == 0)
        name = self.known[which % len(self.known)]
        if what == "cancel":
            return self.works.canceled(*name)
        if what == "postpone":
            return self.works.postponed(*name, number)
        if what in ("held", "taken", "expired"):
            return self.works.seating(what, *name, round_)
        return self.works.ordered(OrderState[what], *name, round_)

    def teardown(self) -> None:
        for each in self.replicas:
            self.runner.run(each.database.close())
        self.runner.close()


def look(view: LineView, connection: Connection) -> Iterable[Line]:
    """Catch up with a snapshot."""
    return queries.catch_up(view, connection, STORES).values()


def _clear(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        connection.execute(delete(table))


@pytest.mark.parametrize(("kind", "examples"), [("sqlite", 20), ("postgresql", 10), ("mariadb", 10)])
def test_every_replica_shows_every_line_as_it_is_at_one_version(
    kind: Kind, examples: int, fresh_database: Callable[[Kind], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_view, "WORTH_A_DELTA", line_view.WORTH_A_DELTA)
    monkeypatch.setattr(Replicas, "address", fresh_database(kind), raising=False)
    migrate("reception", Replicas.address)
    checks = settings(
        max_examples=examples, stateful_step_count=30, deadline=None, suppress_health_check=[*HealthCheck]
    )
    run_state_machine_as_test(Replicas, settings=checks)
