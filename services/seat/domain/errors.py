"""Rules of the floor that a caller can break."""

from services.chassis.kernel import DomainError, Kind


class FloorFull(DomainError):
    """The store has as many tables as a store can have."""

    kind = Kind.EXHAUSTED
    english = "The store cannot have more tables."
    korean = "테이블을 더 추가할 수 없습니다."
