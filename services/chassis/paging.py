"""Pages (AIP-158): opaque tokens that only continue the list they came from."""

import base64
import hashlib
import json
from typing import Any

from google.protobuf.message import Message

from services.chassis.kernel import InvalidField, invalid

DEFAULT_SIZE = 50
LARGEST_SIZE = 500


def page_size(asked: int) -> int:
    """The page size to use. Raises `InvalidField` for a negative one."""
    if asked < 0:
        raise invalid("page_size", "must not be negative")
    return min(asked or DEFAULT_SIZE, LARGEST_SIZE)


def page_token(request: Message, position: list[Any]) -> str:
    """A token that continues this request's list after `position` (JSON values)."""
    body = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_seal(request, body) + body).decode().rstrip("=")


def page_position(request: Message, token: str) -> list[Any] | None:
    """The position to continue after, None for the first page. Raises `InvalidField` for a foreign token."""
    if not token:
        return None
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        seal, body = raw[:12], raw[12:]
        if seal != _seal(request, body):
            raise ValueError
        position = json.loads(body)
        # a lone surrogate cannot be stored, so nothing can come after it
        json.dumps(position, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise _foreign() from None
    if not isinstance(position, list):
        raise _foreign()
    return position


def text_position(request: Message, token: str) -> str:
    """The same for a list that is sorted by one text; empty for the first page."""
    match page_position(request, token):
        case None:
            return ""
        case [str(text)]:
            return text
    raise _foreign()


def _foreign() -> InvalidField:
    return invalid("page_token", "is not a token of this list")


def _seal(request: Message, body: bytes) -> bytes:
    question = type(request)()
    question.CopyFrom(request)
    for field in ("page_token", "page_size"):
        question.ClearField(field)
    asked = question.SerializeToString(deterministic=True)
    return hashlib.sha256(request.DESCRIPTOR.full_name.encode() + b"\0" + asked + b"\0" + body).digest()[:12]
