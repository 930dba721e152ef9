"""JSON bodies, read with care."""

import json
import re
from typing import Any, NoReturn

from aiohttp import web

from services.kakao.codes import UNREADABLE
from services.kakao.errors import Invalid, Refused

MOST_BYTES = 4 << 20

_escaped_surrogate = re.compile(rb"\\u[dD][89a-fA-F]")


async def read_object(request: web.Request) -> dict[str, Any]:
    """The JSON object in a request's body."""
    raw = await request.read()
    try:
        content = json.loads(raw, parse_constant=_no_constant)
        if _escaped_surrogate.search(raw):
            json.dumps(content, ensure_ascii=False).encode()  # Fails on a lone surrogate, which no answer could hold.
    except (ValueError, RecursionError) as error:
        raise Refused(400, UNREADABLE, f"The body is not JSON: {_what(error)}") from None
    if not isinstance(content, dict):
        raise Refused(400, UNREADABLE, f"The body must be an object, not {type(content).__name__}")
    return content


def text(content: dict[str, Any], field: str, most: int) -> str:
    """A required field of text with 1 to `most` characters."""
    value = content.get(field)
    if not isinstance(value, str):
        raise Invalid(f"'{field}' must be a string")
    if not value.strip():
        raise Invalid(f"'{field}' must not be blank")
    if len(value) > most:
        raise Invalid(f"'{field}' must be at most {most} characters, not {len(value)}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _what(error: Exception) -> str:
    return "nested too deep" if isinstance(error, RecursionError) else str(error)
