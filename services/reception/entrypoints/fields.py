"""Checks of reception's requests."""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from services.chassis import fields, paging
from services.chassis.kernel import PermissionDenied, Role, invalid
from services.reception.application.create_reception import CreateReception
from services.reception.domain.allowed import Allowed
from services.reception.domain.holder import Holder
from services.reception.domain.phone import customer_key, masked
from services.reception.domain.reception import Contact
from services.reception.entrypoints.ports import Vault
from services.reception.entrypoints.presence import DIGITS
from tabling.reception.v1 import reception_service_pb2 as pb

LARGEST_PARTY = 100
LONGEST_SECTION = 80
LONGEST_WAIT = timedelta(seconds=2)
LANGUAGES = ("ko", "en")

_PRESENCE_CODE = re.compile(rf"[0-9]{{{DIGITS}}}", re.ASCII)
_DIALED = re.compile(r"(?:\+|0)[0-9](?:[0-9 -]{3,28})[0-9]", re.ASCII)
# nearly every number is one of these; the library takes as long as the rest of a join
_MOBILE = re.compile(r"(?:0|\+82)(10[0-46-9][0-9]{7})", re.ASCII)
_KINDS = ("MOBILE", "FIXED_LINE", "FIXED_LINE_OR_MOBILE", "VOIP", "PERSONAL_NUMBER")


def to_create(
    request: pb.CreateReceptionRequest,
    reception_id: str,
    countries: Collection[str],
    vault: Vault,
    by: Holder,
    allowed: Allowed,
) -> CreateReception:
    """The command in a request, before seat was asked. Raises `NotFound`, `InvalidField` or `PermissionDenied`."""
    (store_id,) = fields.name_parts(request.parent, "stores/*", "parent")
    if not request.HasField("reception"):
        raise invalid("reception", "is required")
    asked = request.reception
    customer_id = _customer_id(asked.customer, by)
    number = phone(asked.phone, countries)
    newest, *former = [customer_key(customer_id, known) for known in (vault.hashes(number) if number else [""])]
    counts_address = not newest and by.comes_alone
    language = fields.one_of("language_code", asked.language_code, LANGUAGES, "ko")
    return CreateReception(
        id=reception_id,
        store_id=store_id,
        party_size=fields.whole("party_size", asked.party_size, least=1, most=LARGEST_PARTY),
        section=fields.text("section", asked.section, longest=LONGEST_SECTION),
        contact=Contact(
            customer_id,
            newest,
            phone_sealed=vault.seal(number, reception_id) if number else "",
            phone_masked=masked(number) if number else "",
            language_code=language,
        ),
        seats_fit=False,
        by=by,
        allowed=allowed,
        former_keys=() if customer_id else tuple(former),
        address_key=vault.hashes(f"{by.address} {store_id}")[0] if counts_address else "",
    )


def presence_code(request: pb.CreateReceptionRequest) -> str:
    """The code on the store's display, or nothing. Raises `InvalidField`."""
    if request.presence_code and not _PRESENCE_CODE.fullmatch(request.presence_code):
        raise invalid("presence_code", f"must be {DIGITS} digits")
    return request.presence_code


def _customer_id(name: str, by: Holder) -> str:
    """For whom somebody joins: customers for themselves, backends for theirs, everybody else for nobody known."""
    customer = fields.optional_name("customer", name, "customers/*")
    if customer is None:
        return by.caller.id if by.caller.role is Role.CUSTOMER else ""
    if not by.acts_for(customer[0]):
        raise PermissionDenied("nobody joins as another customer")
    return customer[0]


def phone(value: str, countries: Collection[str]) -> str:
    """A phone number as E.164, empty when none is given. Raises `InvalidField`."""
    if not value:
        return ""
    if not _DIALED.fullmatch(value):
        raise invalid(
            "phone", "must be digits, with + and the country or with a leading 0; hyphens and spaces are fine"
        )
    compact = value.replace("-", "").replace(" ", "")
    if "KR" in countries and (mobile := _MOBILE.fullmatch(compact)):
        return f"+82{mobile[1]}"
    return _parsed(compact, countries)


def wait_seconds(request: pb.CreateReceptionRequest) -> float:
    """How long the caller wants to wait for a promised table."""
    if not request.HasField("wait"):
        return 0.0
    return fields.span("wait", request.wait, least=timedelta(), most=LONGEST_WAIT).total_seconds()


def parties(value: int) -> int:
    """How many parties to let go first."""
    return fields.whole("parties", value, least=1, most=2**31 - 1)


def position(request: pb.ListReceptionsRequest) -> tuple[datetime, str] | None:
    """Where a list goes on: the time and id of the last reception seen."""
    found = paging.page_position(request, request.page_token)
    if found is None:
        return None
    match found:
        case [int(micros), str(reception_id)] if 0 <= micros < 2**57:
            return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros), reception_id
    raise invalid("page_token", "is not a token of this list")


def token(request: pb.ListReceptionsRequest, last: Any) -> str:
    """The token of the page after the reception `last`."""
    micros = (last.created_at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    return paging.page_token(request, [micros, last.id])


def _parsed(value: str, countries: Collection[str]) -> str:
    import phonenumbers  # a library that is loaded only to be used

    try:
        number = phonenumbers.parse(value, "KR")
    except phonenumbers.NumberParseException:
        raise invalid("phone", "is not a phone number") from None
    region = phonenumbers.region_code_for_number(number)
    if region is None or not phonenumbers.is_valid_number_for_region(number, region):
        raise invalid("phone", "is not a phone number")
    if region not in countries:
        raise invalid("phone", f"must be a number of {', '.join(sorted(countries))}")
    if phonenumbers.PhoneNumberType.to_string(phonenumbers.number_type(number)) not in _KINDS:
        raise invalid("phone", "is not a number that people have")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
