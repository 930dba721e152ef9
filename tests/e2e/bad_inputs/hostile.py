"""Requests of every public method with one field spoiled: what the table forgets, and what is added some day."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from tests.e2e.bad_inputs.row import LINE

INTEGERS = (-1, 0, 1, 2**31 - 1, -(2**31))
VALUES: Mapping[int, tuple[Any, ...]] = {
    FieldDescriptor.TYPE_STRING: (
        *("\0", " ", "-", "\u202e", "\U0010ffff", "x" * 70_000, "'; DROP TABLE x; --", "../../x", "%s{0}"),
        *("stores/-", "stores/line", f"stores/{'x' * 100}", "stores/line/figures/0001-01-01", "9" * 400, "１２"),
    ),
    FieldDescriptor.TYPE_INT32: INTEGERS,
    FieldDescriptor.TYPE_INT64: (*INTEGERS, 2**63 - 1, -(2**63)),
    FieldDescriptor.TYPE_ENUM: (0, 1, 99, -1, 2**31 - 1),
    FieldDescriptor.TYPE_BOOL: (True,),
    FieldDescriptor.TYPE_DOUBLE: (float("nan"), float("inf"), float("-inf"), 1e308, -0.0, 5e-324),
}
MANY = 3000

FINE: Mapping[str, Mapping[str, Any]] = {
    "CreateReception": {"parent": LINE, "reception": {"partySize": 2}},
    "CreateReceptions": {"tag": 1, "requests": [{"parent": LINE, "reception": {"partySize": 2}}]},
    "GetReception": {"name": "$waiting"},
    "ListReceptions": {"parent": LINE},
    "CancelReception": {"name": "$waiting"},
    "PostponeReception": {"name": "$waiting", "parties": 1},
    "GetPlace": {"name": "$waiting/place"},
    "WatchReception": {"name": "$waiting"},
    "GetPresenceCode": {"name": f"{LINE}/presenceCode"},
    "CreateTable": {"parent": LINE, "table": {"capacity": 2}},
    "BatchCreateTables": {"parent": LINE, "requests": [{"table": {"capacity": 2}}]},
    "GetTable": {"name": f"{LINE}/tables/free"},
    "ListTables": {"parent": LINE},
    "UpdateTable": {"table": {"name": f"{LINE}/tables/free", "capacity": 3}},
    "BlockTable": {"name": f"{LINE}/tables/free"},
    "UnblockTable": {"name": f"{LINE}/tables/free"},
    "CheckSeats": {"questions": [{"store": LINE, "partySize": 2}]},
    "GetAvailability": {"name": f"{LINE}/availability"},
    "CreateStore": {"store": {"displayName": "One more"}},
    "GetStore": {"name": LINE},
    "ListStores": {},
    "UpdateStore": {"store": {"name": "stores/quiet", "displayName": "Changed"}},
    "OpenStore": {"name": "stores/quiet"},
    "PauseStore": {"name": "stores/quiet"},
    "CloseStore": {"name": "stores/quiet"},
    "GetOrder": {"name": "$waiting_order"},
    "ListOrders": {"parent": LINE},
    "RegisterWalkIn": {"parent": LINE, "partySize": 2},
    "CallNextOrder": {"parent": LINE},
    "AcceptOrder": {"name": "$last_order"},
    "DeclineOrder": {"name": "$front_order"},
    "CallOrder": {"name": "$last_order"},
    "SeatOrder": {"name": "$last_order"},
    "CompleteOrder": {"name": "$seated_order"},
    "CancelOrder": {"name": "$postponed_order"},
    "MarkOrderNoShow": {"name": "$called_order"},
    "RestoreOrder": {"name": "$no_show_order"},
    "SearchStores": {},
    "GetStoreView": {"name": f"{LINE}/view"},
    "GetStoreBoard": {"name": f"{LINE}/board"},
    "GetDayFigures": {"name": f"{LINE}/figures/2026-01-01"},
    "WatchStore": {"name": f"{LINE}/view"},
    "GetNotice": {"name": "notices/none"},
    "ListNotices": {},
}
"""A request of every public method with which nothing is wrong."""

Spoiler = Callable[[Any], None]


def spoiled(fine: Message) -> Iterator[Message]:
    """The request once for every field, at any depth, and every value that could go wrong there."""
    for spoil in _spoilers(fine.DESCRIPTOR, lambda message: message):
        message = type(fine)()
        message.CopyFrom(fine)
        spoil(message)
        yield message


def _spoilers(descriptor: Any, reach: Callable[[Any], Any]) -> Iterator[Spoiler]:
    for field in descriptor.fields:
        if field.message_type is not None:
            inside = partial(_inside, reach, field)
            yield partial(_set, inside)
            yield from _spoilers(field.message_type, inside)
        else:
            for value in VALUES[field.type]:
                yield partial(_put, reach, field, value)
        if field.is_repeated:
            yield partial(_repeat, reach, field)


def _inside(reach: Callable[[Any], Any], field: Any, message: Any) -> Any:
    inner = getattr(reach(message), field.name)
    if not field.is_repeated:
        return inner
    return inner[0] if inner else inner.add()


def _set(reach: Callable[[Any], Any], message: Any) -> None:
    reach(message).SetInParent()


def _put(reach: Callable[[Any], Any], field: Any, value: Any, message: Any) -> None:
    if field.is_repeated:
        getattr(reach(message), field.name).append(value)
    else:
        setattr(reach(message), field.name, value)


def _repeat(reach: Callable[[Any], Any], field: Any, message: Any) -> None:
    values = getattr(reach(message), field.name)
    for _ in range(MANY):
        values.add() if field.message_type else values.append(VALUES[field.type][1])
