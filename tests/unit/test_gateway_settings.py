"""What a gateway's container is told by its environment."""

from pathlib import Path

import pytest

from services.chassis.running import CannotRun
from services.local.gateway_main import settings


def test_a_gateway_that_is_told_nothing_listens_here_and_trusts_nobody() -> None:
    told = settings({})
    assert (told.listen_host, told.listen_port, told.balanced, told.trusted_hops) == ("127.0.0.1", 8080, False, 0)
    assert (told.access_log, told.cors_origins, told.concurrency, told.admin_port) == (None, (), 1, 0)


def test_a_gateway_in_a_cluster_is_told_everything() -> None:
    told = settings(
        {
            "TABLING_GATEWAY_LISTEN": "0.0.0.0:8080",
            "TABLING_GATEWAY_BALANCED": "on",
            "TABLING_GATEWAY_TRUSTED_HOPS": "1",
            "TABLING_GATEWAY_ACCESS_LOG": "/dev/stdout",
            "TABLING_GATEWAY_ADMIN_PORT": "9901",
            "TABLING_GATEWAY_CONCURRENCY": "2",
            "TABLING_GATEWAY_CORS_ORIGINS": "https://app.tabling.example, http://localhost:5173",
        }
    )
    assert (told.listen_host, told.balanced, told.trusted_hops, told.admin_port) == ("0.0.0.0", True, 1, 9901)
    assert (told.access_log, told.concurrency) == (Path("/dev/stdout"), 2)
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
        settings({f"TABLING_GATEWAY_{name}": value})
    assert str(raised.value) == text.replace("TABLING_", "TABLING_GATEWAY_")


def test_a_balanced_gateway_with_several_addresses_is_refused() -> None:
    with pytest.raises(CannotRun, match="one address"):
        settings({"TABLING_GATEWAY_BALANCED": "on", "TABLING_SEAT_TARGET": "one:9102,other:9102"})
