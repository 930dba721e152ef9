"""Streams of requests: several under way, bounded, each answered when it is done."""

import asyncio
from collections.abc import AsyncIterator, Iterable

import pytest

from services.chassis.dialogue import Dialogue
from services.chassis.testing import eventually


class Doors:
    """Answers that come when their door is opened."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._doors: dict[str, asyncio.Event] = {}

    def open(self, *names: str) -> None:
        for name in names:
            self._doors.setdefault(name, asyncio.Event()).set()

    async def answer(self, name: str) -> str:
        self.begun.append(name)
        await self._doors.setdefault(name, asyncio.Event()).wait()
        if name == "broken":
            raise ValueError(name)
        return name.upper()

    def dialogue(self, most: int = 10) -> Dialogue[str, str]:
        """A request weighs as much as its name is long."""
        return Dialogue(self.answer, weight=len, most=most)


async def each(requests: Iterable[str], *, then: Exception | None = None) -> AsyncIterator[str]:
    for request in requests:
        yield request
    if then is not None:
        raise then


async def test_each_is_answered_as_soon_as_it_is_done() -> None:
    doors = Doors()
    answers = doors.dialogue().answers(each("abc"))
    for name in "cab":
        doors.open(name)
        assert await anext(answers) == name.upper()
    with pytest.raises(StopAsyncIteration):
        await anext(answers)


async def test_no_more_is_read_than_may_be_under_way() -> None:
    doors = Doors()
    answers = doors.dialogue(most=4).answers(each(["aa", "bb", "cc", "d", "eeeeeeee", "f"]))
    first = asyncio.ensure_future(anext(answers))
    await eventually(lambda: doors.begun == ["aa", "bb"])
    doors.open("aa")
    assert await first == "AA"
    # its caller has not come for more, so nothing says that it took the answer
    await asyncio.sleep(0)
    assert doors.begun == ["aa", "bb"]
    doors.open("bb", "cc", "d")
    assert {await anext(answers) for _ in range(3)} == {"BB", "CC", "D"}
    following = asyncio.ensure_future(anext(answers))
    # alone, even the heaviest passes
    await eventually(lambda: doors.begun[4:] == ["eeeeeeee"])
    doors.open("eeeeeeee", "f")
    assert [await following, await anext(answers)] == ["EEEEEEEE", "F"]


async def test_what_was_read_is_answered_before_the_error_that_ended_the_reading() -> None:
    doors = Doors()
    doors.open("a", "b")
    answers = doors.dialogue().answers(each("ab", then=LookupError("no more")))
    assert {await anext(answers), await anext(answers)} == {"A", "B"}
    with pytest.raises(LookupError):
        await anext(answers)


async def test_an_answer_that_fails_ends_the_dialogue_at_once() -> None:
    doors = Doors()
    doors.open("broken")
    answers = doors.dialogue().answers(each(["a", "broken"]))
    with pytest.raises(ValueError, match="broken"):
        await anext(answers)


async def test_whoever_goes_away_leaves_nothing_running() -> None:
    doors = Doors()
    doors.open("a")
    before = asyncio.all_tasks()
    answers = doors.dialogue().answers(each("abc"))
    assert await anext(answers) == "A"
    await answers.aclose()
    await eventually(lambda: asyncio.all_tasks() == before)
