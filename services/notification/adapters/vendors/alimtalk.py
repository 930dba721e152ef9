"""KakaoTalk AlimTalk over NHN Cloud's KakaoTalk Bizmessage v2.3 (https://docs.nhncloud.com, "알림톡 v2.3")."""

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from types import TracebackType
from typing import Any

from services.chassis.logs import get_logger
from services.notification.adapters.templates import Template
from services.notification.adapters.vendors.codes import UNKNOWN_TEMPLATE, outcome
from services.notification.application.notifier import (
    Capabilities,
    Channel,
    Delivery,
    Notification,
    Status,
    Submission,
)
from services.notification.domain.outcome import Outcome

log = get_logger(__name__)

MESSAGES_AT_ONCE = 500
REQUESTS_AT_ONCE = 8
DEADLINE_SECONDS = 5.0
PATIENCE_SECONDS = 10.0
UNREACHABLE = "UNREACHABLE"
IDEMPOTENCY_WINDOW = timedelta(minutes=10)

_STATUSES: Mapping[Outcome, Status] = {
    Outcome.ACCEPTED: Status.ACCEPTED,
    Outcome.DELIVERED: Status.ACCEPTED,
    Outcome.DUPLICATE: Status.DUPLICATE,
    Outcome.UNCERTAIN: Status.UNCERTAIN,
    Outcome.TRANSIENT: Status.REJECTED,
    Outcome.CONFIG: Status.REJECTED,
    Outcome.RECIPIENT_UNREACHABLE: Status.REJECTED,
    Outcome.RECIPIENT_INVALID: Status.REJECTED,
    Outcome.REFUSED: Status.REJECTED,
}


@dataclass(frozen=True, slots=True)
class Account:
    """Whose messages these are: what the vendor gave us when we signed up."""

    appkey: str
    secret_key: str
    sender_key: str


LOCAL_ACCOUNT = Account(appkey="tabling", secret_key="local", sender_key="0" * 40)  # noqa: S106
"""What the stand-in on this machine takes; it is worth nothing elsewhere."""


class _Refused(Exception):
    """A request as a whole came to nothing, or may have."""

    def __init__(self, outcome_: Outcome, code: str) -> None:
        super().__init__(code)
        self.outcome = outcome_
        self.code = code


class AlimTalk(AbstractAsyncContextManager["AlimTalk"]):
    """A `Notifier`. Open it on the loop that uses it. A notification's id is its `recipientGroupingKey`."""

    def __init__(self, url: str, account: Account, templates: Iterable[Template]) -> None:
        self._url = url.rstrip("/")
        self._account = account
        self._templates = {template.code: template for template in templates}
        self._registered: set[str] = set()

    async def __aenter__(self) -> "AlimTalk":
        # a service begins to serve sooner without it, and loading it holds up nobody
        await asyncio.to_thread(import_module, "aiohttp")
        import aiohttp

        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=DEADLINE_SECONDS),
            connector=aiohttp.TCPConnector(limit=REQUESTS_AT_ONCE),
            headers={"X-Secret-Key": self._account.secret_key},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    def capabilities(self) -> Capabilities:
        """What AlimTalk can do, as far as it is used here."""
        return Capabilities(
            vendor="alimtalk",
            batch_max=MESSAGES_AT_ONCE,
            named_variables=True,
            native_fallback=False,
            accepted_is_delivered=True,
            idempotency_window=IDEMPOTENCY_WINDOW,
        )

    async def register(self) -> None:
        """Make sure that the vendor knows all templates, before the first message needs one.

        A vendor that is not there yet is waited for a little: it may be starting just as we are.
        """
        limit = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                await asyncio.gather(*map(self._register, self._templates))
            except _Refused as refused:
                if refused.code != UNREACHABLE or time.monotonic() > limit:
                    log.warning("templates not registered", code=refused.code)
                    return
            else:
                return
            await asyncio.sleep(0.25)

    async def send(self, batch: Sequence[Notification]) -> list[Submission]:
        """Hand over notifications, one request per template."""
        by_template: dict[str, list[Notification]] = {}
        for notification in batch:
            by_template.setdefault(notification.template_code, []).append(notification)
        answers = await asyncio.gather(*(self._send(code, some) for code, some in by_template.items()))
        return [submission for answer in answers for submission in answer]

    async def result(self, notification_id: str) -> Delivery:
        """What the vendor knows of a notification; `outcome` is None when it never had it."""
        try:
            answer = await self._call("GET", "messages", params={"recipientGroupingKey": notification_id})
            with _understood():
                return _delivery(notification_id, answer["messageSearchResultResponse"]["messages"])
        except _Refused as refused:
            return Delivery(notification_id, Channel.KAKAO, refused.outcome, refused.code)

    async def _send(self, template_code: str, batch: Sequence[Notification]) -> list[Submission]:
        submissions = await self._try(template_code, batch)
        unknown = {s.id for s in submissions if s.raw_code in UNKNOWN_TEMPLATE}
        if not unknown:
            return submissions
        # the vendor has another template under this code, or none: tell it once more
        self._registered.discard(template_code)
        again = await self._try(template_code, [n for n in batch if n.id in unknown])
        return [s for s in submissions if s.id not in unknown] + again

    async def _try(self, template_code: str, batch: Sequence[Notification]) -> list[Submission]:
        try:
            await self._register(template_code)
            return await self._post(template_code, batch)
        except _Refused as refused:
            if len(batch) > 1 and refused.outcome is Outcome.REFUSED:
                # one of them spoils the request: find it, and let the others through
                middle = len(batch) // 2
                first, second = batch[:middle], batch[middle:]
                return await self._try(template_code, first) + await self._try(template_code, second)
            return [_submission(n.id, refused.outcome, refused.code, "") for n in batch]

    async def _post(self, template_code: str, batch: Sequence[Notification]) -> list[Submission]:
        recipients = [
            {"recipientNo": _number(n.to), "templateParameter": n.variables, "recipientGroupingKey": n.id}
            for n in batch
        ]
        body = {
            "senderKey": self._account.sender_key,
            "templateCode": template_code,
            "recipientList": recipients,
        }
        answer = await self._call("POST", "messages", json=body)
        with _understood():
            message = answer["message"]
            codes = {result["recipientGroupingKey"]: int(result["resultCode"]) for result in message["sendResults"]}
            return [_answer(n.id, codes.get(n.id), message["requestId"]) for n in batch]

    async def _register(self, template_code: str) -> None:
        if template_code in self._registered:
            return
        template = self._templates[template_code]
        body = {
            "templateCode": template_code,
            "templateName": f"{template.key} {template.language_code}",
            "templateContent": template.content,
        }
        await self._call("POST", "templates", json=body)
        self._registered.add(template_code)

    async def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        import aiohttp

        url = f"{self._url}/alimtalk/v2.3/appkeys/{self._account.appkey}/{path}"
        try:
            async with self._session.request(method, url, **arguments) as response:
                _check_status(response.status)
                answer = await response.json(content_type=None)
        except aiohttp.ClientConnectorError:
            raise _Refused(Outcome.TRANSIENT, UNREACHABLE) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            # it was on its way: it may have arrived although no answer came back
            raise _Refused(Outcome.UNCERTAIN, type(error).__name__) from None
        with _understood():
            header = answer["header"]
            code = int(header["resultCode"])
            if header["isSuccessful"]:
                return dict(answer)
        raise _Refused(outcome(code), str(code))


@contextmanager
def _understood() -> Iterator[None]:
    """An answer that is not of the documented form leaves it open what was done."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _Refused(Outcome.UNCERTAIN, "MALFORMED") from None


def _delivery(id_: str, found: Sequence[Mapping[str, Any]]) -> Delivery:
    if not found:
        return Delivery(id_, Channel.KAKAO, None, "")
    code = int(found[0]["resultCode"])
    return Delivery(id_, Channel.KAKAO, outcome(code), str(code), str(found[0]["requestId"]))


def _check_status(status: int) -> None:
    if status == 429:
        raise _Refused(Outcome.TRANSIENT, "429")
    if status >= 500:
        raise _Refused(Outcome.UNCERTAIN, str(status))
    if status in (401, 403, 404, 405):
        raise _Refused(Outcome.CONFIG, str(status))


def _answer(id_: str, code: int | None, request_id: str) -> Submission:
    if code is None:
        return _submission(id_, Outcome.UNCERTAIN, "MISSING", request_id)
    return _submission(id_, outcome(code), str(code), request_id)


def _submission(id_: str, outcome_: Outcome, code: str, reference: str) -> Submission:
    return Submission(id_, _STATUSES[outcome_], outcome_, code, reference)


def _number(e164: str) -> str:
    """The form the vendor wants: Korean numbers as dialled in Korea, others without the plus sign."""
    return f"0{e164[3:]}" if e164.startswith("+82") else e164.lstrip("+")
