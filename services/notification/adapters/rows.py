"""Rows ⇄ domain."""

from datetime import UTC, datetime
from typing import Any

from services.chassis.statements import Row
from services.notification.domain.budget import Budget
from services.notification.domain.notice import Notice, State
from services.notification.domain.purpose import Purpose, ReceptionState
from services.notification.domain.reception import Reception
from services.notification.domain.store import Store

PURPOSE_OF = {purpose.value: purpose for purpose in Purpose}
STATE_OF = {state.value: state for state in State}
RECEPTION_STATE_OF = {state.value: state for state in ReceptionState}


def notice_to_row(notice: Notice) -> dict[str, Any]:
    """A line of the ledger as a row."""
    return {
        "id": notice.id,
        "version": notice.version,
        "store_id": notice.store_id,
        "reception_id": notice.reception_id,
        "purpose": notice.purpose.value,
        "round": notice.round,
        "state": notice.state.value,
        "language_code": notice.language_code,
        "template_code": notice.template_code,
        "variables": "\n".join([f"{name}={value}" for name, value in notice.variables.items()]),
        "text": notice.text,
        "phone": notice.phone,
        "failure": notice.failure,
        "vendor_reference": notice.vendor_reference,
        "attempts": notice.attempts,
        "doubtful": notice.doubtful,
        "expire_at": notice.expire_at,
        "created_at": notice.created_at,
        "updated_at": notice.updated_at,
        "next_attempt_at": notice.next_attempt_at,
    }


def progress_to_row(notice: Notice) -> dict[str, Any]:
    """What became of a line of the ledger since the version before, for the row of that version."""
    return {
        "b_id": notice.id,
        "b_version": notice.version - 1,
        "version": notice.version,
        "state": notice.state.value,
        "phone": notice.phone,
        "failure": notice.failure,
        "vendor_reference": notice.vendor_reference,
        "attempts": notice.attempts,
        "doubtful": notice.doubtful,
        "updated_at": notice.updated_at,
        "next_attempt_at": notice.next_attempt_at,
    }


def notice_from_row(row: Row) -> Notice:
    """A row as a line of the ledger."""
    values = dict(row)
    values["purpose"] = PURPOSE_OF[values["purpose"]]
    values["state"] = STATE_OF[values["state"]]
    values["variables"] = dict(line.split("=", 1) for line in values["variables"].split("\n") if line)
    return Notice(**values)


def reception_to_row(reception: Reception) -> dict[str, Any]:
    """What is known of a reception as a row."""
    return {
        "id": reception.id,
        "seen": reception.seen,
        "round": reception.round,
        "state": reception.state.value,
        "told": " ".join(sorted(reception.told)),
    }


def reception_from_row(row: Row) -> Reception:
    """A row as what is known of a reception."""
    return Reception(
        id=row["id"],
        version=row["version"],
        seen=row["seen"],
        round=row["round"],
        state=RECEPTION_STATE_OF[row["state"]],
        told=set(row["told"].split()),
    )


def store_to_row(store: Store) -> dict[str, Any]:
    """What is known of a store as a row."""
    return {
        "id": store.id,
        "seen": store.seen,
        "display_name": store.display_name,
        "time_zone": store.time_zone,
    }


def store_from_row(row: Row) -> Store:
    """A row as what is known of a store."""
    return Store(**row)


def budget_to_row(budget: Budget) -> dict[str, Any]:
    """What was spent of a budget as a row."""
    paid = {id_: at.timestamp() for id_, at in budget.paid.items()}
    return {"paid": paid, "back_at": budget.back_at, "forget_at": budget.forget_at}


def budget_from_row(row: Row) -> Budget:
    """A row as what was spent of a budget."""
    paid = {id_: datetime.fromtimestamp(at, UTC) for id_, at in row["paid"].items()}
    return Budget(key=row["id"], version=row["version"], paid=paid, back_at=row["back_at"])
