"""What the gateway refuses by itself, and that every refusal looks the same and harms no one else."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.local.gateway_routes import PLAIN_HEADERS
from services.local.gateway_settings import Limits
from tests.e2e.gateway import Answer, Asked, gateway_before_an_upstream, raw

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

RECEPTIONS = "/v1/stores/s1/receptions"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    limits = Limits(unary_seconds=0.7, per_store_and_caller=1000)
    async with gateway_before_an_upstream(tmp_path_factory.mktemp("gateway"), limits=limits) as it:
        yield it


@pytest_asyncio.fixture(loop_scope="module")
async def untouched(asked: Asked) -> AsyncIterator[None]:
    """The upstream sees nothing of the test's requests."""
    before = len(asked.upstream.calls)
    yield
    assert asked.upstream.calls[before:] == []


def assert_refused(answer: Answer, status: int, reason: str, code: int) -> None:
    assert answer.status == status, answer
    assert answer.reason == f"gateway.tabling {reason} {code}"


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/nowhere"),
        ("GET", "/v1/stores/s1/receptions/r1/nothing"),
        ("PUT", "/v1/stores/s1/receptions/r1"),
        ("PATCH", "/v1/stores/s1/receptions/r1"),
        ("DELETE", "/v1/stores/s1/receptions/r1"),
        ("OPTIONS", "/v1/stores/s1/receptions/r1"),
        ("TRACE", "/v1/stores/s1/receptions/r1"),
        ("GET", "/v1/stores/s1/receptions/r1:nope"),
        ("POST", "/v1/stores/s1/receptions/r1:nope"),
        ("POST", "/tabling.reception.v1.ReceptionService/GetReception"),
        ("POST", "/tabling.reception.v1.ContactService/BatchGetContacts"),
        ("POST", "/tabling.messaging.v1.EventFeedService/ReadSnapshots"),
        ("GET", "/v1/stores/s1/../../etc/passwd"),
        ("GET", "/v1/stores/%2e%2e/receptions"),
    ],
)
async def test_what_is_nowhere_is_not_found(asked: Asked, method: str, path: str) -> None:
    data = "{}" if method in ("POST", "PUT", "PATCH") else None
    assert_refused(await asked.ask(method, path, data=data), 404, "UNKNOWN_PATH", 5)


@pytest.mark.usefixtures("untouched")
async def test_a_head_request_on_a_known_path_is_not_found(asked: Asked) -> None:
    answer = await asked.ask("HEAD", f"{RECEPTIONS}/r1")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/json")


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "path",
    [
        *(f"{RECEPTIONS}/{bad}" for bad in ("%ff", "%zz", "%", "%4", "%C0%AF", "%E2%82", "%ED%A0%80", "%80")),
        *(f"{RECEPTIONS}/{bad}" for bad in ("%F4%90%80%80", "%F5%80%80%80", "%F0%80%80%80", "%E0%80%80")),
        *(f"{RECEPTIONS}/{bad}" for bad in ("a%2Fb", "a%2fb", "a%5Cb", "a%00b")),
        f"{RECEPTIONS}?customer=%ff",
        f"{RECEPTIONS}?customer=%00",
        f"{RECEPTIONS}?%zz=1",
    ],
)
async def test_a_path_that_is_no_text_is_malformed(asked: Asked, path: str) -> None:
    assert_refused(await asked.get(path), 400, "MALFORMED_PATH", 3)


@pytest.mark.parametrize("text", ["%EA%B9%80", "%F0%9F%8D%A3", "%C3%A9", "%ED%9F%BF", "%F4%8F%BF%BF", "~!$&'()"])
async def test_any_text_may_be_in_a_path(asked: Asked, text: str) -> None:
    assert (await asked.get(f"{RECEPTIONS}/{text}")).status == 200


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "query", ["nope=1", "pageSize=abc", "pageSize=1.5", "pageSize=99999999999", "states=NOPE", "parent.x=1"]
)
async def test_a_query_that_does_not_fit_the_message_is_malformed(asked: Asked, query: str) -> None:
    assert_refused(await asked.get(f"{RECEPTIONS}?{query}"), 400, "MALFORMED_REQUEST", 3)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    "body",
    [
        *("{", "{bad", '{"partySize":1}x', '{"partySize":1}{}', "[]", '"x"', "7", "\x00", "<x/>"),
        *('{"partySize":NaN}', '{"partySize":1e400}', '{"partySize":"a"}', '{"partySize":1.5}'),
        *('{"partySize":true}', '{"partySize":{}}', '{"partySize":2147483648}', '{"state":"NOPE"}'),
        *('{"createTime":"yesterday"}', '{"createTime":"10000-01-01T00:00:00Z"}', '{"customer":"\\ud800"}'),
        *(b'{"customer":"\xff"}', b'{"customer":"\xc0\xaf"}', b'\xef\xbb\xbf{"partySize":1}'),
        '{"reception":' * 2000 + "{}" + "}" * 2000,
    ],
)
async def test_a_body_that_is_not_the_message_is_malformed(asked: Asked, body: str | bytes) -> None:
    assert_refused(await asked.ask("POST", RECEPTIONS, data=body), 400, "MALFORMED_REQUEST", 3)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("body", ["null", "[]", '"x"', "7"])
async def test_a_body_that_is_the_whole_message_must_be_an_object(asked: Asked, body: str) -> None:
    assert_refused(await asked.ask("POST", "/v1/stores/s1:open", data=body), 400, "MALFORMED_REQUEST", 3)


@pytest.mark.usefixtures("untouched")
async def test_a_body_with_another_store_than_the_path_is_malformed(asked: Asked) -> None:
    body = '{"name":"stores/other"}'
    answer = await asked.ask("POST", "/v1/stores/s1:open", data=body)
    assert_refused(answer, 400, "MALFORMED_REQUEST", 3)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_over_64_kib_is_too_large(asked: Asked, chunked: bool) -> None:
    body = b'{"section":"' + b"x" * 70_000 + b'"}'
    answer = await asked.ask("POST", RECEPTIONS, data=body, chunked=chunked or None)
    assert_refused(answer, 413, "BODY_TOO_LARGE", 3)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("kind", ["application/grpcx", "application/grpc-web", "application/grpc-web+json"])
async def test_what_only_looks_like_grpc_is_no_exception(asked: Asked, kind: str) -> None:
    body = b'{"section":"' + b"x" * 70_000 + b'"}'
    answer = await asked.ask("POST", RECEPTIONS, data=body, headers={"content-type": kind})
    assert_refused(answer, 413, "BODY_TOO_LARGE", 3)
    assert answer.headers.items() >= PLAIN_HEADERS.items()


async def test_a_body_of_just_under_64_kib_passes(asked: Asked) -> None:
    body = '{"section":"' + "x" * 65_000 + '"}'
    assert (await asked.ask("POST", RECEPTIONS, data=body)).status == 200


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (f"{RECEPTIONS}/{'a' * 20_000}", {}),
        (RECEPTIONS, {"x-large": "a" * 70_000}),
        (RECEPTIONS, {f"x-{number}": "a" for number in range(150)}),
    ],
    ids=["20 KB URL", "70 KB header", "150 headers"],
)
async def test_too_much_before_the_body_is_refused(asked: Asked, path: str, headers: dict[str, str]) -> None:
    assert_refused(await asked.get(path, headers=headers), 431, "HEADERS_TOO_LARGE", 3)


async def test_as_many_headers_as_allowed_reach_the_service_every_time(asked: Asked) -> None:
    headers = {f"x-{number:02}": "a" * 70 for number in range(85)}
    for _ in range(30):
        assert (await asked.get(RECEPTIONS, headers=headers)).status == 200


@pytest.mark.usefixtures("untouched")
async def test_a_header_name_with_an_underscore_is_malformed(asked: Asked) -> None:
    assert_refused(await asked.get(RECEPTIONS, headers={"a_b": "1"}), 400, "MALFORMED_HEADER", 3)


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GARBAGE\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET /v1/stores/s1 HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/stores/\xff HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"GET /v1/stores/s1 HTTP/1.1\r\nhost: a\r\nno colon\r\n\r\n", 400),
        (b"FOO /v1/stores/s1 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"POST /v1/stores HTTP/1.1\r\nhost: a\r\ncontent-length: -5\r\n\r\n", 400),
        (b"POST /v1/stores HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (b"POST /v1/stores HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 426),
    ],
)
async def test_even_what_is_hardly_http_is_answered_in_the_common_shape(
    asked: Asked, request_bytes: bytes, status: int
) -> None:
    heard = await raw(asked.gateway.port, request_bytes)
    head, _, body = heard.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status), heard
    headers = {"content-type": "application/json"} if b"content-type: application/json" in head else {}
    assert Answer(status, headers, body.decode()).reason == "gateway.tabling MALFORMED_REQUEST 3"


async def test_an_answer_that_takes_too_long_is_a_timeout(asked: Asked) -> None:
    answer = await asked.get(f"{RECEPTIONS}/slow")
    assert answer.status == 504
    assert answer.json["code"] == 4


@pytest.mark.usefixtures("untouched")
async def test_a_body_that_takes_too_long_is_given_up(asked: Asked) -> None:
    heard = await raw(asked.gateway.port, b"POST /v1/stores HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\n{")
    assert heard.startswith(b"HTTP/1.1 408 ")
    assert b'"REQUEST_TOO_SLOW"' in heard


@pytest.mark.parametrize(("header", "most"), [(None, 0.7), ("100m", 0.1), ("1000000H", 0.7), ("99999999H", 0.7)])
async def test_a_json_caller_has_a_deadline_that_it_can_only_shorten(
    asked: Asked, header: str | None, most: float
) -> None:
    await asked.get(f"{RECEPTIONS}/r1", headers={"grpc-timeout": header} if header else {})
    left = asked.upstream.last.seconds_left
    assert left is not None
    assert 0 < left <= most


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("header", ["0S", "00H", "1n", "19999999n", "1u", "19999u", "9m", "19m", "-5S", "-1m"])
async def test_a_deadline_that_is_as_good_as_over_begins_nothing(asked: Asked, header: str) -> None:
    for _ in range(20):
        answer = await asked.get(f"{RECEPTIONS}/r1", headers={"grpc-timeout": header})
        assert_refused(answer, 504, "TIMEOUT", 4)


async def test_malformed_requests_never_eject_a_service(asked: Asked) -> None:
    """Not even fifty of each: with two hosts a stranger could otherwise switch both off."""
    shapes: list[tuple[str, dict[str, Any]]] = [
        (f"{RECEPTIONS}/%ff", {}),
        (f"{RECEPTIONS}/%zz", {}),
        (f"{RECEPTIONS}?nope=1", {}),
        (f"{RECEPTIONS}/missing", {}),
        (f"{RECEPTIONS}/slow", {"headers": {"grpc-timeout": "5m"}}),
        (f"{RECEPTIONS}/slow", {"headers": {"grpc-timeout": "-5m"}}),
    ]
    for path, options in shapes:
        for _ in range(50):
            await asked.get(path, **options)
    assert await asked.stat("outlier_detection.ejections_detected_consecutive_gateway_failure") == 0
    assert await asked.stat("outlier_detection.ejections_detected_consecutive_local_origin_failure") == 0
    assert await asked.stat("outlier_detection.ejections_enforced_total") == 0
    assert (await asked.get(RECEPTIONS)).status == 200


async def test_a_service_that_keeps_failing_is_noticed(asked: Asked) -> None:
    for _ in range(5):
        assert (await asked.get(f"{RECEPTIONS}/failing")).status == 503
    assert await asked.stat("outlier_detection.ejections_detected_consecutive_gateway_failure") > 0
