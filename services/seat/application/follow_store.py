"""Take over a store's policy."""

from services.seat.application.ports import Unit
from services.seat.domain.floor import StoreNews


def follow_store(news: StoreNews, uow: Unit) -> None:
    """Old and repeated news change nothing; another seating mode may seat parties at once."""
    uow.host(news.store_id).follow_store(news)
