"""Through the gateway as a JSON caller: paths reach their methods, answers hold what is meant to be seen."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from google.api import annotations_pb2

from services.local.gateway_routes import PUBLIC
from tests.e2e.gateway import DESCRIPTORS, ORIGIN, Asked, eventually, gateway_before_an_upstream
from tests.e2e.upstream import SERVICES
from tests.entitled import KEYS

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    web = folder / "web"
    (web / "js").mkdir(parents=True)
    (web / "index.html").write_text("<h1>줄서기</h1>", encoding="utf-8")
    (web / "js" / "app.js").write_text("export {}", encoding="utf-8")
    (web / ".secret").write_text("no", encoding="utf-8")
    async with gateway_before_an_upstream(folder, web_root=web, access_log=folder / "access.log") as it:
        yield it


def bindings() -> Iterator[Any]:
    """Every HTTP rule of the contracts: method, verb, path pattern and what of the message is the body."""
    for service in SERVICES:
        for method in service.methods if service.full_name in PUBLIC.values() else ():
            rule = method.GetOptions().Extensions[annotations_pb2.http]
            for binding in (rule, *rule.additional_bindings):
                verb = binding.WhichOneof("pattern")
                if verb is None and method.client_streaming:
                    continue  # for gRPC callers only
                pattern = getattr(binding, verb)
                yield pytest.param(method, verb.upper(), pattern, binding.body, id=f"{verb} {pattern}")


@pytest.mark.parametrize(("method", "verb", "pattern", "body"), list(bindings()))
async def test_every_path_of_the_contracts_reaches_its_method_with_the_name_it_says(
    asked: Asked, method: Any, verb: str, pattern: str, body: str
) -> None:
    if method.server_streaming:
        asked.upstream.to_watchers.put_nowait(None)
    variables = dict(re.findall(r"\{([a-z_.]+)=([^}]+)\}", pattern))
    named = {field: template.replace("*", "a-1") for field, template in variables.items()}
    path = re.sub(r"\{([a-z_.]+)=[^}]+\}", lambda found: named[found[1]], pattern)

    answer = await asked.ask(verb, path, data="{}" if body else None)

    assert answer.status == 200, answer
    assert asked.upstream.last.method == method.name
    for field, value in named.items():
        seen: Any = asked.upstream.last.request
        for part in field.split("."):
            seen = getattr(seen, part)
        assert seen == value


async def test_zeros_and_enum_names_are_in_the_answer(asked: Asked) -> None:
    answer = await asked.get("/v1/stores/s1/receptions/r1")
    assert answer.json["name"] == "stores/s1/receptions/r1"
    assert answer.json["partiesAhead"] == 0
    assert answer.json["state"] == "STATE_UNSPECIFIED"


async def test_query_parameters_reach_their_fields_in_either_spelling(asked: Asked) -> None:
    await asked.get("/v1/stores/s1/receptions?pageSize=7&customer=customers/c1&states=WAITING&states=CALLED")
    seen = asked.upstream.last.request
    assert (seen.page_size, seen.customer, list(seen.states)) == (7, "customers/c1", [2, 3])
    await asked.get("/v1/stores/s1/receptions?page_size=8")
    assert asked.upstream.last.request.page_size == 8


async def test_words_to_search_for_arrive_decoded(asked: Asked) -> None:
    await asked.get("/v1/storeViews:search?text=%EA%B9%80%EB%B0%A5+%F0%9F%8D%A3%20%2B&near.latitude=37.5")
    seen = asked.upstream.last.request
    assert (seen.text, seen.near.latitude) == ("김밥 🍣 +", 37.5)


async def test_the_body_and_the_query_fill_one_message(asked: Asked) -> None:
    body = json.dumps({"partySize": 4})
    answer = await asked.ask("POST", "/v1/stores/s1/receptions?requestId=abc&wait=1.5s", data=body)
    seen = asked.upstream.last.request
    assert answer.status == 200
    assert (seen.parent, seen.reception.party_size, seen.request_id) == ("stores/s1", 4, "abc")
    assert seen.wait.ToMilliseconds() == 1500


async def test_an_update_mask_is_a_list_of_camel_case_names(asked: Asked) -> None:
    await asked.ask("PATCH", "/v1/stores/s1/tables/t1?updateMask=displayName,capacity", data='{"capacity":4}')
    seen = asked.upstream.last.request
    assert list(seen.update_mask.paths) == ["display_name", "capacity"]
    assert (seen.table.name, seen.table.capacity) == ("stores/s1/tables/t1", 4)


@pytest.mark.parametrize("path", ["/v1/stores/s1/receptions/r1", "/v1/stores/s1/receptions/missing", "/no"])
async def test_json_answers_tell_nothing_of_the_call_inside(asked: Asked, path: str) -> None:
    answer = await asked.get(path)
    assert [name for name in answer.headers if name.startswith(("grpc-", "x-envoy-"))] == []
    assert answer.headers["server"] == "tabling"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "strict-transport-security" not in answer.headers


async def test_a_refusal_of_a_service_arrives_with_its_details(asked: Asked) -> None:
    answer = await asked.get("/v1/stores/s1/receptions/missing")
    assert answer.status == 404
    assert answer.reason == "reception.tabling RECEPTION_NOT_FOUND 5"


async def test_headers_that_only_the_inside_may_set_are_taken_away(asked: Asked) -> None:
    forged = {
        "X-Tabling-Principal": "e30",
        "x-tabling-service": "seat",
        "x-tabling-key": "guessed",
        "x-envoy-original-path": "/",
        "x-envoy-max-retries": "99",
        "x-envoy-retry-on": "5xx",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "last-event-id": "7",
    }
    await asked.get("/v1/stores/s1/receptions/r1", headers=forged)
    seen = asked.upstream.last.metadata
    assert not {"x-tabling-principal", "x-tabling-service"} & seen.keys()
    assert seen["x-tabling-key"] == KEYS[0]
    assert seen["x-envoy-original-path"] == "/v1/stores/s1/receptions/r1"
    assert "x-envoy-max-retries" not in seen
    assert "x-envoy-retry-on" not in seen
    assert seen["last-event-id"] == "7"


async def test_an_origin_on_the_list_may_read_answers_and_errors(asked: Asked) -> None:
    for path in ("/v1/stores/s1", "/v1/stores/s1/receptions/missing", "/nowhere"):
        answer = await asked.get(path, headers={"origin": ORIGIN})
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "grpc-status" in answer.headers["access-control-expose-headers"]


async def test_an_origin_on_the_list_may_send_tokens_and_json(asked: Asked) -> None:
    wish = {"origin": ORIGIN, "access-control-request-method": "POST"}
    answer = await asked.ask("OPTIONS", "/v1/stores/s1/receptions", headers=wish)
    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    allowed = answer.headers["access-control-allow-headers"]
    wanted = {"authorization", "content-type", "idempotency-key", "last-event-id", "tabling-pass"}
    assert wanted <= set(allowed.split(", "))
    assert answer.headers["access-control-allow-methods"] == "GET, POST, PATCH, DELETE"


@pytest.mark.parametrize("origin", ["https://evil.example", f"{ORIGIN}.evil.example", "null"])
async def test_an_origin_not_on_the_list_is_allowed_nothing(asked: Asked, origin: str) -> None:
    wish = {"origin": origin, "access-control-request-method": "POST"}
    preflight = await asked.ask("OPTIONS", "/v1/stores/s1/receptions", headers=wish)
    assert preflight.status == 200
    assert "access-control-allow-origin" not in preflight.headers
    answer = await asked.get("/v1/stores/s1", headers={"origin": origin})
    assert "access-control-allow-origin" not in answer.headers


async def test_the_web_client_is_served_under_its_own_paths(asked: Asked) -> None:
    for path, kind in (("/", "text/html"), ("/index.html", "text/html"), ("/js/app.js", "text/javascript")):
        answer = await asked.get(path)
        assert (answer.status, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        assert "default-src 'self'; " in answer.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert (answer.headers["referrer-policy"], answer.headers["cache-control"]) == ("same-origin", "no-cache")
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "줄서기" in (await asked.get("/")).text


async def test_the_description_of_the_api_is_there_for_everybody(asked: Asked) -> None:
    answer = await asked.get("/v1/openapi.json")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert answer.text == DESCRIPTORS.with_name("openapi.json").read_text(encoding="utf-8")
    assert answer.json["openapi"] == "3.1.0"


@pytest.mark.parametrize("path", ["/.secret", "/js/", "/js/other.js", "/js/../.secret", "/web/index.html"])
async def test_no_other_file_can_be_had(asked: Asked, path: str) -> None:
    answer = await asked.get(path)
    assert answer.status == 404
    assert answer.reason == "gateway.tabling UNKNOWN_PATH 5"


async def test_the_gateway_is_healthy_while_every_service_is(asked: Asked) -> None:
    answer = await asked.get("/healthz")
    assert (answer.status, answer.json) == (200, {"status": "SERVING"})


async def test_the_access_log_holds_paths_but_no_query(asked: Asked) -> None:
    await asked.get("/v1/stores/s1/receptions?customer=customers/nobody-must-know")
    log = asked.gateway.folder / "access.log"

    async def logged() -> str:
        return log.read_text()

    text = await eventually(logged, lambda text: '"path":"/v1/stores/s1/receptions"' in text)
    assert "nobody-must-know" not in text
