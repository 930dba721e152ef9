"""Open streams: how many each caller has in this process, and may have."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from services.chassis.kernel import DomainError, Kind, Role
from services.chassis.limits import Limits
from services.chassis.permissions import Admission


class TooManyStreams(DomainError):
    """The caller has as many streams open as one may have."""

    kind = Kind.EXHAUSTED
    english = "You have this open too often. Please close it elsewhere."
    korean = "열려 있는 화면이 너무 많습니다. 다른 화면을 닫고 다시 시도해 주세요."
    retry_after_seconds = 5.0


class Streams:
    """Counts by the subject of a token; for those who have none by pass or, where all may listen, by address."""

    def __init__(self, limits: Limits) -> None:
        staff = limits.most_streams_of_staff
        self._most: Mapping[Role, int] = {
            Role.CUSTOMER: limits.most_streams_of_customer,
            Role.HOST: staff,
            Role.MANAGER: staff,
            Role.OPERATOR: limits.most_streams_of_operator,
            Role.BACKEND: limits.most_streams_of_backend,
        }
        self._most_of_pass = limits.most_streams_of_pass
        self._most_of_address = limits.most_streams_of_address
        self.open: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def one(self, by: Admission) -> Iterator[None]:
        """Somebody has one more open, in this block. Raises `TooManyStreams`."""
        if by.caller.role is Role.SERVICE:
            yield
            return
        who, most = self._counted(by)
        if self.open[who] >= most:
            raise TooManyStreams(f"{most} streams are open")
        self.open[who] += 1
        try:
            yield
        finally:
            self.open[who] -= 1
            if not self.open[who]:
                del self.open[who]

    def _counted(self, by: Admission) -> tuple[tuple[str, str], int]:
        if by.caller.role is not Role.ANYBODY:
            return (by.caller.role.value, by.caller.id), self._most[by.caller.role]
        # a pass that nobody looks at is any word
        if by.only_own and by.secret:
            return ("pass", by.secret), self._most_of_pass
        return ("address", by.address), self._most_of_address
