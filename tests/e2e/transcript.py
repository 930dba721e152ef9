"""A document's commands and the answers shown below them, where `…` stands for whatever is left out."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

LEFT_OUT = "…"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STRING_OR_MARK = re.compile(r'"(?:[^"\\]|\\.)*"|…')
MEMBER = re.compile(r'[{,]\s*"…"(?=\s*[,}])')


@dataclass(frozen=True)
class Step:
    """One block of commands and the JSON shown for it; none shown means that any answer will do."""

    commands: str
    shown: tuple[Any, ...]


def steps(document: str) -> Iterator[Step]:
    """Every `sh` block of a document with the `json` block that follows it."""
    blocks = BLOCK.findall(document)
    for (language, text), (next_language, next_text) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "sh":
            yield Step(text, tuple(objects(quoted(next_text))) if next_language == "json" else ())


def quoted(shown: str) -> str:
    """JSON in which `…` may stand bare, as JSON: `…` as a string, and as a member of its own in an object."""
    text = STRING_OR_MARK.sub(lambda found: f'"{LEFT_OUT}"' if found[0] == LEFT_OUT else found[0], shown)
    return MEMBER.sub(lambda found: f'{found[0]}: "{LEFT_OUT}"', text)


def objects(text: str) -> Iterator[Any]:
    """JSON values that follow each other."""
    rest = text.strip()
    while rest:
        value, end = json.JSONDecoder().raw_decode(rest)
        yield value
        rest = rest[end:].lstrip()


def differences(shown: Any, seen: Any, where: str = "") -> Iterator[str]:
    """Where an answer is not as shown."""
    if shown == LEFT_OUT:
        return
    if isinstance(shown, dict) and isinstance(seen, dict):
        yield from _differing_members(shown, seen, where)
    elif isinstance(shown, list) and isinstance(seen, list):
        yield from _differing_items(shown, seen, where)
    elif isinstance(shown, str) and isinstance(seen, str):
        if not re.fullmatch(".*".join(map(re.escape, shown.split(LEFT_OUT))), seen, re.DOTALL):
            yield f"{where} is {seen!r}, shown {shown!r}"
    elif type(shown) is not type(seen) or shown != seen:
        yield f"{where} is {seen!r}, shown {shown!r}"


def _differing_members(shown: dict[str, Any], seen: dict[str, Any], where: str) -> Iterator[str]:
    wanted = {key: value for key, value in shown.items() if key != LEFT_OUT}
    for key in wanted.keys() - seen.keys():
        yield f"{where}.{key} is not there"
    for key in seen.keys() - wanted.keys() if LEFT_OUT not in shown else ():
        yield f"{where}.{key} is not shown"
    for key in wanted.keys() & seen.keys():
        yield from differences(wanted[key], seen[key], f"{where}.{key}")


def _differing_items(shown: list[Any], seen: list[Any], where: str) -> Iterator[str]:
    open_end = shown[-1:] == [LEFT_OUT]
    wanted = shown[:-1] if open_end else shown
    if len(seen) < len(wanted) or (len(seen) > len(wanted) and not open_end):
        yield f"{where} has {len(seen)} items, shown are {len(wanted)}"
    for index, (one, other) in enumerate(zip(wanted, seen, strict=False)):
        yield from differences(one, other, f"{where}[{index}]")
