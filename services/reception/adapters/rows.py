"""Aggregates to rows and back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from services.chassis.kernel import Aggregate
from services.chassis.statements import Row
from services.reception.adapters.vault import PLAIN, key_id
from services.reception.domain.customer import Customer
from services.reception.domain.facts import Order, OrderState
from services.reception.domain.line import Line, Policy, SeatingMode, StoreState
from services.reception.domain.phone import masked
from services.reception.domain.reception import Channel, CloseReason, Contact, Reception, State


def reception_to_row(reception: Reception, line_version: int) -> dict[str, Any]:
    """A row of `receptions`."""
    contact = reception.contact
    return {
        "store_id": reception.store_id,
        "state": reception.state._value_,
        "channel": reception.channel._value_,
        "party_size": reception.party_size,
        "section": reception.section,
        "customer_id": contact.customer_id,
        "customer_key": contact.customer_key,
        "phone": contact.phone_plain,
        "phone_sealed": contact.phone_sealed,
        "phone_key": PLAIN if contact.phone_plain else key_id(contact.phone_sealed),
        "phone_masked": contact.phone_masked,
        "language_code": contact.language_code,
        "order_key": reception.order_key,
        "created_at": reception.created_at,
        "business_day": reception.business_day,
        "waiting_number": reception.waiting_number,
        "near_turn": reception.near_turn,
        "promised": reception.promised,
        "round": reception.round,
        "postpone_count": reception.postpone_count,
        "table_name": reception.table,
        "hold_expires_at": reception.hold_expires_at,
        "close_reason": reception.close_reason._value_,
        "called_at": reception.called_at,
        "seated_at": reception.seated_at,
        "closed_at": reception.closed_at,
        "seating_version": reception.seating_version,
        "order_version": reception.order_version,
        "line_version": line_version,
    }


def reception_from_row(row: Row) -> Reception:
    """The reception in a row."""
    plain = row["phone"]
    return Reception(
        version=row["version"],
        id=row["id"],
        store_id=row["store_id"],
        state=State(row["state"]),
        channel=Channel(row["channel"]),
        party_size=row["party_size"],
        section=row["section"],
        contact=Contact(
            row["customer_id"],
            row["customer_key"],
            row["phone_sealed"],
            masked(plain) if plain else row["phone_masked"],
            row["language_code"],
            plain,
        ),
        order_key=row["order_key"],
        created_at=row["created_at"],
        business_day=row["business_day"],
        waiting_number=row["waiting_number"],
        near_turn=row["near_turn"],
        promised=row["promised"],
        round=row["round"],
        postpone_count=row["postpone_count"],
        table=row["table_name"],
        hold_expires_at=row["hold_expires_at"],
        close_reason=CloseReason(row["close_reason"]),
        called_at=row["called_at"],
        seated_at=row["seated_at"],
        closed_at=row["closed_at"],
        seating_version=row["seating_version"],
        order_version=row["order_version"],
    )


def line_to_row(line: Line) -> dict[str, Any]:
    """A row of `lines`."""
    policy = line.policy
    return {
        "store_version": policy.store_version,
        "display_name": policy.display_name,
        "state": policy.state.value,
        "min_party_size": policy.min_party_size,
        "max_party_size": policy.max_party_size,
        "max_waiting": policy.max_waiting,
        "call_timeout_seconds": policy.call_timeout_seconds,
        "seating_mode": policy.seating_mode.value,
        "max_postpones": policy.max_postpones,
        "near_turn_parties": policy.near_turn_parties,
        "time_zone": policy.time_zone,
        "day_start_hour": policy.day_start_hour,
        "presence_required": policy.presence_required,
        "business_day": line.business_day,
        "day_ends_at": line.day_ends_at,
        "next_waiting_number": line.next_waiting_number,
        "next_order_key": line.next_order_key,
        "waiting": line.waiting,
        "requested": line.requested,
        "pace_seconds": line.pace_seconds,
        "last_call_at": line.last_call_at,
        "sent_home_at": line.sent_home_at,
        "joins_back_at": line.joins_back_at,
    }


def line_from_row(row: Row) -> Line:
    """The line in a row."""
    policy = Policy(
        store_version=row["store_version"],
        display_name=row["display_name"],
        state=StoreState(row["state"]),
        min_party_size=row["min_party_size"],
        max_party_size=row["max_party_size"],
        max_waiting=row["max_waiting"],
        call_timeout_seconds=row["call_timeout_seconds"],
        seating_mode=SeatingMode(row["seating_mode"]),
        max_postpones=row["max_postpones"],
        near_turn_parties=row["near_turn_parties"],
        time_zone=row["time_zone"],
        day_start_hour=row["day_start_hour"],
        presence_required=row["presence_required"],
    )
    return Line(
        version=row["version"],
        id=row["id"],
        policy=policy,
        business_day=row["business_day"],
        day_ends_at=row["day_ends_at"],
        next_waiting_number=row["next_waiting_number"],
        next_order_key=row["next_order_key"],
        waiting=row["waiting"],
        requested=row["requested"],
        pace_seconds=row["pace_seconds"],
        last_call_at=row["last_call_at"],
        sent_home_at=row["sent_home_at"],
        joins_back_at=row["joins_back_at"],
    )


def customer_to_row(customer: Customer) -> dict[str, Any]:
    """A row of `customers`."""
    joined_at = [at.timestamp() for at in customer.joined_at]
    return {"open": customer.open, "joined_at": joined_at, "forget_at": customer.forget_at}


def customer_from_row(row: Row) -> Customer:
    """The customer in a row."""
    joined_at = [datetime.fromtimestamp(at, UTC) for at in row["joined_at"]]
    return Customer(version=row["version"], key=row["id"], open=row["open"], joined_at=joined_at)


@dataclass(kw_only=True)
class EarlyOrder(Aggregate):
    """An order that came before its walk-in."""

    order: Order


def early_order_to_row(early: EarlyOrder) -> dict[str, Any]:
    """A row of `early_orders`."""
    order = early.order
    return {
        "store_id": order.store_id,
        "order_version": order.version,
        "round": order.round,
        "state": order.state.value,
        "party_size": order.party_size,
        "section": order.section,
        "table_name": order.table,
        "created_at": order.created_at,
        "called_at": order.called_at,
        "seated_at": order.seated_at,
        "hold_expires_at": order.hold_expires_at,
    }


def early_order_from_row(row: Row) -> EarlyOrder:
    """The order in a row."""
    order = Order(
        id=row["id"],
        store_id=row["store_id"],
        version=row["order_version"],
        round=row["round"],
        state=OrderState(row["state"]),
        party_size=row["party_size"],
        section=row["section"],
        table=row["table_name"],
        created_at=row["created_at"],
        called_at=row["called_at"],
        seated_at=row["seated_at"],
        hold_expires_at=row["hold_expires_at"],
    )
    return EarlyOrder(version=row["version"], order=order)
