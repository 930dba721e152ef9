"""`permissions`: who may call what."""

from services.chassis.kernel import Role
from services.chassis.permissions import ALL, OWN, OfStore, Row
from services.operations import printing
from services.operations.commands.options import Format
from services.operations.printing import Output
from services.permissions import PERMISSIONS


def permissions(output: Format = Output.TABLE) -> None:
    """Every method, and for what each role may call it: everything, what is its own, what is of its store."""
    columns = ("method", *(role.value for role in Role))
    printing.rows(output, columns, [told(method) for method in PERMISSIONS], "nobody may call anything")


def told(method: str) -> dict[str, str]:
    """A method's row, by roles."""
    row = PERMISSIONS[method]
    return {"method": method, **{role.value: _scope(row, role) for role in Role}}


def _scope(row: Row, role: Role) -> str:
    # whoever says who they are may do what those may who do not
    scope = row.get(role) or row.get(Role.ANYBODY)
    if isinstance(scope, OfStore):
        return "store"
    return "all" if scope is ALL else "own" if scope is OWN else ""
