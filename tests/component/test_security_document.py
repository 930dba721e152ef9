"""What docs/security.md says about permissions is what the services do."""

import re
from pathlib import Path

from services.chassis.kernel import Role
from services.operations.commands.permissions import told
from services.permissions import PERMISSIONS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "security.md"


def test_the_table_of_permissions_is_that_of_the_services() -> None:
    _, head, rest = DOCUMENT.read_text().partition("| method |")
    columns, _, *lines = (head + rest.partition("\n\n")[0]).splitlines()
    roles = [cell.strip() for cell in columns.split("|")[2:-1]]
    written = {}
    for line in lines:
        methods, *cells = (cell.strip() for cell in line.split("|")[1:-1])
        for method in re.findall(r"`(\w+)`", methods):
            assert method not in written, method
            written[method] = dict(zip(roles, cells, strict=True))
    done = {method.rpartition("/")[2]: told(method) for method in PERMISSIONS}
    assert written == {method: {role: row[role] for role in roles} for method, row in done.items()}
    assert roles == [role.value for role in Role]
