"""SeatService: requests → commands and queries."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from services.chassis.desk import Desk
from services.chassis.fields import name_parts
from services.chassis.kernel import NotFound
from services.chassis.paging import page_size, page_token, text_position
from services.seat.application.add_tables import AddTables, add_tables
from services.seat.application.block_table import BlockTable, block_table
from services.seat.application.unblock_table import UnblockTable, unblock_table
from services.seat.application.update_table import UpdateTable, update_table
from services.seat.entrypoints import fields
from services.seat.wire import table_to_pb
from tabling.seat.v1.seat_service_pb2 import (
    BatchCreateTablesRequest,
    BatchCreateTablesResponse,
    BlockTableRequest,
    CheckSeatsRequest,
    CheckSeatsResponse,
    CreateTableRequest,
    GetAvailabilityRequest,
    GetTableRequest,
    ListTablesRequest,
    ListTablesResponse,
    SeatAnswer,
    UnblockTableRequest,
    UpdateTableRequest,
)
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceServicer
from tabling.seat.v1.table_pb2 import Availability, Table

T = TypeVar("T")


class Queries(Protocol):
    """What is read from the floor."""

    def check_seats(self, connection: Connection, questions: Sequence[tuple[str, int, str]]) -> list[bool]:
        """For each (store, party size, section) whether such a party could sit now."""

    def table(self, connection: Connection, store_id: str, table_id: str) -> Table | None:
        """One table."""

    def tables(self, connection: Connection, store_id: str, after: str, limit: int) -> list[Table] | None:
        """Some of a store's tables; None when the store is unknown."""

    def availability(self, connection: Connection, store_id: str) -> Availability | None:
        """A store's free seats; None when the store is unknown."""


class SeatServicer(SeatServiceServicer):
    """Tables, and whether one is free."""

    def __init__(self, desk: Desk[Any], queries: Queries) -> None:
        self._desk = desk
        self._queries = queries

    async def CreateTable(self, request: CreateTableRequest, context: Any) -> Table:
        cmd = AddTables(fields.store_id(request.parent), (fields.new_table(request),))
        return await self._desk.mutate(
            request, Table, lambda uow: table_to_pb(add_tables(cmd, uow)[0]), _floor(cmd.store_id)
        )

    async def BatchCreateTables(self, request: BatchCreateTablesRequest, context: Any) -> BatchCreateTablesResponse:
        cmd = AddTables(fields.store_id(request.parent), fields.new_tables(request))

        def work(uow: Any) -> BatchCreateTablesResponse:
            return BatchCreateTablesResponse(tables=map(table_to_pb, add_tables(cmd, uow)))

        return await self._desk.mutate(request, BatchCreateTablesResponse, work, _floor(cmd.store_id))

    async def GetTable(self, request: GetTableRequest, context: Any) -> Table:
        store_id, table_id = fields.table_ids(request.name)
        found = await self._desk.look(lambda connection: self._queries.table(connection, store_id, table_id))
        return _found(found, request.name)

    async def ListTables(self, request: ListTablesRequest, context: Any) -> ListTablesResponse:
        store_id = fields.store_id(request.parent)
        size = page_size(request.page_size)
        after = text_position(request, request.page_token)
        read = await self._desk.read(lambda connection: self._queries.tables(connection, store_id, after, size + 1))
        tables = _found(read, request.parent)
        page = ListTablesResponse(tables=tables[:size])
        if len(tables) > size:
            page.next_page_token = page_token(request, [fields.table_ids(tables[size - 1].name)[1]])
        return page

    async def UpdateTable(self, request: UpdateTableRequest, context: Any) -> Table:
        store_id, table_id = fields.table_ids(request.table.name)
        cmd = UpdateTable(store_id, table_id, fields.table_changes(request), request.table.etag)
        return await self._desk.mutate(
            request, Table, lambda uow: table_to_pb(update_table(cmd, uow)), _floor(store_id)
        )

    async def BlockTable(self, request: BlockTableRequest, context: Any) -> Table:
        cmd = BlockTable(*fields.table_ids(request.name), request.etag)
        return await self._desk.mutate(
            request, Table, lambda uow: table_to_pb(block_table(cmd, uow)), _floor(cmd.store_id)
        )

    async def UnblockTable(self, request: UnblockTableRequest, context: Any) -> Table:
        cmd = UnblockTable(*fields.table_ids(request.name), request.etag)
        return await self._desk.mutate(
            request, Table, lambda uow: table_to_pb(unblock_table(cmd, uow)), _floor(cmd.store_id)
        )

    async def CheckSeats(self, request: CheckSeatsRequest, context: Any) -> CheckSeatsResponse:
        questions = fields.questions(request)
        answers = await self._desk.look(lambda connection: self._queries.check_seats(connection, questions))
        return CheckSeatsResponse(answers=[SeatAnswer(available=available) for available in answers])

    async def GetAvailability(self, request: GetAvailabilityRequest, context: Any) -> Availability:
        (store_id,) = name_parts(request.name, "stores/*/availability")
        found = await self._desk.look(lambda connection: self._queries.availability(connection, store_id))
        return _found(found, request.name)


def _floor(store_id: str) -> dict[str, tuple[str, ...]]:
    return {"floors": (store_id,), "tables": (store_id,)}


def _found(found: T | None, name: str) -> T:
    if found is None:
        raise NotFound(f"{name[:200]!r} does not exist")
    return found
