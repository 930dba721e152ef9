"""A drill of a cluster: traffic and watchers, something that happens meanwhile, and what callers noticed of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.drills.arena import SETTLING_SECONDS, Arena
from tests.drills.cluster import Cluster, Shape, running_cluster
from tests.drills.traffic import Traffic
from tests.drills.trial import FULL, Report, Trial
from tests.drills.visitor import Asked, Visitor, asked
from tests.drills.watchers import Watchers, watching

WARM = 300 if FULL else 100
"""So many requests have ended when it begins."""

RECEPTIONS_WATCHED = STORES_WATCHED = 12

Happening = Callable[[Cluster, Visitor], Awaitable[None]]
"""Something that happens to a cluster under load; returns when it is over."""


@dataclass
class Noticed:
    """What callers noticed: how every request ended, and what became of the streams.

    And what they did not: `restarts` of containers, and exit codes of pods that were taken away.
    """

    asked: Sequence[Asked]
    seconds: float
    watchers: Watchers
    restarts: Sequence[str]
    ends: set[int | None]

    @property
    def failures(self) -> list[Asked]:
        return [each for each in self.asked if each.failed]

    @property
    def failed_reads(self) -> list[Asked]:
        return [each for each in self.failures if each.is_read]

    def figures(self, what: str) -> str:
        """One line of the table."""
        took = sorted(each.seconds * 1000 for each in self.asked)
        reads = sum(each.is_read for each in self.asked)
        failed = Counter(f"{each.method} {each.code}" for each in self.failures)
        broken = Counter(self.watchers.codes)
        return (
            f"{what}: {len(took)} requests in {self.seconds:.1f} s ({len(took) / self.seconds:.0f}/s, {reads} reads),"
            f" p50/p99/longest {took[len(took) // 2]:.0f}/{took[len(took) * 99 // 100]:.0f}/{took[-1]:.0f} ms,"
            f" failed {dict(failed) or 0}; {len(self.watchers.all)} watchers, streams broken {dict(broken) or 0},"
            f" longest gap {max(self.watchers.gaps, default=0.0):.2f} s, older shown {len(self.watchers.older)}"
        )


class ClusterDrill(Trial):
    """A cluster under load, and something that happens to it."""

    def __init__(self, arena: Arena, folder: Path, what: str) -> None:
        super().__init__(arena.record, SETTLING_SECONDS)
        self.arena = arena
        self.what = what
        self._folder = folder

    async def live_through(self, happening: Happening, shape: Shape = Shape()) -> tuple[Report, Noticed]:  # noqa: B008
        """Live under load until it is over and everything has come right again; then look."""
        self.arena.sound = False
        async with running_cluster(self.arena, self._folder, shape) as cluster:
            await cluster.ready()
            async with Visitor(cluster, self.record) as client:
                noticed = await self._suffer(happening, cluster, client)
                over = time.monotonic()
                report = await self.come_right(
                    client, cluster.site, f"cluster: {self.what}", "", lasting=noticed.seconds, since=over
                )
        self.arena.sound = not report.findings
        return report, noticed

    async def _suffer(self, happening: Happening, cluster: Cluster, client: Visitor) -> Noticed:
        traffic = Traffic(client)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(traffic.run())
            await asked(client, WARM)
            async with watching(cluster, self.record, RECEPTIONS_WATCHED, STORES_WATCHED) as watchers:
                client.asked.clear()
                began = time.monotonic()
                try:
                    await happening(cluster, client)
                finally:
                    traffic.end()
                await running
                noticed = Noticed(
                    list(client.asked), time.monotonic() - began, watchers, cluster.restarts, cluster.ends
                )
                self.note_doubtful()
                await watchers.see_the_newest(client)
        return noticed
