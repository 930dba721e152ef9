"""The dealer's side: a subset of NHN Cloud KakaoTalk Bizmessage, AlimTalk v2.3."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from services.kakao.body import read_object, text
from services.kakao.codes import DELIVERED, INVALID_SECRET, SUCCESS, SYSTEM, TEXTS, THROTTLED
from services.kakao.errors import Invalid, Refused, answer, header
from services.kakao.inbox import Batch, Message
from services.kakao.sending import BROKEN, DROPPED, MOST_KEY, OVERLOADED, Recipient, read_recipients, send
from services.kakao.state import State
from services.kakao.templates import MOST_TEMPLATES, read_template

KOREA = ZoneInfo("Asia/Seoul")


class Vendor:
    """Registers templates, takes messages, and tells what became of them."""

    def __init__(self, state: State, clock: Callable[[], float]) -> None:
        self._state, self._clock = state, clock

    def routes(self) -> list[web.RouteDef]:
        base = "/alimtalk/v2.3/appkeys/{appkey}"
        return [
            web.post(base + "/templates", self.register),
            web.get(base + "/templates", self.templates),
            web.post(base + "/messages", self.send),
            web.get(base + "/messages", self.find),
        ]

    async def register(self, request: web.Request) -> web.Response:
        _check_secret(request)
        code, template = read_template(await read_object(request))
        known = self._state.templates
        if code not in known and len(known) >= MOST_TEMPLATES:
            raise Invalid(f"there are {MOST_TEMPLATES} templates already")
        if code not in known or known[code].given != template.given:
            self._state.register(code, template)
        return answer({"header": header(), "template": {"templateCode": code, "status": "TSC03"}})

    async def templates(self, request: web.Request) -> web.Response:
        _check_secret(request)
        known = [template.given for template in self._state.templates.values()]
        listed = {"templates": known, "totalCount": len(known)}
        return answer({"header": header(), "templateListResponse": listed})

    async def send(self, request: web.Request) -> web.Response:
        _check_secret(request)
        content = await read_object(request)
        if content.get("requestDate"):
            raise Invalid("'requestDate' is not supported here: messages are sent at once")
        sender_key, code = text(content, "senderKey", 40), text(content, "templateCode", 20)
        recipients = read_recipients(content.get("recipientList"))
        endings = {phone[-4:] for _, phone, _, _ in recipients if phone}
        _fail_on_purpose(endings)
        batch = Batch(self._request_id(), sender_key, code, self._clock())
        codes = send(self._state, batch, recipients)
        if DROPPED in endings:
            _drop(request)
        results = _results(recipients, codes)
        return answer({"header": header(), "message": {"requestId": batch.request_id, "sendResults": results}})

    async def find(self, request: web.Request) -> web.Response:
        _check_secret(request)
        key = request.query.get("recipientGroupingKey", "")
        if not 1 <= len(key) <= MOST_KEY:
            raise Invalid(f"'recipientGroupingKey' must be a string of 1 to {MOST_KEY} characters")
        message = self._state.inbox.with_key(key)
        found = [] if message is None else [_found(message)]
        listed = {"messages": found, "totalCount": len(found)}
        return answer({"header": header(), "messageSearchResultResponse": listed})

    def _request_id(self) -> str:
        return f"{datetime.fromtimestamp(self._clock(), KOREA):%Y%m%d%H%M%S}{secrets.token_hex(6)}"


def _check_secret(request: web.Request) -> None:
    if not request.headers.get("X-Secret-Key", "").strip():
        raise Refused(401, INVALID_SECRET)


def _fail_on_purpose(endings: Iterable[str]) -> None:
    """Some phones stand for trouble; the whole request fails, and nothing of it is accepted."""
    if BROKEN in endings:
        raise Refused(500, SYSTEM)
    if OVERLOADED in endings:
        raise Refused(429, THROTTLED, headers={"Retry-After": "1"})


def _drop(request: web.Request) -> None:
    """Cuts the connection: the messages are accepted, and the sender will never hear of it."""
    if request.transport is not None:
        request.transport.abort()


def _results(recipients: Sequence[Recipient], codes: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {
            "recipientSeq": place,
            "recipientNo": number,
            "resultCode": code,
            "resultMessage": TEXTS[code],
            "recipientGroupingKey": key,
        }
        for place, ((number, _, key, _), code) in enumerate(zip(recipients, codes, strict=True), 1)
    ]


def _found(message: Message) -> dict[str, Any]:
    batch, delivered = message.batch, message.code == SUCCESS
    code = DELIVERED if delivered else message.code
    at = datetime.fromtimestamp(batch.at, KOREA)
    return {
        "requestId": batch.request_id,
        "recipientSeq": message.number,
        "plusFriendId": "@테이블링",
        "senderKey": batch.sender_key,
        "templateCode": batch.template_code,
        "recipientNo": message.phone,
        "content": message.text,
        "requestDate": f"{at:%Y-%m-%d %H:%M:%S}.0",
        "createDate": f"{at:%Y-%m-%d %H:%M:%S}.0",
        "receiveDate": f"{at:%Y-%m-%d %H:%M:%S}.0" if delivered else None,
        "resendStatus": "RSC01",
        "resendStatusName": "대체 발송 안함",
        "messageStatus": "COMPLETED" if delivered else "FAILED",
        "resultCode": str(code),
        "resultCodeName": TEXTS[code],
        "recipientGroupingKey": message.key,
    }
