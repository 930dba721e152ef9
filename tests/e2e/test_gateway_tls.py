"""A gateway with a certificate: who trusts its authority comes by TLS, and nobody comes without."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import grpc
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.local import certificates
from services.local.gateway_settings import Certificate, Limits
from tests.e2e.gateway import Answer, Asked, eventually, gateway_before_an_upstream

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

STORE = "/v1/stores/s1"
HSTS = "strict-transport-security"
LONG_AGO = timedelta(days=70)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def certificate(data: Path) -> Certificate:
    """One that was made some time ago, and has to be renewed now."""
    return certificates.of(data, lambda: datetime.now(UTC) - LONG_AGO)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(data: Path, certificate: Certificate) -> AsyncIterator[Asked]:
    limits = Limits(headers_seconds=0.5)
    async with gateway_before_an_upstream(data, certificate=certificate, limits=limits) as it:
        await it.gateway.serving()
        yield it


def trusting(certificate: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate.authority)


async def get(asked: Asked, certificate: Certificate, host: str) -> Answer:
    url = f"https://{host}:{asked.gateway.port}{STORE}"
    async with asked.http.get(url, ssl=trusting(certificate)) as answer:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(answer.status, headers, await answer.text())


async def shaken(asked: Asked, context: ssl.SSLContext) -> ssl.SSLObject:
    """What came of a handshake. Raises `ssl.SSLError`, `ConnectionError`."""
    _, writer = await asyncio.open_connection("127.0.0.1", asked.gateway.port, ssl=context)
    writer.close()
    spoken: ssl.SSLObject = writer.get_extra_info("ssl_object")
    return spoken


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_who_trusts_the_authority_is_answered(asked: Asked, certificate: Certificate, host: str) -> None:
    assert (await get(asked, certificate, host)).status == 200


async def test_who_trusts_others_only_does_not_go_on(asked: Asked) -> None:
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        await asked.get(STORE)


async def test_grpc_comes_by_tls(asked: Asked, certificate: Certificate) -> None:
    credentials = grpc.ssl_channel_credentials(certificate.authority.read_bytes())
    for host in ("localhost", "127.0.0.1"):
        async with grpc.aio.secure_channel(f"{host}:{asked.gateway.port}", credentials) as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
async def test_callers_choose_the_http_that_they_speak(asked: Asked, certificate: Certificate, protocol: str) -> None:
    context = trusting(certificate)
    context.set_alpn_protocols([protocol])
    spoken = await shaken(asked, context)
    assert spoken.selected_alpn_protocol() == protocol
    assert spoken.version() == "TLSv1.3"


async def test_old_tls_is_not_spoken(asked: Asked, certificate: Certificate) -> None:
    context = trusting(certificate)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="deprecated"):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shaken(asked, context)


@pytest.mark.parametrize(
    ("ciphers", "spoken"),
    [("ECDHE-ECDSA-AES128-GCM-SHA256", True), ("ECDHE-ECDSA-AES128-SHA", False), ("ECDHE-ECDSA-AES256-SHA384", False)],
)
async def test_of_tls_1_2_only_what_is_safe_is_spoken(
    asked: Asked, certificate: Certificate, ciphers: str, spoken: bool
) -> None:
    context = trusting(certificate)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    if spoken:
        assert (await shaken(asked, context)).cipher()
    else:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await shaken(asked, context)


@pytest.mark.parametrize(
    "said", [b"GET /v1/stores/s1 HTTP/1.1\r\nhost: a\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b""]
)
async def test_nothing_is_told_to_who_does_not_shake_hands(asked: Asked, said: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", asked.gateway.port)
    writer.write(said)
    async with asyncio.timeout(20):
        assert b"HTTP" not in await reader.read()
    writer.close()


async def test_browsers_are_told_to_stay_with_tls_but_not_on_localhost_for_all_its_ports(
    asked: Asked, certificate: Certificate
) -> None:
    assert (await get(asked, certificate, "127.0.0.1")).headers[HSTS] == "max-age=31536000"
    assert HSTS not in (await get(asked, certificate, "localhost")).headers


async def test_a_renewed_certificate_is_shown_at_once(asked: Asked, data: Path, certificate: Certificate) -> None:
    async def shown() -> bytes | None:
        return (await shaken(asked, trusting(certificate))).getpeercert(binary_form=True)

    before = await shown()
    certificates.of(data)
    await eventually(shown, lambda now: now != before)
    assert (await get(asked, certificate, "localhost")).status == 200
