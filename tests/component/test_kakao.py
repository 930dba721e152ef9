"""The stand-in for KakaoTalk, over real HTTP."""

import asyncio
import io
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from services.kakao.app import build
from services.kakao.journal import FILE, InUse, Journal

ROOT = Path(__file__).resolve().parents[2]
API = "/alimtalk/v2.3/appkeys/app-1"
CALLED = "[#{store}] 입장 안내\n\n#{number}번 고객님, 100% 준비되었습니다."
VALUES = {"store": "강남 할매국밥", "number": "17"}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


class Phones:
    """A sender of AlimTalk, and somebody who looks at the phones."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def ask(self, method: str, path: str, **arguments: Any) -> tuple[int, Any]:
        async with self._session.request(method, path, **arguments) as response:
            return response.status, json.loads(await response.read())

    async def register(self, code: str = "CALLED", content: str = CALLED, **more: Any) -> tuple[int, Any]:
        return await self.ask(
            "POST", API + "/templates", json={"templateCode": code, "templateContent": content} | more
        )

    async def send(self, *recipients: dict[str, Any], code: str = "CALLED") -> tuple[int, Any]:
        body = {"senderKey": "k" * 40, "templateCode": code, "recipientList": list(recipients)}
        return await self.ask("POST", API + "/messages", json=body)

    async def codes(self, *recipients: dict[str, Any], code: str = "CALLED") -> list[int]:
        status, answer = await self.send(*recipients, code=code)
        assert status == 200
        return [result["resultCode"] for result in answer["message"]["sendResults"]]

    async def found(self, key: str) -> list[dict[str, Any]]:
        status, answer = await self.ask("GET", API + "/messages", params={"recipientGroupingKey": key})
        assert status == 200
        messages: list[dict[str, Any]] = answer["messageSearchResultResponse"]["messages"]
        return messages

    async def texts(self, phone: str) -> list[str]:
        _, answer = await self.ask("GET", f"/inbox/{phone}.json")
        return [message["text"] for message in answer["messages"]]

    async def page(self, path: str, **headers: str) -> tuple[int, str, str]:
        async with self._session.get(path, headers=headers) as response:
            return response.status, await response.text(), response.headers["ETag"]


def to(phone: str = "01012345678", key: str = "", **values: str) -> dict[str, Any]:
    return {"recipientNo": phone, "templateParameter": VALUES | values, "recipientGroupingKey": key}


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[Phones]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        async with aiohttp.ClientSession(base, headers={"X-Secret-Key": "secret"}) as session:
            yield Phones(session)
    finally:
        await runner.cleanup()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def phones(clock: Clock) -> AsyncIterator[Phones]:
    async with serving(build(most=50, clock=clock)) as phones:
        await phones.register()
        yield phones


async def test_a_message_arrives_filled_in(phones: Phones) -> None:
    status, answer = await phones.send(to(key="n1"))
    assert status == 200
    assert answer["header"] == {"resultCode": 0, "resultMessage": "SUCCESS", "isSuccessful": True}
    assert answer["message"]["requestId"]
    assert answer["message"]["sendResults"] == [
        {
            "recipientSeq": 1,
            "recipientNo": "01012345678",
            "resultCode": 0,
            "resultMessage": "SUCCESS",
            "recipientGroupingKey": "n1",
        }
    ]
    assert await phones.texts("01012345678") == ["[강남 할매국밥] 입장 안내\n\n17번 고객님, 100% 준비되었습니다."]


async def test_values_are_not_looked_into_for_variables(phones: Phones) -> None:
    assert await phones.codes(to(store="#{number} %s {store}")) == [0]
    assert (await phones.texts("01012345678"))[0].startswith("[#{number} %s {store}] 입장 안내")


@pytest.mark.parametrize("number", ["+821012345678", "82-10-1234-5678", "010-1234-5678", "+8201012345678"])
async def test_a_phone_is_the_same_however_it_is_written(phones: Phones, number: str) -> None:
    assert await phones.codes(to(number)) == [0]
    assert len(await phones.texts("01012345678")) == 1


async def test_a_key_used_within_ten_minutes_is_a_duplicate_and_not_sent_again(phones: Phones, clock: Clock) -> None:
    assert await phones.codes(to(key="n1")) == [0]
    clock.now += 599
    assert await phones.codes(to(key="n1"), to(key="n2")) == [-1005, 0]
    assert len(await phones.texts("01012345678")) == 2
    clock.now += 2
    assert await phones.codes(to(key="n1")) == [0]


async def test_a_key_twice_in_one_request_is_sent_once(phones: Phones) -> None:
    assert await phones.codes(to(key="n1"), to(key="n1")) == [0, -1005]
    assert len(await phones.texts("01012345678")) == 1


async def test_messages_without_a_key_are_never_duplicates(phones: Phones) -> None:
    assert await phones.codes(to(), to()) == [0, 0]


async def test_a_refused_message_does_not_use_up_its_key(phones: Phones) -> None:
    assert await phones.codes(to(key="n1"), code="UNKNOWN") == [3015]
    assert await phones.codes(to(key="n1")) == [0]


async def test_a_message_is_found_by_its_key(phones: Phones) -> None:
    _, answer = await phones.send(to(key="n1"))
    (message,) = await phones.found("n1")
    assert message["requestId"] == answer["message"]["requestId"]
    assert message["recipientNo"] == "01012345678"
    assert message["content"].startswith("[강남 할매국밥]")
    assert (message["messageStatus"], message["resultCode"]) == ("COMPLETED", "1000")
    assert await phones.found("n2") == []


async def test_who_is_no_kakaotalk_user_gets_nothing(phones: Phones) -> None:
    assert await phones.codes(to("01000003019", key="n1"), to(key="n2")) == [3019, 0]
    assert await phones.texts("01000003019") == []
    (message,) = await phones.found("n1")
    assert (message["messageStatus"], message["resultCode"]) == ("FAILED", "3019")


async def test_a_dropped_connection_hides_an_accepted_message(phones: Phones) -> None:
    with pytest.raises(aiohttp.ClientError):
        await phones.send(to("01000000504", key="n1"), to(key="n2"))
    assert len(await phones.texts("01000000504")) == len(await phones.texts("01012345678")) == 1
    assert await phones.codes(to(key="n2")) == [-1005]


@pytest.mark.parametrize(("phone", "status"), [("01000000429", 429), ("01000000500", 500)])
async def test_a_failed_request_accepts_nothing(phones: Phones, phone: str, status: int) -> None:
    answered, answer = await phones.send(to(key="n1"), to(phone, key="n2"))
    assert answered == status
    assert answer["header"]["isSuccessful"] is False
    assert await phones.texts("01012345678") == []
    assert await phones.found("n1") == []


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"store": "a"}, -3004),
        ({"store": "a", "number": "1", "more": "2"}, -3004),
        ({"store": "a", "number": 1}, -3004),
        ({"store": "a", "number": None}, -3004),
        (["a", "1"], -3004),
        (None, -3004),
        ({"store": "가" * 1_000, "number": "1"}, 3014),
    ],
)
async def test_what_does_not_fit_the_template_is_refused_alone(phones: Phones, values: object, code: int) -> None:
    odd = {"recipientNo": "01012345678", "templateParameter": values, "recipientGroupingKey": "n1"}
    assert await phones.codes(odd, to("01087654321", key="n2")) == [code, 0]
    assert await phones.texts("01012345678") == []
    assert await phones.found("n1") == []


@pytest.mark.parametrize("number", ["", "abc", "123", "0" * 16, "０１０１２３４５６７８", "010 1234 5678", "+"])
async def test_what_is_no_phone_number_is_refused_alone(phones: Phones, number: str) -> None:
    assert await phones.codes(to(number), to()) == [3008, 0]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"{} {}",
        b'{"senderKey": NaN}',
        b'{"senderKey": "\xff"}',
        b"[" * 100_000,
        b'{"senderKey": "\\ud800"}',
        b"9" * 5_000,
    ],
)
async def test_a_body_that_is_no_json_object_is_the_callers_mistake(phones: Phones, body: bytes) -> None:
    for path in ("/messages", "/templates"):
        status, answer = await phones.ask("POST", API + path, data=body)
        assert (status, answer["header"]["resultCode"]) == (400, -3002)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"senderKey": None}, "senderKey"),
        ({"senderKey": "k" * 41}, "senderKey"),
        ({"templateCode": " "}, "templateCode"),
        ({"templateCode": 7}, "templateCode"),
        ({"recipientList": None}, "recipientList"),
        ({"recipientList": []}, "recipientList"),
        ({"recipientList": [{"recipientNo": "01012345678"}] * 1_001}, "recipientList"),
        ({"recipientList": [to(), "01012345678"]}, "recipientList[1]"),
        ({"recipientList": [{}]}, "recipientList[0].recipientNo"),
        ({"recipientList": [to() | {"recipientNo": 1012345678}]}, "recipientList[0].recipientNo"),
        ({"recipientList": [to(key="k" * 101)]}, "recipientList[0].recipientGroupingKey"),
        ({"recipientList": [to() | {"recipientGroupingKey": 7}]}, "recipientList[0].recipientGroupingKey"),
        ({"requestDate": "2030-01-01 00:00"}, "requestDate"),
    ],
)
async def test_a_malformed_request_names_the_field_and_sends_nothing(
    phones: Phones, change: dict[str, Any], names: str
) -> None:
    body = {"senderKey": "k", "templateCode": "CALLED", "recipientList": [to()]} | change
    status, answer = await phones.ask("POST", API + "/messages", json=body)
    assert (status, answer["header"]["resultCode"]) == (400, 4)
    assert f"'{names}'" in answer["header"]["resultMessage"]
    assert await phones.texts("01012345678") == []


async def test_a_thousand_recipients_fit_one_request(phones: Phones) -> None:
    codes = await phones.codes(*[to(f"010{number:08d}", key=f"n{number}") for number in range(2_000, 3_000)])
    assert codes == [0] * 1_000


async def test_a_body_too_large_is_refused(phones: Phones) -> None:
    status, answer = await phones.ask("POST", API + "/messages", data=io.BytesIO(b" " * (5 << 20)))
    assert status == 413
    assert answer["header"]["isSuccessful"] is False


async def test_without_a_secret_key_nothing_is_done(phones: Phones) -> None:
    for method, path in (("POST", "/messages"), ("GET", "/messages"), ("POST", "/templates"), ("GET", "/templates")):
        status, answer = await phones.ask(method, API + path, headers={"X-Secret-Key": ""})
        assert (status, answer["header"]["resultCode"]) == (401, -1001)


async def test_unknown_paths_and_methods_are_answered_in_json(phones: Phones) -> None:
    assert (await phones.ask("GET", "/nothing"))[0] == 404
    assert (await phones.ask("PUT", API + "/messages"))[0] == 405
    assert (await phones.ask("GET", API + "/messages"))[0] == 400


@pytest.mark.parametrize(
    "given",
    [
        {"templateCode": ""},
        {"templateCode": "a b"},
        {"templateCode": "c" * 21},
        {"templateContent": ""},
        {"templateContent": "가" * 1_001},
        {"templateContent": "#{open"},
        {"templateContent": "#{}"},
        {"templateContent": "".join(f"#{{v{n}}}" for n in range(40))},
        {"buttons": {}},
        {"buttons": ["순서 보기"]},
        {"buttons": [{"type": "XX", "name": "a"}]},
        {"buttons": [{"type": "WL", "name": "순서 보기"}]},
        {"buttons": [{"type": "WL", "name": "a", "linkMo": "javascript:alert(1)"}]},
        {"buttons": [{"type": "WL", "name": "#{store}", "linkMo": "https://a"}]},
        {"buttons": [{"type": "WL", "name": "a" * 15, "linkMo": "https://a"}]},
        {"buttons": [{"type": "AC", "name": "채널 추가"}] * 6},
    ],
)
async def test_a_template_that_would_not_pass_review_is_refused(phones: Phones, given: dict[str, Any]) -> None:
    body = {"templateCode": "OTHER", "templateContent": "text"} | given
    status, answer = await phones.ask("POST", API + "/templates", json=body)
    assert status == 400
    assert answer["header"]["isSuccessful"] is False


async def test_a_template_registered_again_is_replaced(phones: Phones) -> None:
    assert (await phones.register(content="안녕하세요"))[0] == 200
    _, answer = await phones.ask("GET", API + "/templates")
    assert answer["templateListResponse"]["templates"] == [{"templateCode": "CALLED", "templateContent": "안녕하세요"}]
    assert await phones.codes({"recipientNo": "01012345678"}) == [0]


async def test_the_oldest_messages_make_room(phones: Phones) -> None:
    for number in range(60):
        assert await phones.codes(to(f"0101234{number:04d}", key=f"n{number}")) == [0]
    _, answer = await phones.ask("GET", "/inbox.json")
    assert (answer["messageCount"], answer["phoneCount"]) == (50, 50)
    assert answer["phones"][0]["phone"] == "01012340059"
    assert await phones.found("n9") == []
    assert len(await phones.found("n10")) == 1
    assert await phones.texts("01012340009") == []


async def test_the_inbox_lists_the_latest_phone_first(phones: Phones) -> None:
    await phones.codes(to("01011111111"), to("01022222222"), to("01011111111"))
    _, answer = await phones.ask("GET", "/inbox.json", params={"limit": "1"})
    assert answer["phoneCount"] == 2
    assert [(phone["phone"], phone["messages"]) for phone in answer["phones"]] == [("01011111111", 2)]
    for limit in ("0", "1001", "x", "-1", "９"):
        assert (await phones.ask("GET", "/inbox.json", params={"limit": limit}))[0] == 400


async def test_markup_is_shown_as_it_was_typed(phones: Phones) -> None:
    await phones.codes(to(store="<script>alert(1)</script> & \"'"))
    for path in ("/inbox", "/inbox/01012345678"):
        status, page, _ = await phones.page(path)
        assert status == 200
        assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in page
        assert "<script>alert" not in page


async def test_a_phones_page_shows_bubbles_with_line_breaks_and_buttons(phones: Phones) -> None:
    link = "https://tabling.example/w/#{number}"
    await phones.register("LINK", "첫 줄\n둘째 줄", buttons=[{"type": "WL", "name": "순서 보기", "linkMo": link}])
    recipient = {"recipientNo": "01012345678", "templateParameter": {"number": '7">x'}}
    assert await phones.codes(recipient, code="LINK") == [0]
    _, page, _ = await phones.page("/inbox/010-1234-5678")
    assert "알림톡 도착" in page
    assert "010-1234-5678" in page
    assert "첫 줄\n둘째 줄" in page
    assert '<a href="https://tabling.example/w/7&#34;&gt;x"' in page
    assert "순서 보기</a>" in page


async def test_a_page_is_sent_again_only_when_something_arrived(phones: Phones) -> None:
    _, _, tag = await phones.page("/inbox/01012345678")
    assert (await phones.page("/inbox/01012345678", **{"If-None-Match": tag}))[0] == 304
    await phones.codes(to())
    status, page, _ = await phones.page("/inbox/01012345678", **{"If-None-Match": tag})
    assert status == 200
    assert "강남 할매국밥" in page


async def test_a_phone_without_messages_has_an_empty_page(phones: Phones) -> None:
    status, page, _ = await phones.page("/inbox/01099998888")
    assert status == 200
    assert "아직 이 번호로" in page
    assert (await phones.ask("GET", "/inbox/nobody"))[0] == 400


async def test_searching_for_a_number_leads_to_its_page(phones: Phones) -> None:
    await phones.codes(to())
    _, page, _ = await phones.page("/inbox?phone=010-1234-5678")
    assert "강남 할매국밥" in page


async def test_it_says_that_it_is_healthy(phones: Phones) -> None:
    assert await phones.ask("GET", "/healthz") == (200, {"status": "ok"})


# With a folder to keep things in.


async def test_messages_keys_and_templates_survive_a_restart(tmp_path: Path, clock: Clock) -> None:
    buttons = [{"type": "WL", "name": "순서 보기", "linkMo": "https://tabling.example/"}]
    with Journal(tmp_path) as journal:
        async with serving(build(journal, clock=clock)) as phones:
            await phones.register(buttons=buttons)
            await phones.codes(to(key="n1"), to("01000003019", key="n2"))
    with Journal(tmp_path) as journal:
        async with serving(build(journal, clock=clock)) as phones:
            _, answer = await phones.ask("GET", "/inbox/01012345678.json")
            assert answer["messages"][0]["text"].startswith("[강남 할매국밥]")
            assert answer["messages"][0]["buttons"] == [{"name": "순서 보기", "link": "https://tabling.example/"}]
            assert [m["resultCode"] for m in await phones.found("n2")] == ["3019"]
            assert await phones.codes(to(key="n1"), to(key="n3")) == [-1005, 0]


async def test_a_line_cut_short_by_a_crash_costs_only_itself(tmp_path: Path, clock: Clock) -> None:
    for key in ("n1", "n2", "n3"):
        with Journal(tmp_path) as journal:
            async with serving(build(journal, clock=clock)) as phones:
                await phones.register()
                assert await phones.codes(to(key=key)) == [0]
        if key == "n2":
            with (tmp_path / FILE).open("r+b") as file:
                file.truncate(file.seek(0, 2) - 10)
    with Journal(tmp_path) as journal:
        async with serving(build(journal, clock=clock)) as phones:
            assert [len(await phones.found(key)) for key in ("n1", "n2", "n3")] == [1, 0, 1]


async def test_the_folder_does_not_grow_for_ever(tmp_path: Path, clock: Clock) -> None:
    with Journal(tmp_path) as journal:
        async with serving(build(journal, most=20, clock=clock)) as phones:
            await phones.register()
            for number in range(105):
                await phones.codes(to(key=f"n{number}"))
    kept = sum(file.read_bytes().count(b'"messages"') for file in tmp_path.glob("*.jsonl"))
    assert 20 <= kept <= 40
    with Journal(tmp_path) as journal:
        async with serving(build(journal, most=20, clock=clock)) as phones:
            assert len(await phones.texts("01012345678")) == 20
            assert await phones.codes(to(key="n104"), to(key="n105")) == [-1005, 0]


def test_two_processes_cannot_share_a_folder(tmp_path: Path) -> None:
    with Journal(tmp_path), pytest.raises(InUse, match=str(tmp_path)):
        Journal(tmp_path)


# As a process of its own.


@pytest.fixture
def started(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "services.kakao", "--port", "0", "--data", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_without_a_word(started: subprocess.Popen[str], number: signal.Signals) -> None:
    assert started.stdout is not None
    assert "http://127.0.0.1:" in started.stdout.readline()
    started.send_signal(number)
    _, said = started.communicate(timeout=20)
    assert (started.returncode, said) == (0, "")


def test_it_listens_for_this_machine_only() -> None:
    refused = run("--host", "0.0.0.0")
    assert refused.returncode == 2
    assert "loopback addresses only" in refused.stderr


async def test_a_port_in_use_is_said_in_one_line() -> None:
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        refused = await asyncio.to_thread(run, "--port", str(port))
    assert refused.returncode == 1
    assert refused.stderr.startswith("kakao: ")
    assert refused.stderr.count("\n") == 1


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "services.kakao", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
