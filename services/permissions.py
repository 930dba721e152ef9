"""Who may call what: every method of every service, and for each the roles that may call it, and for what.

What is not here is denied; tests hold it against the contracts and against docs/security.md.
"""

from collections.abc import Iterable, Mapping

from services.chassis.kernel import Role
from services.chassis.permissions import ALL, OWN, OfStore, Row, Table

ANYBODY: Row = {Role.ANYBODY: ALL}
STAFF = (Role.HOST, Role.MANAGER)
MANAGERS = (Role.MANAGER,)


def of_store(field: str, roles: Iterable[Role] = STAFF) -> Row:
    """Staff of the store that this field names."""
    return dict.fromkeys(roles, OfStore(field))


def readable(field: str) -> Row:
    """Staff of the store, and operators."""
    return {**of_store(field), Role.OPERATOR: ALL}


def held() -> Row:
    """Whoever holds the reception: with its pass, as its customer, or as the backend that acts for the customer."""
    return dict.fromkeys((Role.ANYBODY, Role.CUSTOMER, Role.BACKEND), OWN)


def methods(service: str, rows: Mapping[str, Row]) -> Table:
    """Rows by the methods' full names."""
    return {f"{service}/{method}": row for method, row in rows.items()}


PERMISSIONS: Table = {
    **methods(
        "tabling.reception.v1.ReceptionService",
        {
            "CreateReception": {**held(), **of_store("parent")},
            "CreateReceptions": {Role.BACKEND: OWN},
            "GetReception": {**held(), **readable("name")},
            "GetPlace": {**held(), **readable("name")},
            "WatchReception": {**held(), **readable("name")},
            "ListReceptions": {Role.CUSTOMER: OWN, Role.BACKEND: OWN, **readable("parent")},
            "GetPresenceCode": of_store("name"),
            "CancelReception": held(),
            "PostponeReception": held(),
        },
    ),
    **methods("tabling.reception.v1.ContactService", {"BatchGetContacts": {Role.SERVICE: ALL}}),
    **methods(
        "tabling.seat.v1.SeatService",
        {
            "CheckSeats": ANYBODY,
            "GetAvailability": ANYBODY,
            "GetTable": readable("name"),
            "ListTables": readable("parent"),
            "CreateTable": of_store("parent", MANAGERS),
            "BatchCreateTables": of_store("parent", MANAGERS),
            "UpdateTable": of_store("table.name", MANAGERS),
            "BlockTable": of_store("name"),
            "UnblockTable": of_store("name"),
        },
    ),
    **methods(
        "tabling.management.v1.ManagementService",
        {
            "CreateStore": {Role.OPERATOR: ALL},
            "ListStores": {Role.OPERATOR: ALL},
            "GetStore": readable("name"),
            "UpdateStore": of_store("store.name", MANAGERS),
            "OpenStore": of_store("name"),
            "PauseStore": of_store("name"),
            "CloseStore": of_store("name"),
            "GetOrder": readable("name"),
            "ListOrders": readable("parent"),
            "RegisterWalkIn": of_store("parent"),
            "CallNextOrder": of_store("parent"),
            **{
                verb: of_store("name")
                for verb in (
                    "AcceptOrder",
                    "DeclineOrder",
                    "CallOrder",
                    "SeatOrder",
                    "CompleteOrder",
                    "CancelOrder",
                    "MarkOrderNoShow",
                    "RestoreOrder",
                )
            },
        },
    ),
    **methods(
        "tabling.dashboard.v1.DashboardService",
        {
            "SearchStores": ANYBODY,
            "GetStoreView": ANYBODY,
            "WatchStore": ANYBODY,
            "GetStoreBoard": readable("name"),
            "GetDayFigures": readable("name"),
        },
    ),
    **methods(
        "tabling.notification.v1.NotificationService",
        {"GetNotice": {Role.OPERATOR: ALL}, "ListNotices": {Role.OPERATOR: ALL}},
    ),
    **methods("tabling.messaging.v1.EventFeedService", {"ReadSnapshots": {Role.SERVICE: ALL}}),
}
