"""Act on news of a reception: line up, hold, seat or let go."""

from services.seat.application.ports import Unit
from services.seat.domain.seating import ReceptionNews, Seating


def follow_reception(news: ReceptionNews, uow: Unit) -> None:
    """Old and repeated news change nothing, so any order of arrival ends in the same state."""
    seating = uow.seatings.find(news.reception_id) or Seating(id=news.reception_id, store_id=news.store_id)
    uow.host(news.store_id).follow(seating, news)
