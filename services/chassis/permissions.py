"""Permissions: which roles may call a method, and for what. What no row allows is denied."""

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from services.chassis.callers import Callers, Metadata
from services.chassis.kernel import Caller, NotFound, PermissionDenied, Role, Unauthenticated, invalid


class Scope:
    """For what a role may call a method: everything, unless said otherwise."""

    def check(self, caller: Caller, request: Any) -> None:
        """Raises `NotFound` for what is not the caller's, as for what does not exist."""


ALL = Scope()


class Own(Scope):
    """What the caller holds: only what a request is about tells that, so the use case asks it."""


OWN = Own()


@dataclass(frozen=True)
class OfStore(Scope):
    """What belongs to a store that the caller works for; the field `path` of the request names it."""

    path: str

    def check(self, caller: Caller, request: Any) -> None:
        name: str = attrgetter(self.path)(request)
        if not name:
            raise invalid(self.path, "is required")
        collection, _, rest = name.partition("/")
        if collection != "stores" or rest.partition("/")[0] not in caller.stores:
            # says no more than that of a store that does not exist
            raise NotFound(f"{name[:200]!r} does not exist")


Row = Mapping[Role, Scope]
Table = Mapping[str, Row]
"""By a method's full name, `package.Service/Method`."""


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that was let in, as far as its method goes.

    `secret` is the pass that came with it, `address` where the gateway says that it comes from; or empty.
    """

    caller: Caller
    scope: Scope
    secret: str = field(default="", repr=False)
    address: str = ""

    @property
    def only_own(self) -> bool:
        """Whether the use case has to ask if what the request is about is the caller's."""
        return isinstance(self.scope, Own)

    @property
    def asked_by(self) -> str:
        """Who calls, for comparing alone: nobody else gets the answer to a repeated request."""
        return f"{self.caller.role.value} {self.caller.id} {self.secret}"

    def check(self, request: Any) -> None:
        """Raises `NotFound` when the request is about what is not the caller's."""
        self.scope.check(self.caller, request)


admission: ContextVar[Admission] = ContextVar("admission")
"""How the present call was let in."""


class Door:
    """Lets calls in, by who makes them and the table of permissions."""

    def __init__(self, keys: Sequence[str], table: Table) -> None:
        self._callers = Callers(keys)
        self._table = table

    def admit(self, method: str, metadata: Metadata) -> Admission:
        """Sets the present `admission`. Raises `Unauthenticated`, or `PermissionDenied`."""
        who, secret, address = self._callers.of(metadata)
        row = self._table.get(method, {})
        scope = row.get(who.role) or row.get(Role.ANYBODY)
        if scope is not None:
            present = Admission(who, scope, secret, address)
            admission.set(present)
            return present
        if who.role is Role.ANYBODY:
            raise Unauthenticated("this call needs a token")
        raise PermissionDenied(f"this call is not for a {who.role.value}")
