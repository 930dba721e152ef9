"""The host: seats one store's parties. Every rule about who gets which table is here."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from services.chassis.kernel import AlreadyExists, NotFound
from services.seat.domain.errors import FloorFull
from services.seat.domain.floor import MAX_TABLES, Floor, SeatingMode, StoreNews
from services.seat.domain.seating import HAS_SEAT, ReceptionNews, Seating, Stage, State
from services.seat.domain.table import Table, TableChanges


class Book(Protocol):
    """One store's records, as far as the host needs them."""

    def tables(self) -> Mapping[str, Table]:
        """All tables by id, those just kept included."""

    def first(self) -> Seating | None:
        """The first WAITING party of the line."""

    def first_fitting(self, capacity: int, section: str) -> Seating | None:
        """The first WAITING party that could use such a table."""

    def keep_floor(self, floor: Floor) -> None:
        """Save and announce."""

    def keep_table(self, table: Table) -> None:
        """Save and announce."""

    def keep_seating(self, seating: Seating) -> None:
        """Save and announce; consumers order a seating's events by version, so one event at a time."""

    def remind(self, seating_id: str, at: datetime | None) -> None:
        """Have the hold expire at that time; None for not at all."""


class Host:
    """Seats a store's parties.

    Before and after each of its acts, no waiting party that the seating mode lets sit down fits a free table.
    So a party that joins needs to be compared with free tables only, and a freed table with the line only.
    """

    def __init__(self, floor: Floor, book: Book, now: datetime) -> None:
        self._floor = floor
        self._book = book
        self._now = now

    def follow(self, seating: Seating, news: ReceptionNews) -> None:
        """Act on news of a reception. Old news changes nothing."""
        if not seating.is_behind(news):
            return
        if not self._floor.version:
            # from now on there is one: whoever puts tables on it waits for this party to be there
            self._book.keep_floor(self._floor)
        freed: Iterable[Table] = ()
        let_go = self._start_over(seating) if news.round > seating.round else []
        seating.note(news)
        if news.stage is Stage.REQUESTED or news.stage is Stage.WAITING:
            freed = self._line_up(seating, let_go)
        elif news.stage is Stage.CALLED:
            self._call(seating, news)
            freed = let_go
        elif news.stage is Stage.SEATED:
            freed = let_go + self._seat(seating, news)
        else:
            freed = let_go + self._let_go(seating)
        self._serve(freed)
        if news.stage is Stage.REQUESTED and seating.state is State.WAITING and not seating.refused:
            seating.refuse()
            self._book.keep_seating(seating)

    def expire(self, seating: Seating) -> None:
        """End a hold that has run out; the next party gets the table."""
        due = seating.hold_expire_at
        if seating.state is not State.HELD or due is None or due > self._now:
            return
        freed = self._vacate(seating)
        seating.expire()
        self._book.keep_seating(seating)
        self._serve(freed)

    def follow_store(self, news: StoreNews) -> None:
        """Take over a store's policy. Old news changes nothing."""
        if news.version <= self._floor.store_version:
            return
        mode = self._floor.mode
        self._floor.follow(news)
        self._book.keep_floor(self._floor)
        if news.mode is not mode and self._floor.tables_free:
            self._serve(self._book.tables().values())

    def add_tables(self, tables: Sequence[Table]) -> None:
        """Put tables on the floor, all or none. Raises `NotFound`, `AlreadyExists` or `FloorFull`."""
        if not self._floor.store_version:
            raise NotFound(f"{self._floor.name} does not exist")
        known = self._book.tables()
        for table in tables:
            if table.table_id in known:
                raise AlreadyExists(f"{table.name} exists")
        if len(known) + len(tables) > MAX_TABLES:
            raise FloorFull(f"{self._floor.name} has {len(known)} tables, at most {MAX_TABLES} are possible")
        for table in tables:
            table.add()
            self._book.keep_table(table)
        self._recount()
        self._serve(tables)

    def change_table(self, table_id: str, changes: TableChanges, etag: str) -> Table:
        """Change a table's properties. Raises `NotFound` or `Stale`."""
        table = self._table(table_id, etag)
        if table.change(changes):
            self._changed(table)
        return table

    def block(self, table_id: str, etag: str) -> Table:
        """Take a table out of use. Raises `NotFound` or `Stale`."""
        table = self._table(table_id, etag)
        if table.block():
            self._changed(table)
        return table

    def unblock(self, table_id: str, etag: str) -> Table:
        """Put a table back into use. Raises `NotFound` or `Stale`."""
        table = self._table(table_id, etag)
        if table.unblock():
            self._changed(table)
        return table

    def _table(self, table_id: str, etag: str) -> Table:
        table = self._book.tables().get(table_id)
        if table is None:
            raise NotFound(f"{self._floor.name}/tables/{table_id} does not exist")
        table.expect(etag)
        return table

    def _changed(self, table: Table) -> None:
        self._book.keep_table(table)
        self._recount()
        self._serve((table,))

    def _line_up(self, seating: Seating, freed: list[Table]) -> Iterable[Table]:
        """Let the party wait or give it a table; tells which tables may fit somebody now."""
        compatible = self._floor.mode is SeatingMode.COMPATIBLE_FIFO
        if freed or seating.state is not State.WAITING or not compatible:
            self._book.keep_seating(seating)
            # what it let go of itself is for the first in line, who need not be this party
            return self._book.tables().values() if freed else ()
        table = self._choose(seating)
        if table:
            self._hold(seating, table, self._now + self._floor.call_timeout)
        else:
            self._book.keep_seating(seating)
        return ()

    def _call(self, seating: Seating, news: ReceptionNews) -> None:
        until = news.hold_expire_at or seating.hold_expire_at or self._now + self._floor.call_timeout
        if seating.state is State.WAITING:
            # called by staff; a table that fits and is free is held all the same, else somebody could pass
            by_hand = self._floor.mode is SeatingMode.BY_HAND
            table = self._free(news.table_id) or (None if by_hand else self._choose(seating))
            self._hold(seating, table, until)
        elif seating.state is State.HELD and until != seating.hold_expire_at:
            self._prolong(seating, until)
        else:
            self._book.keep_seating(seating)

    def _seat(self, seating: Seating, news: ReceptionNews) -> list[Table]:
        own = self._book.tables().get(seating.table_id) if seating.table_id else None
        sits = seating.state is State.OCCUPIED
        # where staff say the party sits; else where it was called to; else where it most likely sits
        table = self._free(news.table_id) or own or (None if sits else self._choose(seating))
        if seating.state is State.DONE or (sits and table is own):
            self._book.keep_seating(seating)
            return []
        freed = self._vacate(seating, going_to=table)
        seating.sit(table.table_id if table else "")
        self._book.keep_seating(seating)
        if table:
            table.occupy(seating.id)
            self._book.keep_table(table)
        self._recount()
        return freed

    def _let_go(self, seating: Seating) -> list[Table]:
        freed = self._vacate(seating)
        seating.leave()
        self._book.keep_seating(seating)
        return freed

    def _start_over(self, seating: Seating) -> list[Table]:
        freed = self._let_go(seating) if seating.state in HAS_SEAT else []
        seating.start_over()
        return freed

    def _prolong(self, seating: Seating, until: datetime) -> None:
        seating.hold_expire_at = until
        self._book.keep_seating(seating)
        self._book.remind(seating.id, until)
        if seating.table_id:
            table = self._book.tables()[seating.table_id]
            table.hold(seating.id, until)
            self._book.keep_table(table)

    def _hold(self, seating: Seating, table: Table | None, until: datetime) -> None:
        seating.hold(table.table_id if table else "", self._now, until)
        self._book.keep_seating(seating)
        self._book.remind(seating.id, until)
        if table:
            table.hold(seating.id, until)
            self._book.keep_table(table)
            self._recount()

    def _vacate(self, seating: Seating, going_to: Table | None = None) -> list[Table]:
        """Free the party's table, if it has one that is not where it goes."""
        if seating.state is State.HELD:
            self._book.remind(seating.id, None)
        if not seating.table_id or (going_to and going_to.table_id == seating.table_id):
            return []
        table = self._book.tables()[seating.table_id]
        table.free()
        self._book.keep_table(table)
        self._recount()
        return [table]

    def _free(self, table_id: str) -> Table | None:
        table = self._book.tables().get(table_id) if table_id else None
        return table if table and table.is_free else None

    def _choose(self, seating: Seating) -> Table | None:
        """The smallest free table that fits."""
        if seating.party_size > self._floor.largest_free_capacity:
            return None
        return _smallest(self._book.tables().values(), seating)

    def _serve(self, freed: Iterable[Table]) -> None:
        """Give free tables to those who wait; only `freed` can fit anybody."""
        if self._floor.mode is SeatingMode.STRICT_FIFO:
            while self._floor.tables_free and (first := self._book.first()):
                table = self._choose(first)
                if table is None:
                    return
                self._hold(first, table, self._now + self._floor.call_timeout)
        elif self._floor.mode is SeatingMode.COMPATIBLE_FIFO:
            free = [table for table in freed if table.is_free]
            while free and (next_party := self._next_for(free)):
                table = _smallest(free, next_party)
                assert table is not None  # noqa: S101 - the line was asked for a party that fits one of them
                self._hold(next_party, table, self._now + self._floor.call_timeout)
                free.remove(table)

    def _next_for(self, free: Iterable[Table]) -> Seating | None:
        """The first party of the line that fits one of these tables."""
        largest: dict[str, int] = {}
        for table in free:
            largest[table.section] = max(table.capacity, largest.get(table.section, 0))
        found = (self._book.first_fitting(capacity, section) for section, capacity in largest.items())
        return min(filter(None, found), key=lambda seating: seating.place, default=None)

    def _recount(self) -> None:
        if self._floor.count(self._book.tables().values()):
            self._book.keep_floor(self._floor)


def _smallest(tables: Iterable[Table], seating: Seating) -> Table | None:
    fitting = (t for t in tables if t.is_free and t.fits(seating.party_size, seating.section))
    return min(fitting, key=lambda table: (table.capacity, table.table_id), default=None)
