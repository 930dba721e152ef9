"""Broken rules of notices."""

from services.chassis.kernel import DomainError


class NoticeIsSettled(DomainError):
    """A notice that reached its end does not change any more."""
