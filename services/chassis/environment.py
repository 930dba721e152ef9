"""The environment of a system, kept in its data folder for the commands that are typed beside it."""

import os
from collections.abc import Mapping
from pathlib import Path

from services.chassis.running import CannotRun

FILE = "environment"


class EnvironmentUnusable(CannotRun):
    """The file cannot be written or read, or a line of it is no setting."""


def write(folder: Path, variables: Mapping[str, str]) -> None:
    """Keep `variables` in the folder, for its owner's eyes only: addresses may hold passwords. Replaces what was kept.

    Raises `EnvironmentUnusable`.
    """
    text = "".join(f"{name}={value}\n" for name, value in sorted(variables.items()))
    new = folder / f"{FILE}.new"
    try:
        new.unlink(missing_ok=True)
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(folder / FILE)
    except OSError as error:
        raise EnvironmentUnusable(f"{folder / FILE} cannot be written: {error.strerror}") from None


def read(folder: Path) -> dict[str, str]:
    """What is kept in the folder; nothing when no system ever ran there. Raises `EnvironmentUnusable`."""
    path = folder / FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentUnusable(f"{path} cannot be read: {error}") from None
    settings = [line for line in lines if line.strip() and not line.startswith("#")]
    if wrong := next((line for line in settings if "=" not in line), None):
        raise EnvironmentUnusable(f"{path} holds {wrong!r}, which is not NAME=value")
    return dict(line.split("=", 1) for line in settings)
