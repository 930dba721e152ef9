"""Registered templates: the vendor sends nothing but these, filled in."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from services.kakao.body import text
from services.kakao.codes import BUTTON_VARIABLE, LINK
from services.kakao.errors import Invalid, Refused

MOST_TEMPLATES = 1_000
MOST_CHARACTERS = 1_000
MOST_VARIABLES = 39
MOST_BUTTONS = 5

_variable = re.compile(r"#\{([^#{}]{1,50})\}")
_code = re.compile(r"[A-Za-z0-9_-]{1,20}")
_BUTTON_TYPES = frozenset(("WL", "AL", "DS", "BK", "MD", "BC", "BT", "AC", "BF", "TN"))


def _none(values: Mapping[str, str]) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text with #{variables}."""

    variables: tuple[str, ...]
    filling: str
    values: Callable[[Mapping[str, str]], str | tuple[str, ...]]

    @classmethod
    def of(cls, field: str, content: str) -> "Pattern":
        parts = _variable.split(content)
        if any("#{" in part for part in parts[::2]):
            raise Invalid(f"'{field}' has a variable that is not written #{{name}}")
        variables = tuple(parts[1::2])
        values = itemgetter(*variables) if variables else _none
        return cls(variables, "%s".join(part.replace("%", "%%") for part in parts[::2]), values)

    def fill(self, values: Mapping[str, str]) -> str:
        return self.filling % self.values(values)


@dataclass(frozen=True, slots=True)
class Button:
    """What can be pressed below a message; `link` is empty when it leads nowhere on the web."""

    name: str
    link: str


@dataclass(frozen=True, slots=True)
class Template:
    """What was registered, ready to be filled in."""

    content: Pattern
    buttons: tuple[tuple[str, Pattern], ...]
    variables: frozenset[str]
    given: Mapping[str, Any]

    def text(self, values: object) -> str | None:
        """The text of a message; None unless there is a string for each variable and nothing else."""
        if not isinstance(values, dict) or values.keys() != self.variables:
            return None
        for value in values.values():
            if type(value) is not str:
                return None
        return self.content.fill(values)

    def buttons_with(self, values: Mapping[str, str]) -> tuple[Button, ...]:
        return tuple([Button(name, link.fill(values)) for name, link in self.buttons]) if self.buttons else ()


def read_template(given: Mapping[str, Any]) -> tuple[str, Template]:
    """The code and the template in a request to register one."""
    content = dict(given)
    code = text(content, "templateCode", 20)
    if not _code.fullmatch(code):
        raise Invalid("'templateCode' may hold letters, digits, - and _ only")
    pattern = Pattern.of("templateContent", text(content, "templateContent", MOST_CHARACTERS))
    buttons = _read_buttons(content.get("buttons"))
    variables = frozenset(pattern.variables).union(*[link.variables for _, link in buttons])
    if len(variables) > MOST_VARIABLES:
        raise Invalid(f"'templateContent' must have fewer than 40 variables, not {len(variables)}")
    return code, Template(pattern, buttons, variables, given)


def _read_buttons(given: object) -> tuple[tuple[str, Pattern], ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or not all(isinstance(button, dict) for button in given):
        raise Invalid("'buttons' must be a list of objects")
    if len(given) > MOST_BUTTONS:
        raise Invalid(f"'buttons' must be at most {MOST_BUTTONS}, not {len(given)}")
    return tuple(_read_button(button) for button in given)


def _read_button(given: dict[str, Any]) -> tuple[str, Pattern]:
    if given.get("type") not in _BUTTON_TYPES:
        raise Invalid(f"'buttons.type' must be one of {', '.join(sorted(_BUTTON_TYPES))}")
    name = text(given, "name", 14)
    if "#{" in name:
        raise Refused(400, BUTTON_VARIABLE, "The button name can't include the replacement parameter.")
    if given["type"] != "WL":
        return name, Pattern.of("buttons", "")
    link = text(given, "linkMo", 500)
    if not link.startswith(("http://", "https://")):
        raise Refused(400, LINK, "The linkMo/linkPc must include http:// or https://")
    return name, Pattern.of("buttons.linkMo", link)
