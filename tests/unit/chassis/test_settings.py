"""Settings: what the environment says, or a text that tells what it should say."""

import pytest

from services.chassis.settings import SettingsError, from_environment
from tests.entitled import ENVIRONMENT

WRONG = [
    ("TABLING_LISTEN", "9101", "TABLING_LISTEN must be host:port, not '9101'"),
    ("TABLING_LISTEN", "localhost:99999", "TABLING_LISTEN must be host:port, not 'localhost:99999'"),
    ("TABLING_SEAT_LISTEN", "localhost:http", "TABLING_SEAT_LISTEN must be host:port, not 'localhost:http'"),
    ("TABLING_DRAIN_SECONDS", "soon", "TABLING_DRAIN_SECONDS must be a number of seconds, not 'soon'"),
    ("TABLING_DRAIN_SECONDS", "-1", "TABLING_DRAIN_SECONDS must be a number of seconds, not '-1'"),
    ("TABLING_HEARTBEAT_SECONDS", "nan", "TABLING_HEARTBEAT_SECONDS must be a number of seconds, not 'nan'"),
    ("TABLING_CONTACT_DAYS", "0", "TABLING_CONTACT_DAYS must be a number of days from 1 to 3650, not '0'"),
    ("TABLING_NOTICE_DAYS", "ever", "TABLING_NOTICE_DAYS must be a number of days from 1 to 3650, not 'ever'"),
    ("TABLING_REFLECTION", "perhaps", "TABLING_REFLECTION must be on or off, not 'perhaps'"),
    ("TABLING_KAKAO_URL", "kakao:80", "TABLING_KAKAO_URL must be an http:// or https:// address, not 'kakao:80'"),
    ("TABLING_METRICS_LISTEN", "9201", "TABLING_METRICS_LISTEN must be host:port, not '9201'"),
    ("TABLING_REQUEST_LOG", "some", "TABLING_REQUEST_LOG must be one of refused, changes, all, not 'some'"),
    ("TABLING_TRACES", "jaeger:4317", "TABLING_TRACES must be an http:// or https:// address, not 'jaeger:4317'"),
    ("TABLING_TRACES_SHARE", "2", "TABLING_TRACES_SHARE must be a number from 0 to 1, not '2'"),
    (
        "TABLING_LOG_LEVEL",
        "loud",
        "TABLING_LOG_LEVEL must be one of DEBUG, INFO, WARNING, ERROR, CRITICAL, not 'loud'",
    ),
]


def test_nothing_has_to_be_said() -> None:
    settings = from_environment("seat", ENVIRONMENT)
    assert (settings.listen, str(settings.database)) == ("127.0.0.1:9102", "data/seat.db")
    assert settings.upstreams["reception"] == "127.0.0.1:9101"


@pytest.mark.parametrize("variable", ["TABLING_KEY", "TABLING_PASS_KEY", "TABLING_PHONE_KEY"])
@pytest.mark.parametrize(("value", "wanted"), [("", "must hold one key or more"), ("short", "of 32 characters")])
def test_there_is_no_way_to_do_without_keys(variable: str, value: str, wanted: str) -> None:
    with pytest.raises(SettingsError, match=f"{variable} .*{wanted}"):
        from_environment("reception", {**ENVIRONMENT, variable: value})


def test_several_keys_are_told_with_blanks_between() -> None:
    told = from_environment("seat", {**ENVIRONMENT, "TABLING_KEY": f"{'a' * 32} {'b' * 32}\n"})
    assert told.keys == ("a" * 32, "b" * 32)


def test_what_is_said_to_one_service_outdoes_what_is_said_to_all() -> None:
    environment = {
        **ENVIRONMENT,
        "TABLING_LOG_LEVEL": "error",
        "TABLING_SEAT_LOG_LEVEL": "debug",
        "TABLING_REFLECTION": "Off",
    }
    assert from_environment("seat", environment).log_level == "DEBUG"
    assert from_environment("reception", environment).log_level == "ERROR"
    assert from_environment("seat", environment).reflection is False


@pytest.mark.parametrize(("name", "value", "text"), WRONG)
def test_a_wrong_value_is_told_with_what_is_wanted(name: str, value: str, text: str) -> None:
    with pytest.raises(SettingsError) as raised:
        from_environment("seat", {**ENVIRONMENT, name: value})
    assert str(raised.value) == text
