"""What requests may contain."""

from collections.abc import Container
from functools import lru_cache

from services.chassis.fields import identifier, name_parts, optional_name, text, whole
from services.chassis.kernel import InvalidField, Violation, invalid, new_id
from services.seat.application.add_tables import NewTable
from services.seat.domain.table import TableChanges
from tabling.seat.v1.seat_service_pb2 import (
    BatchCreateTablesRequest,
    CheckSeatsRequest,
    CreateTableRequest,
    SeatQuestion,
    UpdateTableRequest,
)
from tabling.seat.v1.table_pb2 import Table

MAX_CAPACITY = 100
MAX_BATCH = 200
MAX_QUESTIONS = 1000
LONGEST_TEXT = 80
LARGEST_PARTY = 2**31 - 1

CHANGEABLE = ("display_name", "capacity", "section")


def store_id(parent: str) -> str:
    """The id in `stores/{store}`. Raises `InvalidField` when empty, `NotFound` for another form."""
    return name_parts(parent, "stores/*", "parent")[0]


def table_ids(name: str) -> tuple[str, str]:
    """The ids in `stores/{store}/tables/{table}`. Raises `NotFound` for another form."""
    store, table = name_parts(name, "stores/*/tables/*")
    return store, table


def new_table(request: CreateTableRequest) -> NewTable:
    """The table to add; an id is made up when none is given."""
    table = request.table
    return NewTable(
        table_id=identifier("table_id", request.table_id) if request.table_id else new_id(),
        capacity=capacity(table.capacity),
        display_name=label("display_name", table.display_name),
        section=label("section", table.section),
    )


def new_tables(request: BatchCreateTablesRequest) -> tuple[NewTable, ...]:
    """The tables to add, with distinct ids."""
    if not 1 <= len(request.requests) <= MAX_BATCH:
        raise invalid("requests", f"must be 1 to {MAX_BATCH}")
    tables: dict[str, NewTable] = {}
    for index, each in enumerate(request.requests):
        try:
            table = _table_of_batch(each, request.parent, tables)
        except InvalidField as error:
            raise _inside(f"requests[{index}]", error) from None
        tables[table.table_id] = table
    return tuple(tables.values())


def _table_of_batch(request: CreateTableRequest, parent: str, others: Container[str]) -> NewTable:
    if request.parent not in ("", parent):
        raise invalid("parent", "must be empty or that of the batch")
    table = new_table(request)
    if table.table_id in others:
        raise invalid("table_id", "comes twice")
    return table


def table_changes(request: UpdateTableRequest) -> TableChanges:
    """What to change: the properties that the mask names, or all that are set."""
    paths = set(request.update_mask.paths)
    if "*" in paths:
        paths = set(CHANGEABLE)
    if unknown := sorted(paths - set(Table.DESCRIPTOR.fields_by_name)):
        raise invalid("update_mask", f"{unknown[0][:80]!r} is no field of a table")
    table = request.table
    if not paths:
        paths = {field for field in CHANGEABLE if getattr(table, field)}
    return TableChanges(
        display_name=label("display_name", table.display_name) if "display_name" in paths else None,
        capacity=capacity(table.capacity) if "capacity" in paths else None,
        section=label("section", table.section) if "section" in paths else None,
    )


def questions(request: CheckSeatsRequest) -> list[tuple[str, int, str]]:
    """Store's id, party size and section of each question."""
    if not 1 <= len(request.questions) <= MAX_QUESTIONS:
        raise invalid("questions", f"must be 1 to {MAX_QUESTIONS}")
    asked = []
    for index, each in enumerate(request.questions):
        try:
            asked.append(_question(each))
        except InvalidField as error:
            raise _inside(f"questions[{index}]", error) from None
    return asked


def capacity(value: int) -> int:
    """How many people a table seats."""
    return whole("capacity", value, least=1, most=MAX_CAPACITY)


def label(field: str, value: str) -> str:
    """What staff call something; may be empty."""
    return text(field, value, longest=LONGEST_TEXT)


def _question(question: SeatQuestion) -> tuple[str, int, str]:
    party_size = whole("party_size", question.party_size, least=1, most=LARGEST_PARTY)
    section = question.section
    return _asked_store(question.store), party_size, label("section", section) if section else ""


# a thousand questions are about few stores
@lru_cache(maxsize=1024)
def _asked_store(name: str) -> str:
    ids = optional_name("store", name, "stores/*")
    if ids is None:
        raise invalid("store", "is required")
    return ids[0]


def _inside(place: str, error: InvalidField) -> InvalidField:
    """The same, with fields named from the request's root."""
    return InvalidField(*(Violation(f"{place}.{v.field}", v.description) for v in error.violations))
