"""The phones' side: everybody's KakaoTalk, as pages for people and as JSON for scripts."""

import secrets
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.kakao.errors import Invalid, answer
from services.kakao.inbox import Inbox, Message
from services.kakao.phones import dialled, readable

HTML = Path(__file__).parent / "html"
KOREA = ZoneInfo("Asia/Seoul")
WEEKDAYS = "월화수목금토일"
SHOWN, MOST_SHOWN = 100, 1_000


class Pages:
    """Reads the inbox; changes nothing."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._run = secrets.token_hex(4)  # An ETag must not outlive the messages it stands for.
        self._html = Environment(loader=FileSystemLoader(HTML), autoescape=True, undefined=StrictUndefined)
        style, script = [(HTML / name).read_text("utf-8") for name in ("kakao.css", "refresh.js")]
        self._html.globals.update(style=Markup(style), script=Markup(script))  # noqa: S704 - our own files
        self._html.filters.update(phone=readable, time=_time, day=_day, ago=_day_or_time)
        self._policy = (
            f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; connect-src 'self';"
            " img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'"
        )

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.home),
            web.get("/inbox", self.phones_page),
            web.get("/inbox.json", self.phones_json),
            web.get("/inbox/{phone}.json", self.phone_json),
            web.get("/inbox/{phone}", self.phone_page),
        ]

    async def home(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/inbox")

    async def phones_page(self, request: web.Request) -> web.Response:
        wanted = request.query.get("phone", "").strip()
        if wanted:
            raise web.HTTPFound(f"/inbox/{_phone(wanted)}")
        phones = list(self._inbox.latest_phones(SHOWN))
        return self._page(request, "inbox.html", phones=phones, count=self._inbox.phones())

    async def phone_page(self, request: web.Request) -> web.Response:
        phone = _phone(request.match_info["phone"])
        messages = self._inbox.on_phone(phone, SHOWN)
        return self._page(request, "phone.html", number=phone, days=_by_day(messages))

    async def phones_json(self, request: web.Request) -> web.Response:
        phones = [
            {"phone": phone, "messages": count, "lastTime": _utc(last.batch.at), "lastText": last.text}
            for phone, count, last in self._inbox.latest_phones(_limit(request))
        ]
        return answer({"messageCount": len(self._inbox), "phoneCount": self._inbox.phones(), "phones": phones})

    async def phone_json(self, request: web.Request) -> web.Response:
        phone = _phone(request.match_info["phone"])
        messages = self._inbox.on_phone(phone, _limit(request))
        return answer({"phone": phone, "messages": [_as_json(message) for message in messages]})

    def _page(self, request: web.Request, name: str, **content: Any) -> web.Response:
        """A page that the browser may keep as long as nothing has arrived."""
        etag = f'"{self._run}-{self._inbox.count}"'
        headers = {"ETag": etag, "Cache-Control": "no-cache", "Content-Security-Policy": self._policy}
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers=headers)
        page = self._html.get_template(name).render(content)
        return web.Response(text=page, content_type="text/html", headers=headers)


def _phone(number: str) -> str:
    phone = dialled(number)
    if phone is None:
        raise Invalid("'phone' must be a phone number")
    return phone


def _limit(request: web.Request) -> int:
    given = request.query.get("limit", str(SHOWN))
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= MOST_SHOWN):
        raise Invalid(f"'limit' must be between 1 and {MOST_SHOWN}")
    return int(given)


def _as_json(message: Message) -> dict[str, Any]:
    return {
        "time": _utc(message.batch.at),
        "templateCode": message.batch.template_code,
        "text": message.text,
        "buttons": [{"name": button.name, "link": button.link} for button in message.buttons],
        "recipientGroupingKey": message.key,
    }


def _by_day(messages: Sequence[Message]) -> dict[str, list[Message]]:
    days: dict[str, list[Message]] = {}
    for message in messages:
        days.setdefault(_day(message.batch.at), []).append(message)
    return days


def _utc(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _time(at: float) -> str:
    local = datetime.fromtimestamp(at, KOREA)
    return f"{'오전' if local.hour < 12 else '오후'} {local.hour % 12 or 12}:{local:%M}"


def _day(at: float) -> str:
    local = datetime.fromtimestamp(at, KOREA)
    return f"{local.year}년 {local.month}월 {local.day}일 {WEEKDAYS[local.weekday()]}요일"


def _day_or_time(at: float) -> str:
    local = datetime.fromtimestamp(at, KOREA)
    if local.date() == datetime.now(KOREA).date():
        return _time(at)
    return f"{local.month}월 {local.day}일"


def _hash(content: str) -> str:
    return f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'"
