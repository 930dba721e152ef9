"""The rules of management that can be broken."""

from services.chassis.kernel import DomainError, Kind


class StoreClosed(DomainError):
    """The store is closed: there is nothing to pause."""

    english = "The store is closed."
    korean = "영업이 종료된 매장입니다."


class OrderStateConflict(DomainError):
    """The order is in a state in which this cannot be done; `state` in the metadata tells which."""

    english = "That is no longer possible for this party."
    korean = "현재 상태에서는 처리할 수 없는 주문입니다."


class LineEmpty(DomainError):
    """Nobody waits to be called."""

    english = "Nobody is waiting."
    korean = "대기 중인 팀이 없습니다."


class TableTooSmall(DomainError):
    """The party does not fit the table."""

    english = "The table is too small for this party."
    korean = "테이블이 인원보다 작습니다."


class TableTaken(DomainError):
    """The table is held or occupied by another party, or out of use."""

    kind = Kind.ABORTED
    english = "The table is taken."
    korean = "이미 사용 중인 테이블입니다."
