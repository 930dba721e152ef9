"""Who calls: read from a call's metadata, which counts only beside the key that our own processes have."""

import base64
import binascii
import hmac
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network
from typing import Any

from services.chassis.kernel import ANYBODY, ID, Caller, Role, Unauthenticated

KEY = "x-tabling-key"
"""The key of this installation: shown by the gateway, which takes away what callers send under such names, and by
services to each other."""

PRINCIPAL = "x-tabling-principal"
"""What the gateway verified: the claims of a token, as its second part has them (RFC 7519)."""

SERVICE = "x-tabling-service"
"""Which of our services calls."""

PASS = "tabling-pass"  # noqa: S105 - a name
"""The pass of one reception, which its holder sends along."""

ADDRESS = "x-envoy-external-address"
FORWARDED_FOR = "x-forwarded-for"
"""Where a call comes from, as the gateway tells; the latter, in which callers may say what they like, at its end."""

AUDIENCES = {
    "tabling-customer": Role.CUSTOMER,
    "tabling-backend": Role.BACKEND,
    "tabling-staff": Role.HOST,
    "tabling-operator": Role.OPERATOR,
}
STAFF_ROLES = {"host": Role.HOST, "manager": Role.MANAGER}

Identity = tuple[tuple[str, str], ...]
"""The metadata that tells who calls."""

Metadata = Iterable[tuple[str, str | bytes]]


class Callers:
    """Tells who makes a call. Any of `keys` opens the door; the first is the newest."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = [key.encode() for key in keys]

    def of(self, metadata: Metadata) -> tuple[Caller, str, str]:
        """Who calls, and the pass that came along and the address, or nothing; of IPv6 the first 64 bits.

        Raises `Unauthenticated` where the call came neither through the gateway nor from a service.
        """
        found = {name: value for name, value in metadata if name in _NAMES}
        shown = str(found.get(KEY, "")).encode()
        if not any(hmac.compare_digest(shown, key) for key in self._keys):
            raise Unauthenticated("calls have to come through the gateway")
        secret = str(found.get(PASS, ""))
        address = _place(str(found.get(ADDRESS) or found.get(FORWARDED_FOR, "")).rpartition(",")[2].strip())
        if principal := found.get(PRINCIPAL):
            return _principal(str(principal)), secret, address
        if service := found.get(SERVICE):
            return Caller(Role.SERVICE, str(service)), secret, address
        return ANYBODY, secret, address


_NAMES = frozenset((KEY, PRINCIPAL, SERVICE, PASS, ADDRESS, FORWARDED_FOR))


def as_service(keys: Sequence[str], service: str) -> Identity:
    """Of a service's own calls; the newest key is shown."""
    return (*((KEY, key) for key in keys[:1]), (SERVICE, service))


def as_principal(keys: Sequence[str], **claims: Any) -> Identity:
    """Of calls as the gateway passes them on."""
    told = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return (*((KEY, key) for key in keys[:1]), (PRINCIPAL, told))


def _place(address: str) -> str:
    """What one caller has: of IPv6 that is a whole network of addresses."""
    if ":" not in address:
        return address
    try:
        told = IPv6Address(address)
    except ValueError:
        return address
    return str(told.ipv4_mapped or IPv6Network((told, 64), strict=False))


@lru_cache(maxsize=4096)
def _principal(told: str) -> Caller:
    try:
        claims = json.loads(base64.urlsafe_b64decode(told + "=" * (-len(told) % 4)))
    except (binascii.Error, ValueError):
        raise Unauthenticated("the principal cannot be read") from None
    return caller_of(claims)


def caller_of(claims: Any) -> Caller:
    """The caller that a token's claims tell of. Raises `Unauthenticated` where something is missing."""
    match claims:
        case {"aud": [*audiences], "sub": str(subject)} if subject:
            roles = [AUDIENCES[each] for each in audiences if isinstance(each, str) and each in AUDIENCES]
        case {"aud": str(audience), "sub": str(subject)} if subject:
            roles = [AUDIENCES[audience]] if audience in AUDIENCES else []
        case _:
            roles = []
    if len(roles) != 1:
        raise Unauthenticated("the token does not tell for whom it is")
    [role] = roles
    if role is Role.CUSTOMER and not ID.fullmatch(subject):
        raise Unauthenticated("the token's sub must be 1 to 63 of a-z, 0-9 and inner hyphens: it is the customer's id")
    if role is Role.CUSTOMER or role is Role.OPERATOR:
        return Caller(role, subject)
    match role, claims:
        case Role.BACKEND, {"customers": str(customers)} if customers:
            return Caller(role, subject, customers=customers)
        case Role.HOST, {"stores": [*stores], "role": str(told)} if told in STAFF_ROLES:
            return Caller(STAFF_ROLES[told], subject, frozenset(map(str, stores)))
    raise Unauthenticated("the token does not tell what its holder may do")
