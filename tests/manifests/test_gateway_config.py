"""Envoy's configuration of the gateway: Envoy itself accepts it, and it says what it has to."""

import asyncio
import re
import resource
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.chassis.settings import from_environment
from services.local import certificates
from services.local.gateway import envoy_binary, render, render_certificate
from services.local.gateway_routes import PUBLIC, public_methods
from services.local.gateway_settings import ISSUER, GatewaySettings, Issuer, Limits
from tests.e2e.gateway import NOBODY
from tests.entitled import ENVIRONMENT, KEYS

DESCRIPTORS = Path(__file__).resolve().parents[2] / "gen" / "tabling.pb"

SETTINGS: dict[str, dict[str, Any]] = {
    "least": {},
    "everything": {
        "listen_host": "0.0.0.0",
        "cors_origins": ("https://app.tabling.example", "http://localhost:5173"),
        "access_log": Path("/dev/stdout"),
        "reflection_upstream": "reception",
        "trusted_hops": 1,
        "web_root": Path(__file__).parent,
    },
    "balanced": {"balanced": True, "reflection_upstream": "reception"},
    "an issuer that is asked": {"issuer": Issuer(name="https://issuer.example", jwks="https://issuer.example/jwks")},
    "IPv6": {"listen_host": "::1", "upstreams": dict.fromkeys(PUBLIC, "[::1]:9100")},
}


def settings(**options: Any) -> GatewaySettings:
    upstreams = {name: f"{name}.tabling.svc.cluster.local:{9101 + i}" for i, name in enumerate(PUBLIC)}
    issuer = Issuer(name=ISSUER, jwks=NOBODY)
    defaults: dict[str, Any] = {
        "descriptors": DESCRIPTORS,
        "upstreams": upstreams,
        "issuer": issuer,
        "key": KEYS[0],
    }
    return GatewaySettings(**(defaults | options))


@pytest.mark.parametrize("options", SETTINGS.values(), ids=SETTINGS.keys())
async def test_envoy_accepts_the_configuration(tmp_path: Path, options: dict[str, Any]) -> None:
    await accepted(tmp_path, render(settings(**options)))


async def test_envoy_accepts_a_certificate(tmp_path: Path) -> None:
    certificate = certificates.of(tmp_path)
    file = tmp_path / "certificate.json"
    file.write_text(render_certificate(certificate))
    await accepted(tmp_path, render(settings(certificate=certificate), file))


async def accepted(folder: Path, text: str) -> None:
    config = folder / "gateway.yaml"
    config.write_text(text, encoding="utf-8")
    envoy = await asyncio.create_subprocess_exec(
        *(str(envoy_binary()), "--mode", "validate", "--config-path", str(config), "--log-level", "warning"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    async with asyncio.timeout(20):
        said, _ = await envoy.communicate()
    assert envoy.returncode == 0, said.decode()
    assert "deprecated" not in said.decode()
    assert "work-in-progress" not in said.decode()


def test_every_method_has_a_route_and_no_other_service_has_one() -> None:
    config = render(settings())
    methods = list(public_methods(DESCRIPTORS))
    assert {method.upstream for method in methods} == PUBLIC.keys()
    assert all(f"match: {{path: {method.path}, grpc: {{}}}}" in config for method in methods)
    for inside in ("ContactService", "EventFeedService", "grpc.reflection"):
        assert inside not in config


def test_only_streams_may_take_longer_than_ten_seconds() -> None:
    streams = [method.path for method in public_methods(DESCRIPTORS) if method.is_stream]
    assert [path.rpartition("/")[2] for path in streams] == ["WatchStore", "CreateReceptions", "WatchReception"]
    routes = render(settings()).split("              - match: {path: ")[1:]
    long = [route.split(",")[0] for route in routes if "{max_stream_duration: 14400s" in route]
    assert sorted(long) == sorted(streams)
    assert all("{max_stream_duration: 10s" in route for route in routes if route.split(",")[0] not in long)


def test_only_reads_are_tried_again() -> None:
    routes = render(settings()).split("              - match: {path: ")[1:]
    again = {route.split(",")[0].rpartition("/")[2] for route in routes if "retry_policy" in route}
    assert again == {
        *("GetReception", "ListReceptions", "GetPlace", "GetPresenceCode", "GetTable", "ListTables", "CheckSeats"),
        *("GetAvailability", "GetStore", "ListStores", "GetOrder", "ListOrders", "SearchStores"),
        *("GetStoreView", "GetStoreBoard", "GetDayFigures", "GetPresenceCode", "GetNotice", "ListNotices"),
    }


def test_without_an_origin_on_the_list_nobody_is_allowed() -> None:
    assert "allow_origin_string_match: []" in render(settings())


def test_a_balanced_gateway_leaves_it_to_others_who_is_well() -> None:
    config = render(settings(balanced=True))
    for own in ("health_checks:", "outlier_detection:", "cluster_min_healthy_percentages:", "previous_hosts"):
        assert own in render(settings())
        assert own not in config


def test_a_balanced_gateway_calls_services_by_the_names_that_those_who_balance_know() -> None:
    routes = render(settings(balanced=True)).split("              - match: {path: ")[1:]
    for route in routes:
        [upstream] = re.findall(r"cluster: (\w+?)(?:-streams)?$", route, re.MULTILINE)[:1]
        assert f'host_rewrite_literal: "{upstream}.tabling.svc.cluster.local:' in route


def test_a_balanced_upstream_is_one_address() -> None:
    with pytest.raises(ValueError, match="one address"):
        settings(balanced=True, upstreams=dict.fromkeys(PUBLIC, "one:9100,other:9100"))


def test_a_key_that_is_taken_away_counts_no_longer_for_tokens_seen_before() -> None:
    """Envoy's cache of tokens goes on when keys change, so it is for keys that do not change while Envoy runs."""
    assert "jwt_cache_config" in render(settings())
    asked = Issuer(name="https://issuer.example", jwks="https://issuer.example/jwks")
    assert "jwt_cache_config" not in render(settings(issuer=asked))


def test_no_more_connections_than_files_may_be_open() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert connections(Limits(connections=100)) == 100
    assert connections(Limits(connections=hard)) < hard


def test_heartbeats_keep_a_stream_even_when_memory_is_short() -> None:
    [reduced] = [
        action for action in configured()["overload_manager"]["actions"] if action["name"].endswith("reduce_timeouts")
    ]
    heartbeat = from_environment("reception", ENVIRONMENT).heartbeat_seconds
    least = {each["timer"]: each["min_timeout"] for each in reduced["typed_config"]["timer_scale_factors"]}
    assert float(least["HTTP_DOWNSTREAM_STREAM_IDLE"].removesuffix("s")) > heartbeat


def test_before_anybody_is_refused_those_who_only_wait_wait_less() -> None:
    thresholds = {}
    for action in configured()["overload_manager"]["actions"]:
        [trigger] = action["triggers"]
        thresholds[action["name"].rpartition(".")[2]] = (
            trigger["scaled"]["scaling_threshold"] if "scaled" in trigger else trigger["threshold"]["value"]
        )
    assert sorted(thresholds, key=thresholds.__getitem__) == [
        *("reduce_timeouts", "shrink_heap", "reset_high_memory_stream", "disable_http_keepalive"),
        "stop_accepting_requests",
    ]


def connections(limits: Limits) -> int:
    [told] = [
        monitor["typed_config"]["max_active_downstream_connections"]
        for monitor in configured(limits=limits)["overload_manager"]["resource_monitors"]
        if "max_connections" in monitor["name"]
    ]
    return int(told)


def configured(**options: Any) -> dict[str, Any]:
    told: dict[str, Any] = yaml.safe_load(render(settings(**options)))
    return told
