"""What a gateway's container is told by its environment."""

from pathlib import Path

import pytest

from services.chassis.running import CannotRun
from services.local.gateway_main import limits, settings
from services.local.gateway_settings import Limits
from tests.entitled import KEYS

LEAST = {"TABLING_KEY": KEYS[0], "TABLING_GATEWAY_JWKS": "/keys/jwks.json"}


def test_a_gateway_that_is_told_the_least_listens_here_and_trusts_nobody() -> None:
    told = settings(LEAST)
    assert (told.key, told.issuer.jwks, told.certificate) == (KEYS[0], Path("/keys/jwks.json"), None)
    assert (told.listen_host, told.listen_port, told.balanced, told.trusted_hops) == ("127.0.0.1", 8080, False, 0)
    assert (told.access_log, told.cors_origins, told.concurrency, told.admin_port) == (None, (), 1, 0)
    assert told.reflection_upstream is None


def test_a_gateway_in_a_cluster_is_told_everything() -> None:
    told = settings(
        LEAST
        | {
            "TABLING_GATEWAY_LISTEN": "0.0.0.0:8080",
            "TABLING_GATEWAY_BALANCED": "on",
            "TABLING_GATEWAY_TRUSTED_HOPS": "1",
            "TABLING_GATEWAY_ACCESS_LOG": "/dev/stdout",
            "TABLING_GATEWAY_ADMIN_PORT": "9901",
            "TABLING_GATEWAY_REFLECTION": "on",
            "TABLING_GATEWAY_CONCURRENCY": "2",
            "TABLING_GATEWAY_CORS_ORIGINS": "https://app.tabling.example, http://localhost:5173",
        }
    )
    assert (told.listen_host, told.balanced, told.trusted_hops, told.admin_port) == ("0.0.0.0", True, 1, 9901)
    assert (told.access_log, told.concurrency, told.reflection_upstream) == (Path("/dev/stdout"), 2, "reception")
    assert told.cors_origins == ("https://app.tabling.example", "http://localhost:5173")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("TRUSTED_HOPS", "many", "TABLING_TRUSTED_HOPS must be a whole number from 0 to 8, not 'many'"),
        ("CONCURRENCY", "-1", "TABLING_CONCURRENCY must be a whole number from 0 to 256, not '-1'"),
        ("ADMIN_PORT", "70000", "TABLING_ADMIN_PORT must be a whole number from 0 to 65535, not '70000'"),
    ],
)
def test_a_wrong_value_is_told_with_what_is_wanted(name: str, value: str, text: str) -> None:
    with pytest.raises(CannotRun) as raised:
        settings(LEAST | {f"TABLING_GATEWAY_{name}": value})
    assert str(raised.value) == text.replace("TABLING_", "TABLING_GATEWAY_")


@pytest.mark.parametrize("address", ["https://issuer.example/jwks", "http://127.0.0.1:9/jwks", "http://localhost/jwks"])
def test_keys_come_by_https_or_from_this_machine(address: str) -> None:
    assert settings(LEAST | {"TABLING_GATEWAY_JWKS": address}).issuer.jwks == address


@pytest.mark.parametrize("address", ["", "http://issuer.example/jwks", "http://127.0.0.1.example/jwks"])
def test_keys_that_anybody_on_the_way_could_change_are_refused(address: str) -> None:
    with pytest.raises(CannotRun, match="https://"):
        settings(LEAST | {"TABLING_GATEWAY_JWKS": address})


def test_a_balanced_gateway_with_several_addresses_is_refused() -> None:
    with pytest.raises(CannotRun, match="one address"):
        settings(LEAST | {"TABLING_GATEWAY_BALANCED": "on", "TABLING_SEAT_TARGET": "one:9102,other:9102"})


@pytest.mark.parametrize(
    ("told", "heap"),
    [
        (None, Limits().heap_bytes),
        ("max", Limits().heap_bytes),
        (str(256 * 2**20), int(0.6 * 256 * 2**20)),
        (str(2**40), Limits().heap_bytes),
    ],
)
def test_of_a_containers_memory_a_part_is_for_requests(tmp_path: Path, told: str | None, heap: int) -> None:
    file = tmp_path / "memory.max"
    if told:
        file.write_text(f"{told}\n")
    assert limits(file).heap_bytes == heap
