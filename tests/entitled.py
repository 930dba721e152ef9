"""Calls by whoever may make them: staff of the very store, the customer, the holder of the pass.

Tests of everything but permissions use it, so that each call is made by somebody real and none is refused.
"""

from collections.abc import Mapping
from datetime import timedelta
from operator import attrgetter
from typing import Any

import grpc

from scripts.bench.roomy import ROOMY
from services.chassis.callers import PASS, Identity, as_principal, as_service
from services.chassis.kernel import ANYBODY, ID, Allowance, Role
from services.chassis.limits import MOST_OF_ANYTHING
from services.chassis.permissions import OfStore
from services.local.calling import Telling
from services.permissions import PERMISSIONS
from services.reception.domain.allowed import Allowed
from services.reception.domain.holder import NEVER, Holder
from services.reception.entrypoints.passes import Passes

KEYS = ("of-the-tests-" + "0" * 32,)
PHONE_KEYS = ("of-the-tests-phones-" + "0" * 32,)
PASS_KEYS = ("of-the-tests-passes-" + "0" * 32,)

ENVIRONMENT = {
    "TABLING_KEY": KEYS[0],
    "TABLING_PASS_KEY": PASS_KEYS[0],
    "TABLING_PHONE_KEY": PHONE_KEYS[0],
    **ROOMY.environment,
}
"""What services of the tests are told: no limits to speak of, for tests have few customers and much to do."""

LET_IN = Holder(ANYBODY, is_let_in=True)
"""Somebody who may see and change every reception."""

_ANY = Allowance(MOST_OF_ANYTHING, timedelta(minutes=1))
OFTEN = Allowed((), _ANY, _ANY)
"""As often as anybody likes."""

EVERYBODY = "a"
"""Customers of the tests that come in bulk have ids that begin so."""

Claims = Mapping[str, Any]


def claims_for(method: str, request: Any) -> Claims | None:
    """What a token has to say for this call; None where none is needed. Raises `KeyError` for services' own calls."""
    row = PERMISSIONS[method.removeprefix("/")]
    if request is None:
        return {"aud": "tabling-backend", "sub": "app", "customers": EVERYBODY}
    if customer := _customer(request):
        id_ = customer.removeprefix("customers/")
        return {"aud": "tabling-customer", "sub": id_ if ID.fullmatch(id_) else "nobody"}
    scope = row.get(Role.MANAGER)
    if isinstance(scope, OfStore) and Role.ANYBODY not in row:
        name: str = attrgetter(scope.path)(request)
        return {"aud": "tabling-staff", "sub": "tests", "role": "manager", "stores": name.split("/")[1:2]}
    if Role.OPERATOR in row and Role.ANYBODY not in row:
        return {"aud": "tabling-operator", "sub": "tests"}
    return None


def _customer(request: Any) -> str:
    for path in ("reception.customer", "customer"):
        try:
            return str(attrgetter(path)(request))
        except AttributeError:
            continue
    return ""


def pass_for(request: Any, passes: Passes) -> Identity:
    """The pass of the reception that a request is about."""
    name = getattr(request, "name", "").removesuffix("/place")
    return ((PASS, passes.of(name)),) if "/receptions/" in name else ()


def entitled(channel: grpc.aio.Channel) -> Any:
    """A channel to a service whose keys are these."""
    passes = Passes(PASS_KEYS, lambda: NEVER)

    def tell(method: str, request: Any) -> Identity:
        if Role.SERVICE in PERMISSIONS[method.removeprefix("/")]:
            return as_service(KEYS, "tests")
        claims = claims_for(method, request)
        by = as_principal(KEYS, **claims) if claims else as_service(KEYS, "tests")[:1]
        return (*by, *pass_for(request, passes))

    return Telling(channel, tell)
