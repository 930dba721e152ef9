"""The operators' command line."""

import sys
from collections.abc import Sequence

import typer

from services.chassis.running import CannotRun
from services.chassis.settings import SettingsError
from services.operations.commands import dead_letters, outbox
from services.operations.commands.audit import audit
from services.operations.commands.check import check
from services.operations.commands.doctor import doctor
from services.operations.commands.migrate import migrate
from services.operations.commands.permissions import permissions
from services.operations.commands.rebuild import rebuild
from services.operations.commands.settings import settings
from services.operations.commands.topology import show_topology

app = typer.Typer(
    name="scripts/ops",
    help="What operators need when something goes wrong, and to see that nothing does. "
    "Every command reads the settings that the services read: TABLING_… and, with --data, those of a data folder.",
    epilog="Exit codes: 0 all is well, 1 something is wrong, 2 the command line or a setting is wrong.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (doctor, check, audit, migrate, rebuild, settings, permissions):
    app.command()(command)
app.command("topology")(show_topology)
app.add_typer(outbox.app, name="outbox")
app.add_typer(dead_letters.app, name="dead-letters")


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns the exit code."""
    try:
        app(arguments, prog_name="scripts/ops")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except CannotRun as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0
