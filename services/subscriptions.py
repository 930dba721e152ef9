"""Who wants which events: every consumer and its routing keys.

Publishers need it before their consumers ever ran: queues are there, and fill, before anybody reads them. A test
holds it against what the services really handle.
"""

from collections.abc import Mapping

RECEPTION = frozenset(
    f"reception.reception.{fact}.v1"
    for fact in ("added", "called", "canceled", "closed", "numbered", "postponed", "restored", "seated")
)
NEARED = "reception.reception.neared.v1"
ORDER = frozenset(
    f"management.order.{fact}.v1" for fact in ("called", "canceled", "completed", "registered", "restored", "seated")
)
STORE = "management.store.changed.v1"
TABLE = "seat.table.changed.v1"

SUBSCRIPTIONS: Mapping[str, frozenset[str]] = {
    "reception": ORDER | {STORE} | {f"seat.seating.{fact}.v1" for fact in ("added", "canceled", "taken")},
    "seat": RECEPTION | {STORE},
    "management": RECEPTION | {NEARED, TABLE},
    "dashboard": RECEPTION
    | ORDER
    | {NEARED, STORE, TABLE, "management.order.accepted.v1", "seat.availability.changed.v1"},
    "notification": RECEPTION | {NEARED, STORE},
}
