"""The door of a service: what no row of the table lets in stays outside."""

import pytest

from services.chassis.callers import Identity, as_principal, as_service
from services.chassis.kernel import PermissionDenied, Role, Unauthenticated
from services.chassis.permissions import ALL, Door
from tests.entitled import KEYS

NEW = "tabling.reception.v1.ReceptionService/ForgottenInTheTable"
NOBODY = as_service(KEYS, "")[:1]
KNOWN = {
    "customer": as_principal(KEYS, aud="tabling-customer", sub="anna"),
    "backend": as_principal(KEYS, aud="tabling-backend", sub="app", customers="app-"),
    "host": as_principal(KEYS, aud="tabling-staff", sub="kim", role="host", stores=["gangnam"]),
    "manager": as_principal(KEYS, aud="tabling-staff", sub="kim", role="manager", stores=["gangnam"]),
    "operator": as_principal(KEYS, aud="tabling-operator", sub="root"),
    "service": as_service(KEYS, "notification"),
}


def test_everybody_there_is_is_asked_here() -> None:
    assert {Role.ANYBODY.value, *KNOWN} == {role.value for role in Role}


@pytest.mark.parametrize("who", KNOWN)
def test_a_method_without_a_row_is_for_nobody(who: str) -> None:
    with pytest.raises(PermissionDenied):
        Door(KEYS, {}).admit(NEW, KNOWN[who])


@pytest.mark.parametrize("told", [NOBODY, *KNOWN.values()])
def test_a_row_for_others_does_not_let_in(told: Identity) -> None:
    door = Door(KEYS, {NEW: {}, "another/Method": {Role.ANYBODY: ALL}})
    with pytest.raises((PermissionDenied, Unauthenticated)):
        door.admit(NEW, told)


def test_a_method_without_a_row_asks_nobody_known_who_they_are() -> None:
    with pytest.raises(Unauthenticated):
        Door(KEYS, {}).admit(NEW, NOBODY)
