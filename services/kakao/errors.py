"""Every refusal as the vendor's JSON: a header with code and message, never HTML or a stack trace."""

import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from services.kakao.codes import INVALID, SUCCESS, SYSTEM, TEXTS

log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """A request that is not done: HTTP status, the vendor's code, and what was found."""

    def __init__(
        self, status: int, code: int, message: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message or TEXTS[code])
        self.status, self.code, self.headers = status, code, headers


class Invalid(Refused):
    """The caller's mistake; the message names the field."""

    def __init__(self, message: str) -> None:
        super().__init__(400, INVALID, message)


def header(code: int = SUCCESS, message: str | None = None) -> dict[str, Any]:
    return {"resultCode": code, "resultMessage": message or TEXTS[code], "isSuccessful": code == SUCCESS}


def answer(content: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return web.Response(body=body, status=status, headers=headers, content_type="application/json", charset="utf-8")


@web.middleware
async def refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refused:
        return answer({"header": header(refused.code, str(refused))}, refused.status, refused.headers)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allowed = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return answer({"header": header(INVALID, error.reason)}, error.status, allowed)
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return answer({"header": header(SYSTEM)}, 500)
