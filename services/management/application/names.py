"""Resource names, and aggregates by them: guarded by the etag that the caller saw."""

from services.chassis.kernel import NotFound, Stale
from services.management.application.ports import UnitOfWork
from services.management.domain.order import Order
from services.management.domain.store import Store


def store_name(store_id: str) -> str:
    return f"stores/{store_id}"


def order_name(store_id: str, order_id: str) -> str:
    return f"stores/{store_id}/orders/{order_id}"


def table_name(table_id: str) -> str:
    """The name of a table from its id, `<store>/<table>`."""
    store_id, _, table = table_id.partition("/")
    return f"stores/{store_id}/tables/{table}"


def get_store(uow: UnitOfWork, store_id: str, etag: str = "") -> Store:
    """A store. Raises `NotFound`, `Stale`."""
    store = uow.stores.get(store_id, store_name(store_id))
    _check_etag(etag, store.version)
    return store


def get_order(uow: UnitOfWork, store_id: str, order_id: str, etag: str = "") -> Order:
    """An order of a store; another store's is as good as missing. Raises `NotFound`, `Stale`."""
    name = order_name(store_id, order_id)
    order = uow.orders.get(order_id, name)
    if order.store_id != store_id:
        raise NotFound(f"{name} does not exist")
    _check_etag(etag, order.version)
    return order


def _check_etag(given: str, version: int) -> None:
    if given and given != str(version):
        raise Stale(f"etag is {version} now, not {given[:40]!r}")
