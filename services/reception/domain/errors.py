"""Rules that can be broken when a customer acts."""

from services.chassis.kernel import DomainError, Kind


class StoreClosed(DomainError):
    """The store is closed: nobody can join its line."""

    english = "The store is closed."
    korean = "지금은 영업 시간이 아닙니다."


class LinePaused(DomainError):
    """The store lets nobody join for a while."""

    english = "The store is not taking parties for a while."
    korean = "매장에서 접수를 잠시 멈췄습니다."


class LineFull(DomainError):
    """As many parties wait as the store allows."""

    kind = Kind.EXHAUSTED
    english = "The line is full. Please try again later."
    korean = "대기 인원이 가득 찼습니다. 잠시 후 다시 시도해 주세요."
    retry_after_seconds = 60.0


class AlreadyInLine(DomainError):
    """The customer has an open reception at this store; `reception` in the metadata names it, to the customer alone."""

    kind = Kind.EXISTS
    english = "You are already in this line."
    korean = "이미 이 매장에 접수하셨습니다."


class TooManyLines(DomainError):
    """The customer has as many open receptions as one may have."""

    english = "You are in as many lines as one can be."
    korean = "동시에 접수할 수 있는 매장 수를 넘었습니다."


class TooManyJoins(DomainError):
    """The customer, the phone or, of parties without either, the address joined as often as it may for a while."""

    kind = Kind.EXHAUSTED
    english = "You have joined too often. Please try again later."
    korean = "접수를 너무 자주 하셨습니다. 나중에 다시 시도해 주세요."


class LineBusy(DomainError):
    """More people join the line at once than it takes."""

    kind = Kind.EXHAUSTED
    english = "Many people are joining right now. Please try again in a moment."
    korean = "접수가 몰리고 있습니다. 잠시 후 다시 시도해 주세요."


class PresenceRequired(DomainError):
    """One joins this line at the store only, with the code on its display."""

    english = "Please join at the store, with the code that is shown there."
    korean = "매장에 표시된 코드를 입력해 주세요."


class PostponeLimit(DomainError):
    """The reception was postponed as often as the store allows."""

    english = "You cannot let others go first any more."
    korean = "더 이상 순서를 미룰 수 없습니다."


class NotWaiting(DomainError):
    """The reception is not in line, so it has no place that could change."""

    english = "You are not waiting in line."
    korean = "대기 중인 접수가 아닙니다."


class AlreadyCalled(DomainError):
    """The party was called already."""

    english = "Your table is ready already."
    korean = "이미 호출되었습니다."


class AlreadySeated(DomainError):
    """The party sits already."""

    english = "You are seated already."
    korean = "이미 입장하셨습니다."


class AlreadyClosed(DomainError):
    """The reception has ended."""

    english = "This reception has ended."
    korean = "이미 종료된 접수입니다."
