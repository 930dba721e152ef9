"""The sender: sees to it that every open notice is taken to the vendor, in batches, and settled."""

import asyncio
from collections import deque
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from services.chassis.clock import Clock
from services.chassis.crash import crash_point
from services.chassis.kernel import DomainError, Stale, StorageBusy, StorageFull
from services.chassis.logs import get_logger
from services.notification.application.courier import Courier, Newest, out_of_reach
from services.notification.application.notifier import ContactsUnavailable
from services.notification.application.settle_notices import Finding
from services.notification.domain.notice import ATTEMPT, Notice, Reason, State
from services.notification.entrypoints.reports import Reports

log = get_logger(__name__)

BATCHES_AT_ONCE = 4
MOST_WAITING = 20_000
DOUBTS_AT_ONCE = 100
PAGE = 1000
SWEEP = timedelta(seconds=5)
FIRST_REST = timedelta(seconds=0.25)
LONGEST_REST = timedelta(seconds=5)


class Ledger(Protocol):
    """What the sender needs of the database."""

    async def take_up(self, limit: int, without: Container[str]) -> list[Notice]:
        """Notices whose time has come and that nobody has in hand, longest due first; for `LEASE`.

        Of those in `without`, which the caller has in hand, only such whose lease ran out meanwhile.
        """

    async def keep(self, notices: Sequence[Notice]) -> list[Notice]:
        """Those of the notices, which were in hand, that still are, with time enough for an attempt."""

    async def newest(self, notices: Sequence[Notice]) -> Newest:
        """State and round of the notices' receptions, as known now."""

    async def settle(self, findings: Sequence[tuple[Notice, Finding]]) -> None:
        """Write down what was found out about notices, in one transaction. Raises `Stale` and storage errors."""


class Budgets(Protocol):
    """What the sender needs of budgets."""

    async def spend(self, notices: Sequence[tuple[Notice, str]]) -> dict[str, Reason]:
        """Pay for notices to these numbers, each once. Gives those for which nothing is left, and of what.

        Raises storage errors.
        """


class Line:
    """Notices that wait for the vendor, by id, and how many attempts in a row found it out of reach."""

    def __init__(self) -> None:
        self.ids: deque[str] = deque()
        self.troubles = 0

    def take(self, most: int) -> list[str]:
        """Those in front; one alone in times of trouble."""
        return [self.ids.popleft() for _ in range(min(1 if self.troubles else most, len(self.ids)))]

    def put_back(self, notices: Sequence[Notice]) -> None:
        """Let them wait where they were."""
        self.ids.extendleft(notice.id for notice in reversed(notices))


class Sender:
    """Sends at least once: a PENDING row is the intent, and its id lets the vendor tell a repetition.

    Notices come straight from the commit that decided them; a sweep at start and every few seconds brings
    what a crash, an outage or a full queue left over. A lone notice leaves at once; while several keep coming,
    batches start `pace_seconds` apart, so that they grow. While the vendor or the contacts are out of
    reach the sender rests, and tries with one notice at a time; nobody waits for it.

    What the vendor must be asked about first takes a question each, and after an outage there may be thousands. So
    it waits in a line of its own, taken a few at a time: what can be sent passes it by. An attempt asks as much as
    there is time for and writes down what it heard; the rest stays in front of that line.
    """

    def __init__(
        self, ledger: Ledger, budgets: Budgets, clock: Clock, reports: Reports, *, pace_seconds: float = 0.05
    ) -> None:
        self._ledger = ledger
        self._budgets = budgets
        self._reports = reports
        self._clock = clock
        self._pace_seconds = pace_seconds
        self._waiting = Line()
        self._doubts = Line()
        self._ours: dict[str, Notice] = {}
        self._wake = asyncio.Event()
        self._emptied = asyncio.Event()
        self._window = asyncio.Semaphore(BATCHES_AT_ONCE)

    def hand_over(self, notices: Iterable[Notice]) -> int:
        """Take open notices; gives how many were new. What does not fit is left to the sweep."""
        before = len(self._waiting.ids)
        for notice in notices:
            if notice.id in self._ours:
                self._ours[notice.id] = notice
            elif len(self._waiting.ids) < MOST_WAITING:
                self._ours[notice.id] = notice
                self._waiting.ids.append(notice.id)
        self._wake.set()
        return len(self._waiting.ids) - before

    async def serve(self, courier: Courier) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._sweep(), name="notice sweep")
            group.create_task(self._clear_doubts(courier), name="notices in doubt")
            while True:
                await self._next(self._waiting)
                await self._window.acquire()
                batch = self._take(self._waiting, courier.batch_max)
                group.create_task(self._process_in_window(batch, courier), name="notice batch")
                if len(batch) > 1:
                    await asyncio.sleep(self._pace_seconds)

    async def _clear_doubts(self, courier: Courier) -> None:
        while True:
            await self._next(self._doubts)
            await self._process(self._doubts, self._take(self._doubts, DOUBTS_AT_ONCE), courier)

    async def _next(self, line: Line) -> None:
        while not line.ids:
            if line is self._waiting:
                self._emptied.set()
            self._wake.clear()
            await self._wake.wait()
        if line.troubles:
            pause = FIRST_REST * 2 ** min(line.troubles - 1, 10)
            await self._clock.sleep_until(self._clock.now() + min(pause, LONGEST_REST))

    def _take(self, line: Line, most: int) -> list[Notice]:
        return [self._ours[id_] for id_ in line.take(most)]

    async def _process_in_window(self, batch: Sequence[Notice], courier: Courier) -> None:
        try:
            await self._process(self._waiting, batch, courier)
        finally:
            self._window.release()

    async def _process(self, line: Line, batch: Sequence[Notice], courier: Courier) -> None:
        trouble = True
        left: Sequence[Notice] = ()
        try:
            with self._reports.sending(batch):
                trouble, left = await self._send(batch, courier, asking=line is self._doubts)
            if line is self._doubts:
                line.put_back(left)
            else:
                self._doubts.ids.extend(notice.id for notice in left)
        except TimeoutError:
            log.warning("notices not sent in time", notices=len(batch))
        except ContactsUnavailable as error:
            log.warning("no contacts", notices=len(batch), error=str(error))
            line.put_back(batch)
            left = batch
        except DomainError as error:
            log.warning("notices not settled", notices=len(batch), error=error.reason)
        except Exception as error:
            log.error("notices not sent", notices=len(batch), exc_info=error)
        finally:
            # whatever is neither settled nor left is still in the ledger: the sweep brings it again
            for id_ in {notice.id for notice in batch} - {notice.id for notice in left}:
                del self._ours[id_]
            line.troubles = line.troubles + 1 if trouble else 0
            self._wake.set()

    async def _send(self, batch: Sequence[Notice], courier: Courier, asking: bool) -> tuple[bool, list[Notice]]:
        """Take the batch to the vendor and settle what it says; True when it is out of reach, and what is left."""
        batch = await self._ledger.keep(batch)
        if not batch:
            return False, []
        self._ours.update((notice.id, notice) for notice in batch)
        async with asyncio.timeout(ATTEMPT.total_seconds()):
            phones = await courier.look_up(batch)
            # looked at again right before sending: a party that sits must not be called
            newest = await self._ledger.newest(batch)
            unpaid = await self._pay(batch, phones, newest)
            paid = [notice for notice in batch if notice.id not in unpaid]
            findings = await courier.deliver(paid, phones, newest, self._clock.now(), asking=asking)
        findings |= unpaid
        crash_point("sender.after_send")
        if findings:
            await self._settle([(notice, findings[notice.id]) for notice in batch if notice.id in findings])
        return out_of_reach(findings), [notice for notice in batch if notice.id not in findings]

    async def _pay(self, batch: Sequence[Notice], phones: Mapping[str, str], newest: Newest) -> Mapping[str, Reason]:
        """Pay for what may be sent now; gives what there is no budget for."""
        now = self._clock.now()
        due = [
            (notice, phone)
            for notice in batch
            if (phone := phones.get(notice.reception_id))
            and notice.state is State.PENDING
            and not notice.why_withhold(*newest[notice.reception_id], now)
        ]
        return await self._budgets.spend(due) if due else {}

    async def _settle(self, findings: Sequence[tuple[Notice, Finding]]) -> None:
        """Write down what was done; it is in no other place, so a database that cannot be used is waited for."""
        while True:
            try:
                return await self._ledger.settle(findings)
            except Stale:
                return await self._settle_singly(findings)
            except (StorageBusy, StorageFull) as error:
                log.warning("sender waits for its database", notices=len(findings), error=error.reason)
            await self._clock.sleep_until(self._clock.now() + FIRST_REST)

    async def _settle_singly(self, findings: Sequence[tuple[Notice, Finding]]) -> None:
        """One of them was taken up by somebody else; what is known of the others is written down all the same."""
        if len(findings) == 1:
            log.warning("notice is somebody else's", notice=findings[0][0].id)
            return
        for finding in findings:
            await self._settle([finding])

    async def _sweep(self) -> None:
        while True:
            self._emptied.clear()
            # in times of trouble one at a time is tried: others may fare better with the rest
            trouble = self._waiting.troubles or (self._doubts.ids and self._doubts.troubles)
            limit = 1 if trouble else PAGE
            full = len(self._ours) >= MOST_WAITING
            # what is taken up is in doubt from then on: nobody hurries to have more of that than he can ask about
            if full or await self._sweep_once(limit) < PAGE or self._doubts.ids:
                await self._clock.sleep_until(self._clock.now() + SWEEP)
            else:
                await self._emptied.wait()

    async def _sweep_once(self, limit: int) -> int:
        try:
            return self.hand_over(await self._ledger.take_up(limit, self._ours.keys()))
        except DomainError as error:
            log.warning("ledger not swept", error=error.reason)
            return 0
