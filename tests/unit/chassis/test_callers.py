"""Who calls, by what a token says, and what is remembered of it."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from services.chassis.callers import ADDRESS, Callers, as_principal, as_service, caller_of
from services.chassis.kernel import Caller, Role, Unauthenticated

KEYS = ("0" * 32,)
MANY = 10_000
MOST = MANY // 2


def remembered() -> Iterator[Caller]:
    return (each for each in gc.get_objects() if isinstance(each, Caller) and each.id.startswith("one-of-many-"))


@pytest.mark.parametrize("subject", ["a", "anna", "a-1", "7" * 63])
def test_a_customer_is_known_by_the_subject_of_the_token(subject: str) -> None:
    assert caller_of({"aud": "tabling-customer", "sub": subject}) == Caller(Role.CUSTOMER, subject)


@pytest.mark.parametrize(
    "subject", ["a" * 64, "auth0|anna", "Anna", "an_na", "an/na", "-anna", "anna-", "안나", "anna\n"]
)
def test_a_subject_that_can_be_no_customers_id_is_refused_in_words_that_help(subject: str) -> None:
    with pytest.raises(Unauthenticated, match="sub must be 1 to 63 of a-z, 0-9"):
        caller_of({"aud": "tabling-customer", "sub": subject})


def test_a_subject_of_anybody_else_may_be_of_any_form() -> None:
    assert caller_of({"aud": "tabling-operator", "sub": "auth0|Root"}) == Caller(Role.OPERATOR, "auth0|Root")


def test_of_however_many_callers_only_so_many_are_remembered() -> None:
    callers = Callers(KEYS)
    for number in range(MANY):
        callers.of(as_principal(KEYS, aud="tabling-staff", sub=f"one-of-many-{number}", role="host", stores=["s"]))
    assert 0 < sum(1 for _ in remembered()) <= MOST


@pytest.mark.parametrize(
    "audience", ["tabling-customer", ["tabling-customer"], ["https://app.example", "tabling-customer", 7]]
)
def test_a_token_is_for_us_when_one_of_its_audiences_is_ours(audience: Any) -> None:
    assert caller_of({"aud": audience, "sub": "anna"}) == Caller(Role.CUSTOMER, "anna")


@pytest.mark.parametrize(
    "audience", ["another", [], ["another"], ["tabling-customer", "tabling-operator"], [["tabling-operator"]], 7, None]
)
def test_a_token_for_nobody_of_ours_or_for_several_is_refused(audience: Any) -> None:
    with pytest.raises(Unauthenticated):
        caller_of({"aud": audience, "sub": "anna"})


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("unknown:", "unknown:"),
        ("", ""),
    ],
)
def test_of_an_ipv6_address_that_part_is_known_which_a_caller_cannot_choose(told: str, known: str) -> None:
    _, _, address = Callers(KEYS).of((*as_service(KEYS, "seat"), (ADDRESS, told)))
    assert address == known
