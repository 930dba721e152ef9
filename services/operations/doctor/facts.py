"""What is asked of a database's own settings, and how an answer is judged."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection

from services.operations.doctor.finding import Severity

Judged = tuple[Severity, str, str]
"""How bad, what is found, what to do."""

Look = Callable[[Connection], Iterator[Judged]]
Facts = Callable[[Connection], Any]


class Rule(NamedTuple):
    """A setting of a server, the values that are right, and what a wrong one does."""

    name: str
    right: Callable[[str], bool]
    severity: Severity
    harm: str
    fix: str


def judge(rules: tuple[Rule, ...], values: Mapping[str, str]) -> Iterator[Judged]:
    """The rules that are broken; a setting that the server does not have breaks none."""
    for rule in rules:
        value = values.get(rule.name)
        if value is not None and not rule.right(value):
            yield rule.severity, f"{rule.name} is {value or 'empty'}: {rule.harm}", rule.fix


def one_of(*right: str) -> Callable[[str], bool]:
    """Right is one of these."""
    return lambda value: value.lower() in right


def at_least(least: int) -> Callable[[str], bool]:
    """Right is a number from `least` on."""
    return lambda value: int(value) >= least
