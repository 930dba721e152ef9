"""What a customer may do, and what others get to know of it."""

from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.kernel import Limit
from services.reception.domain.customer import Customer
from services.reception.domain.errors import TooManyJoins, TooManyLines

NOON = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
LIMITS = (Limit(3, timedelta(minutes=10)),)
BUSY = {"r1": "sushi", "r2": "ramen", "r3": "pasta"}


def test_how_often_somebody_joined_is_told_to_them_alone() -> None:
    customer = Customer(key="p:1", joined_at=[NOON] * 7)
    with pytest.raises(TooManyJoins, match=r"^joined 7 times in a day$"):
        customer.check_pace(LIMITS, NOON, is_known=True)
    with pytest.raises(TooManyJoins, match=r"^joined too often in a day$"):
        customer.check_pace(LIMITS, NOON, is_known=False)


def test_how_much_is_open_is_told_to_the_customer_alone() -> None:
    customer = Customer(key="p:1", open=BUSY | {"r4": "pizza"})
    with pytest.raises(TooManyLines, match=r"^4 receptions are open; 3 at most$"):
        customer.check_join("bakery", is_known=True)
    with pytest.raises(TooManyLines, match=r"^too many receptions are open; 3 at most$"):
        customer.check_join("bakery", is_known=False)


def test_joins_at_the_same_moment_all_count() -> None:
    customer = Customer(key="p:1", joined_at=[NOON])
    customer.take_over(Customer(key="p:2", joined_at=[NOON]))
    assert customer.joined_at == [NOON, NOON]
