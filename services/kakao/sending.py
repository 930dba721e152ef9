"""Sending one request's messages: each recipient gets a result of its own."""

from collections.abc import Sequence
from typing import Any

from services.kakao.codes import (
    DUPLICATE,
    INVALID_PHONE,
    NO_TEMPLATE,
    NO_USER,
    SUCCESS,
    TEMPLATE_PARAMETER,
    TOO_LONG,
)
from services.kakao.errors import Invalid
from services.kakao.inbox import Batch, Message
from services.kakao.phones import dialled
from services.kakao.state import State
from services.kakao.templates import MOST_CHARACTERS

DUPLICATE_SECONDS = 600.0
MOST_RECIPIENTS = 1_000
MOST_KEY = 100
MOST_NUMBER = 20
# Phones whose last four digits make something happen.
NOT_A_USER, DROPPED, OVERLOADED, BROKEN = "3019", "0504", "0429", "0500"


# One entry of a request's recipientList: the number given, as it is dialled (None when it is no number),
# the sender's key, and what to fill in. A plain tuple, as there are many.
Recipient = tuple[str, str | None, str, object]


def read_recipients(given: object) -> list[Recipient]:
    """The recipients of a request, every one of the right form."""
    if not isinstance(given, list):
        raise Invalid("'recipientList' must be a list")
    if not 1 <= len(given) <= MOST_RECIPIENTS:
        raise Invalid(f"'recipientList' must be between 1 and {MOST_RECIPIENTS}, not {len(given)}")
    return [_read_recipient(place, each) for place, each in enumerate(given)]


def _read_recipient(place: int, given: Any) -> Recipient:
    if type(given) is not dict:
        raise Invalid(f"'recipientList[{place}]' must be an object")
    number, key = given.get("recipientNo"), given.get("recipientGroupingKey", "")
    if type(number) is not str or len(number) > MOST_NUMBER:
        raise Invalid(f"'recipientList[{place}].recipientNo' must be a string of at most {MOST_NUMBER} characters")
    if type(key) is not str or len(key) > MOST_KEY:
        raise Invalid(
            f"'recipientList[{place}].recipientGroupingKey' must be a string of at most {MOST_KEY} characters"
        )
    return number, dialled(number), key, given.get("templateParameter", {})


def send(state: State, batch: Batch, recipients: Sequence[Recipient]) -> list[int]:
    """Delivers what can be delivered and returns a result code for each recipient."""
    template, inbox = state.templates.get(batch.template_code), state.inbox
    accepted: list[Message] = []
    codes: list[int] = []
    for place, (_, phone, key, parameter) in enumerate(recipients, 1):
        seen = inbox.with_key(key) if key else None
        if seen is not None and batch.at - seen.batch.at < DUPLICATE_SECONDS:
            codes.append(DUPLICATE)
        elif phone is None:
            codes.append(INVALID_PHONE)
        elif template is None:
            codes.append(NO_TEMPLATE)
        elif (text := template.text(parameter)) is None or type(parameter) is not dict:
            codes.append(TEMPLATE_PARAMETER)
        elif len(text) > MOST_CHARACTERS:
            codes.append(TOO_LONG)
        else:
            code = NO_USER if phone.endswith(NOT_A_USER) else SUCCESS
            message = Message(batch, place, phone, key, text, template.buttons_with(parameter), code)
            inbox.add(message)
            accepted.append(message)
            codes.append(code)
    state.keep(batch, accepted)
    return codes
