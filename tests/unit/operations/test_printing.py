"""What the operators' commands print."""

from datetime import UTC, datetime, timedelta

import pytest

from services.operations import printing
from services.operations.printing import Output, age, counted, masked

ROWS = [
    {
        "id": "x" * 100,
        "at": datetime(2026, 3, 2, tzinfo=UTC),
        "age": timedelta(minutes=3),
        "all": ["a", "b"],
        "no": None,
    }
]


def test_people_get_a_table_whose_ids_are_whole(capsys: pytest.CaptureFixture[str]) -> None:
    printing.rows(Output.TABLE, ("id", "at", "age", "all", "no"), ROWS, "nothing")
    line = capsys.readouterr().out.splitlines()[-2]
    assert line.split() == ["x" * 100, "2026-03-02", "00:00:00", "3", "min", "a,", "b"]


def test_scripts_get_json_with_seconds_and_times(capsys: pytest.CaptureFixture[str]) -> None:
    printing.rows(Output.JSON, ("id",), ROWS, "nothing")
    out = capsys.readouterr().out
    assert '"at": "2026-03-02T00:00:00Z"' in out
    assert '"age": 180.0' in out


def test_nothing_is_said_in_words_to_people_and_as_an_empty_list_to_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    printing.rows(Output.TABLE, ("id",), [], "no dead letters")
    printing.rows(Output.JSON, ("id",), [], "no dead letters")
    assert capsys.readouterr().out == "no dead letters\n[]\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("amqp://tabling:secret@host:5672/vhost", "amqp://tabling:…@host:5672/vhost"),
        ("postgresql://u:s:e/c@r@host/db", "postgresql://u:…@host/db"),
        ("http://127.0.0.1:9190", "http://127.0.0.1:9190"),
        ("amqp://guest@host/", "amqp://guest@host/"),
        ("127.0.0.1:9101", "127.0.0.1:9101"),
    ],
)
def test_a_password_is_never_shown(value: str, shown: str) -> None:
    assert masked(value) == shown


def test_ages_come_in_the_unit_that_fits() -> None:
    assert [age(timedelta(seconds=s)) for s in (0.25, 119, 120, 7200, 200_000)] == [
        "0.2 s",
        "119.0 s",
        "2 min",
        "2 h",
        "2 d",
    ]


def test_one_is_not_many() -> None:
    assert (counted(1, "envelope"), counted(2, "envelope"), counted(0, "envelope")) == (
        "1 envelope",
        "2 envelopes",
        "0 envelopes",
    )
