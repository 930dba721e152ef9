"""The question to seat: asked by many joins at once, answered in one call."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import grpc

from services.chassis.callers import Identity
from services.chassis.logs import get_logger
from services.chassis.pace import Pace
from services.chassis.telemetry import Telemetry
from services.chassis.tracing import metadata
from services.reception.application.ports import Question
from tabling.seat.v1.seat_service_pb2 import CheckSeatsRequest, SeatAnswer, SeatQuestion
from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceStub

if TYPE_CHECKING:
    from tabling.seat.v1.seat_service_pb2_grpc import SeatServiceAsyncStub

log = get_logger(__name__)

DEADLINE_SECONDS = 0.3
MOST_QUESTIONS = 1000
FAILURES_TO_OPEN = 3
OPEN_SECONDS = 1.0
LONGEST_PACE_SECONDS = 0.025

OPTIONS = (
    # each replica of seat gets its share
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


class Asking(NamedTuple):
    """Who asks, and where the answers go."""

    questions: Sequence[Question]
    answers: asyncio.Future[list[bool]]
    traceparent: str


class CheckSeats:
    """Asks seat whether a table fits. Whoever asks while a call is under way travels with the next one.

    Nobody waits longer than the deadline: no answer means no table. After some failures in a row nobody waits at all: a
    circuit breaker, which lets a question through now and then to see whether seat answers again. So an ailing seat
    costs a join nothing.
    """

    def __init__(self, target: str, identity: Identity, telemetry: Telemetry | None = None) -> None:
        self._target = target
        self._identity = identity
        self._telemetry = telemetry or Telemetry()
        self._asked = self._telemetry.metrics.counter(
            "tabling_seat_questions_total", "Calls of seat.CheckSeats, by gRPC code.", "code"
        )
        self._waiting: deque[Asking] = deque()
        self._wake = asyncio.Event()
        self._pace = Pace(LONGEST_PACE_SECONDS)
        self._failures = 0
        self._try_at = 0.0

    async def fit(self, questions: Sequence[Question]) -> list[bool]:
        """For each, whether a free table fits that nobody in line could use. False when nobody knows."""
        loop = asyncio.get_running_loop()
        is_ailing = self._failures >= FAILURES_TO_OPEN
        if not questions or (is_ailing and loop.time() < self._try_at):
            return [False] * len(questions)
        answers: asyncio.Future[list[bool]] = loop.create_future()
        span = self._telemetry.asks("CheckSeats")
        if span:
            answers.add_done_callback(span.ended_by)
        self._waiting.append(Asking(questions, answers, span.traceparent if span else ""))
        self._wake.set()
        if is_ailing:
            self._try_at = loop.time() + OPEN_SECONDS
            return [False] * len(questions)
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await answers
        except TimeoutError:
            return [False] * len(questions)

    async def serve(self) -> None:
        """Ask until cancelled."""
        async with grpc.aio.insecure_channel(self._target, options=OPTIONS) as channel:
            stub: SeatServiceAsyncStub = SeatServiceStub(channel)
            while True:
                while self._waiting:
                    await asyncio.sleep(self._pace.pause_seconds(called=True))
                    await self._ask(stub)
                    self._pace.end()
                self._wake.clear()
                await self._wake.wait()

    async def _ask(self, stub: "SeatServiceAsyncStub") -> None:
        askings: list[Asking] = []
        asked: dict[Question, None] = {}
        while self._waiting and (not asked or len(asked) + len(self._waiting[0].questions) <= MOST_QUESTIONS):
            asking = self._waiting.popleft()
            if not asking.answers.done():
                askings.append(asking)
                asked.update(dict.fromkeys(asking.questions))
        if not asked:
            return
        self._pace.start(len(askings))
        # a call for several of them is seen in the trace of one
        traceparent = next((asking.traceparent for asking in askings if asking.traceparent), "")
        fits = dict(zip(asked, await self._answers(stub, list(asked), traceparent), strict=True))
        for asking in askings:
            if not asking.answers.done():
                asking.answers.set_result([fits[question] for question in asking.questions])

    async def _answers(self, stub: "SeatServiceAsyncStub", questions: list[Question], traceparent: str) -> list[bool]:
        request = CheckSeatsRequest(
            questions=[
                SeatQuestion(store=f"stores/{q.store_id}", party_size=q.party_size, section=q.section)
                for q in questions
            ]
        )
        try:
            answers = [
                answer.available for answer in await _twice(stub, request, self._identity + metadata(traceparent))
            ]
            if len(answers) != len(questions):
                raise ValueError(f"{len(answers)} answers to {len(questions)} questions")
        except (grpc.aio.AioRpcError, TimeoutError, ValueError) as error:
            self._failed(error)
            return [False] * len(questions)
        self._asked.add("OK")
        self._failures = 0
        return answers

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        code = error.code().name if isinstance(error, grpc.aio.AioRpcError) else type(error).__name__
        self._asked.add(code)
        log.warning("seat gave no answer", error=code, failures=self._failures)
        self._try_at = asyncio.get_running_loop().time() + OPEN_SECONDS


async def _twice(stub: "SeatServiceAsyncStub", request: CheckSeatsRequest, carried: Identity) -> list[SeatAnswer]:
    """Call, once more when seat could not be reached, within one deadline."""
    loop = asyncio.get_running_loop()
    ends = loop.time() + DEADLINE_SECONDS
    try:
        response = await stub.CheckSeats(request, timeout=DEADLINE_SECONDS, metadata=carried)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAVAILABLE or loop.time() >= ends:
            raise
        response = await stub.CheckSeats(request, timeout=ends - loop.time(), metadata=carried)
    return list(response.answers)
