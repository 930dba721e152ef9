"""Who gets into a pod: Istio makes of our policies what a real Envoy obeys, and callers are known by certificates."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from services.chassis.callers import AUDIENCES
from services.chassis.settings import PORTS
from services.local import keys
from services.local.gateway_settings import ISSUER
from tests.manifests.test_mesh import methods, needed
from tests.mesh.certificates import Authority
from tests.mesh.control_plane import Changes
from tests.mesh.istio import GATEWAY, NAMESPACE
from tests.mesh.way_in import WayIn, way_in

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio]

SEEN_FROM_OUTSIDE = (
    "/grpc.health.v1.Health/Check",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)
"""What the gateway asks of reception besides."""

INGRESS = "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"
OURS = {name: f"cluster.local/ns/{NAMESPACE}/sa/{name}" for name in (*PORTS, GATEWAY)}
OTHERS = {
    "somebody of our namespace": f"cluster.local/ns/{NAMESPACE}/sa/default",
    "another's gateway": f"cluster.local/ns/other/sa/{GATEWAY}",
    "monitoring": "cluster.local/ns/monitoring/sa/prometheus",
    "the ingress gateway": INGRESS,
}


async def status(channel: grpc.aio.Channel, path: str, **metadata: str) -> grpc.StatusCode:
    call: Any = channel.unary_unary(path)
    try:
        await call(b"", timeout=20, metadata=tuple(metadata.items()))
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.parametrize("service", PORTS)
async def test_a_pod_answers_those_who_have_to_call_it_what_they_have_to_and_nobody_else(
    tmp_path: Path, service: str
) -> None:
    paths = [*methods(), *SEEN_FROM_OUTSIDE]
    async with way_in(tmp_path, service) as way:
        for who, principal in {**OURS, **OTHERS}.items():
            async with way.channel(principal) as channel:
                codes = await asyncio.gather(*(status(channel, path) for path in paths))
            wanted = {path for path in methods() if who in needed(service, path)}
            wanted |= set(SEEN_FROM_OUTSIDE) if (service, who) == ("reception", GATEWAY) else set()
            for path, code in zip(paths, codes, strict=True):
                assert code is (grpc.StatusCode.OK if path in wanted else grpc.StatusCode.PERMISSION_DENIED), (
                    who,
                    path,
                )


async def test_without_a_certificate_of_the_mesh_nobody_gets_to_a_pod(tmp_path: Path) -> None:
    path = "/tabling.seat.v1.SeatService/CheckSeats"
    async with way_in(tmp_path, "seat") as way:
        for stranger in (
            way.plain_channel(),
            way.channel_of_nobody(),
            way.channel(OURS[GATEWAY], Authority()),
            way.channel(OURS[GATEWAY].replace("cluster.local", "other.local")),
        ):
            async with stranger as channel:
                assert await status(channel, path) is grpc.StatusCode.UNAVAILABLE
        assert not way.pod.seen
        async with way.channel(OURS[GATEWAY]) as channel:
            assert await status(channel, path) is grpc.StatusCode.OK


@pytest.fixture
def issuer(tmp_path: Path) -> keys.Keys:
    """Who issues tokens."""
    return keys.of(tmp_path)


@pytest.fixture
async def at_the_gateway(tmp_path: Path, issuer: keys.Keys) -> AsyncIterator[WayIn]:
    """The way into our gateway's pods; Istio would fetch the issuer's keys."""
    jwks = issuer.jwks.read_text("utf-8")
    changes: Changes = {
        "RequestAuthentication": lambda spec: {
            "jwtRules": [
                {**{name: each for name, each in rule.items() if name != "jwksUri"}, "issuer": ISSUER, "jwks": jwks}
                for rule in spec["jwtRules"]
            ]
        }
    }
    async with way_in(tmp_path, GATEWAY, changes) as way:
        yield way


async def test_the_gateway_is_for_the_ingress_gateway_alone(at_the_gateway: WayIn) -> None:
    for principal in (*OURS.values(), *OTHERS.values()):
        async with at_the_gateway.channel(principal) as channel:
            is_let_in = await status(channel, "/any/thing") is grpc.StatusCode.OK
        assert is_let_in is (principal == INGRESS), principal


async def test_a_token_that_is_brought_to_the_gateway_has_to_be_good_and_goes_on_to_it(
    at_the_gateway: WayIn, issuer: keys.Keys, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = keys.of(tmp_path_factory.mktemp("stranger"))
    # one for others than us is refused by the gateway itself
    good = [issuer.token(audience, "somebody") for audience in (*AUDIENCES, "others")]
    bad = [
        issuer.token("tabling-staff", "somebody", exp=int(time.time()) - 3600),
        issuer.token("tabling-staff", "somebody", nbf=int(time.time()) + 3600),
        issuer.token("tabling-staff", "somebody", iss="other"),
        stranger.token("tabling-staff", "somebody"),
        "none",
    ]
    async with at_the_gateway.channel(INGRESS) as channel:
        for token in good:
            assert await status(channel, "/any/thing", authorization=f"Bearer {token}") is grpc.StatusCode.OK
            assert at_the_gateway.pod.seen[-1]["authorization"] == f"Bearer {token}"
        calls = len(at_the_gateway.pod.seen)
        for token in bad:
            refusal = await status(channel, "/any/thing", authorization=f"Bearer {token}")
            assert refusal is grpc.StatusCode.UNAUTHENTICATED, token
        assert len(at_the_gateway.pod.seen) == calls
        assert await status(channel, "/any/thing") is grpc.StatusCode.OK
