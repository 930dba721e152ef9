"""`dead-letters`: events that a consumer could not apply, put aside alone."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from services.chassis.running import CannotRun
from services.chassis.settings import Settings
from services.operations import events, printing
from services.operations.catalogue import chosen
from services.operations.commands.options import Data, Format, Service, ServiceOption
from services.operations.databases import all_opened
from services.operations.letters import DeadLetter, Letters, TableLetters
from services.operations.printing import Output, counted
from services.operations.surroundings import surroundings

app = typer.Typer(help="Events that a consumer could not apply: look at them, send them again, give them up.")

NEVER = datetime.min.replace(tzinfo=UTC)
LISTED = ("consumer", "id", "type", "subject", "reason", "attempts", "died_at", "place")

Id: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="The event's id.", show_default=False)]
OptionalId: TypeAlias = Annotated[
    str | None, typer.Argument(metavar="[ID]", help="The event's id.", show_default=False)
]


class NoSuchLetter(CannotRun):
    """No such event is among the dead letters."""


@app.command("list")
def list_(service: Service = None, data: Data = None, output: Format = Output.TABLE) -> None:
    """All dead letters, the oldest first."""
    found = sorted(asyncio.run(_all(data, service)), key=lambda letter: letter.died_at or NEVER)
    printing.rows(output, LISTED, [_summary(letter) for letter in found], "no dead letters")


@app.command()
def show(id_: Id, service: ServiceOption = None, data: Data = None, output: Format = Output.TABLE) -> None:
    """A dead letter with what the event says. JSON in either format."""
    found = [letter for letter in asyncio.run(_all(data, service)) if letter.id == id_]
    if not found:
        raise _missing(id_)
    printing.whole(
        [_summary(letter) | {"events": [events.whole(event) for event in letter.events]} for letter in found]
    )


@app.command()
def resend(
    id_: OptionalId = None,
    all_: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    service: ServiceOption = None,
    data: Data = None,
    output: Format = Output.TABLE,
) -> None:
    """Let the consumer try an event again, once what was in its way is mended."""
    _require_one(id_, all_)
    done = asyncio.run(_change(data, service, id_, lambda letters, ids: letters.resend(ids)))
    _report(output, "resent", "sent again", done, id_)


@app.command()
def drop(
    id_: OptionalId = None,
    all_: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    service: ServiceOption = None,
    data: Data = None,
    output: Format = Output.TABLE,
) -> None:
    """Give an event up for good: what it told never takes effect at its consumer."""
    _require_one(id_, all_)
    if not yes:
        if not sys.stdin.isatty():
            raise typer.BadParameter("there is nobody to ask: add --yes")
        typer.confirm(f"Give up {'all dead letters' if all_ else id_} for good?", abort=True)
    done = asyncio.run(_change(data, service, id_, lambda letters, ids: letters.drop(ids)))
    _report(output, "dropped", "dropped", done, id_)


async def _all(data: Path | None, service: str | None) -> list[DeadLetter]:
    async with _letters(data, service) as places:
        return [letter for letters in places for letter in await letters.all()]


async def _change(
    data: Path | None,
    service: str | None,
    id_: str | None,
    do: Callable[[Letters, Collection[str]], Awaitable[int]],
) -> int:
    """Do it to one letter, or to all that are there now; gives to how many."""
    done = 0
    async with _letters(data, service) as places:
        for letters in places:
            ids = [letter.id for letter in await letters.all() if id_ in (None, letter.id)]
            if ids:
                done += await do(letters, ids)
    return done


@asynccontextmanager
async def _letters(data: Path | None, service: str | None) -> AsyncIterator[Iterable[Letters]]:
    """Every place where dead letters may be: the services' databases, and the broker where there is one."""
    around = surroundings(data)
    settings = [around.settings(name) for name in chosen(service)]
    async with all_opened(around, chosen(service)) as databases:
        tables = [TableLetters(name, database) for name, database in databases.items()]
        yield [*tables, *(_queue(each) for each in settings if each.bus != "memory")]


def _queue(settings: Settings) -> Letters:
    from services.operations.queue_letters import QueueLetters  # a library that is loaded only to be used

    return QueueLetters(settings.service, settings.bus)


def _summary(letter: DeadLetter) -> dict[str, Any]:
    """What is said of a letter in a list."""
    told = [events.summary(event) for event in letter.events]
    facts = {name: sorted({event[name] for event in told}) for name in ("type", "subject", "correlation_id")}
    return {
        "consumer": letter.consumer,
        "id": letter.id,
        **facts,
        "reason": letter.reason,
        "attempts": letter.attempts,
        "died_at": letter.died_at,
        "place": letter.place,
    }


def _report(output: Output, key: str, words: str, done: int, id_: str | None) -> None:
    if id_ is not None and not done:
        raise _missing(id_)
    if output is Output.JSON:
        printing.whole({key: done})
    else:
        print(f"{counted(done, 'dead letter')} {words}.")


def _missing(id_: str) -> NoSuchLetter:
    return NoSuchLetter(f"no dead letter has the id {id_}: type `scripts/ops dead-letters list`")


def _require_one(id_: str | None, all_: bool) -> None:
    if (id_ is None) != all_:
        raise typer.BadParameter("name one dead letter by its id, or say --all")
