"""As much of PromQL as it takes to say which metrics and labels an expression speaks of."""

import re
from dataclasses import dataclass, field

STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
SELECTOR = re.compile(r"([a-zA-Z_:][\w:]*)?\s*\{([^}]*)\}")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*(\d+)")
GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
RANGE = re.compile(r"\[[^\]]*\]|\boffset\s+\w+")
NAME = re.compile(r"(?<![\w.$])[a-zA-Z_:][\w:]*(?!\w)(?!\s*\()")
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}


@dataclass
class Spoken:
    """What an expression speaks of.

    `matched`: metric, label and what the label has to be; `grouped`: labels that it is grouped or joined by; `made`:
    labels that it makes itself.
    """

    metrics: set[str] = field(default_factory=set)
    matched: list[tuple[str, str, str]] = field(default_factory=list)
    grouped: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)


def spoken(expression: str) -> Spoken:
    """Take it apart."""
    found, texts = Spoken(), []

    def keep(match: re.Match[str]) -> str:
        texts.append(match[0][1:-1])
        return f" {len(texts) - 1} "

    rest = STRING.sub(keep, expression)
    for match in re.finditer(r"label_replace\s*\(", rest):
        # the last four arguments; the label that is made is the first of them
        found.made.add(texts[_texts_of_call(rest, match.end())[0]])

    def select(match: re.Match[str]) -> str:
        metric = match[1] or ""
        found.metrics.add(metric)
        found.matched += [(metric, label, texts[int(number)]) for label, number in MATCHER.findall(match[2])]
        return " "

    def group(match: re.Match[str]) -> str:
        found.grouped |= {label.strip() for label in match[2].split(",") if label.strip()}
        return " "

    rest = GROUPING.sub(group, RANGE.sub(" ", SELECTOR.sub(select, rest)))
    found.metrics |= {name for name in NAME.findall(rest) if name.lower() not in WORDS}
    return found


def _texts_of_call(rest: str, start: int) -> list[int]:
    """The numbers of the texts that are arguments of the call whose parenthesis ends at `start`."""
    depth, own, inside = 1, "", start
    while depth:
        letter = rest[inside]
        depth += (letter in "({[") - (letter in ")}]")
        own += letter if depth == 1 and letter not in "({[)}]" else ""
        inside += 1
    return [int(number) for number in re.findall(r",\s*(\d+)\s*", own)]
