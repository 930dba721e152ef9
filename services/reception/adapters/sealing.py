"""Sealing anew: what is in the clear, or was sealed by a key that is not the newest any more."""

from dataclasses import replace
from typing import Any

from sqlalchemy import RowMapping

from services.reception.adapters.phones import keys_in_use
from services.reception.adapters.queries import phone_in
from services.reception.adapters.unit_of_work import ReceptionUnitOfWork
from services.reception.adapters.vault import PLAIN, Vault
from services.reception.domain.customer import Customer
from services.reception.domain.phone import customer_key, masked


def seal_anew(vault: Vault, uow: ReceptionUnitOfWork, most: int) -> int:
    """Seal some numbers with the newest key, by whose hash their customers are known from then on.

    What was sealed by a key that is not here stays as it is. Gives how many they were, `most` at most.
    """
    worse = {PLAIN, *vault.key_ids[1:]}
    found = uow.phones.sealed_by([key for key in keys_in_use(uow.connection) if key in worse], most)
    sealed = [new for row in found if (new := _sealed(row, vault))]
    uow.phones.replace(sealed)
    known = {row["id"]: row["customer_key"] for row in found}
    _know_customers_by(uow, {each["b_id"]: (known[each["b_id"]], each["customer_key"]) for each in sealed})
    return len(sealed)


def _sealed(row: RowMapping, vault: Vault) -> dict[str, Any] | None:
    number = phone_in(row, vault)
    if not number:
        return None if row["phone_sealed"] else _new(row, "", "", row["customer_key"], "")
    key = customer_key(row["customer_id"], vault.hashes(number)[0]) if row["customer_key"] else ""
    return _new(row, vault.seal(number, row["id"]), vault.newest, key, masked(number))


def _new(row: RowMapping, sealed: str, key_id: str, key: str, shown: str) -> dict[str, Any]:
    return {
        "b_id": row["id"],
        "phone": "",
        "phone_sealed": sealed,
        "phone_key": key_id,
        "phone_masked": shown,
        "customer_key": key,
    }


def _know_customers_by(uow: ReceptionUnitOfWork, keys: dict[str, tuple[str, str]]) -> None:
    """Move open receptions from the customers with the one key to those with the other."""
    moved = {id_: (old, new) for id_, (old, new) in keys.items() if old != new}
    uow.customers.preload({key for pair in moved.values() for key in pair})
    for reception_id, (old, new) in moved.items():
        before = uow.customers.find(old)
        if before is None or reception_id not in before.open:
            continue
        after = uow.customers.find(new) or Customer(key=new)
        after.take_over(replace(before, open={reception_id: before.open[reception_id]}))
        uow.customers.save(after)
        before.let_go(reception_id)
        # told by the other one from now on
        before.joined_at = []
        uow.customers.save(before)
