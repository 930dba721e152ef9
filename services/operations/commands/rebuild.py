"""`rebuild`: a read model put right by what its sources say now."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from services.chassis.running import CannotRun
from services.operations import printing
from services.operations.catalogue import require
from services.operations.commands.options import Data, Format
from services.operations.databases import opened
from services.operations.printing import Output
from services.operations.surroundings import surroundings

if TYPE_CHECKING:
    from services.chassis.settings import Settings
    from services.dashboard.application.rebuild import Rebuilt


class ReadModel(StrEnum):
    """What can be made anew."""

    DASHBOARD = "dashboard"


class NotRebuilt(CannotRun):
    """A source cannot be read. What was put right so far stays; running it again goes on."""


def rebuild(
    model: Annotated[ReadModel, typer.Argument(help="Which read model.", show_default=False)],
    data: Data = None,
    output: Format = Output.TABLE,
) -> None:
    """Put a read model right by what its sources say now, row by row, while it is shown and events arrive.

    It may be stopped at any moment and run again. The services that it reads from have to run.
    """
    require(model)
    settings = surroundings(data).settings(model)
    with printing.console(stderr=True).status(f"{model}: …") as status:
        done = asyncio.run(_dashboard(settings, lambda so_far: status.update(f"{model}: {_told(so_far)}")))
    if output is Output.JSON:
        printing.whole({"told": done.told, "mended": done.mended, "forgotten": done.forgotten})
    else:
        print(f"{model}: {_told(done)}.")


async def _dashboard(settings: "Settings", progress: "Callable[[Rebuilt], None]") -> "Rebuilt":
    from services.dashboard.adapters.feeds import FeedUnavailable
    from services.dashboard.application.rebuild import NeverRight
    from services.dashboard.rebuild import rebuild as put_right

    try:
        async with opened("dashboard", settings.database) as database:
            return await put_right(database, settings.upstreams, settings.keys, progress)
    except (FeedUnavailable, NeverRight) as error:
        raise NotRebuilt(f"not rebuilt: {error}. Run it again once that is mended") from error


def _told(done: "Rebuilt") -> str:
    return f"{done.told} rows compared, {done.mended} put right, {done.forgotten} that no source knows removed"
