"""Where packages put the programs of the servers, and what to type when they are not there."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from services.chassis.running import CannotRun

HOMEBREW = ("/opt/homebrew", "/usr/local", "/home/linuxbrew/.linuxbrew")


class NotInstalled(CannotRun):
    """A program is missing; the text has the command that installs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """A server as its packages know it.

    `programs` are those that we use, `folders` patterns of where they may be, `urls` the environment variables that
    name a server which runs already, one for each service that would use it.
    """

    name: str
    apt: str
    dnf: str
    brew: str
    programs: Sequence[str]
    folders: Sequence[str]
    urls: Sequence[str] = ()

    def program(self, name: str) -> Path:
        """The newest program of this name: in the product's own folders, else on the PATH. Raises `NotInstalled`."""
        for pattern in self.folders:
            found = [path for path in Path("/").glob(f"{pattern.lstrip('/')}/{name}") if os.access(path, os.X_OK)]
            if found:
                return max(found, key=_version)
        if on_path := shutil.which(name):
            return Path(on_path)
        raise NotInstalled(
            f"{self.name} is missing: there is no {name}. Type one of\n"
            f"    sudo apt-get install {self.apt}     (Debian, Ubuntu)\n"
            f"    sudo dnf install {self.dnf}     (Fedora)\n"
            f"    brew install {self.brew}     (macOS)\n"
            f"or give the address of one that runs already, in {', '.join(self.urls)}"
        )

    def require(self) -> None:
        """Raises `NotInstalled` when one of its programs is not there."""
        for name in self.programs:
            self.program(name)


def _version(program: Path) -> list[int]:
    digits = "".join(letter if letter.isdigit() else " " for letter in str(program))
    return [int(number) for number in digits.split()]
