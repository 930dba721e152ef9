"""The system's user under which a server runs that refuses to run as root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class User:
    """A user and its group, by number, and its home."""

    uid: int
    gid: int
    home: Path

    @property
    def arguments(self) -> dict[str, Any]:
        """What `subprocess` must be told to run something as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, folder: Path) -> bool:
        """Whether this user may go into the folder."""
        command = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)]
        return subprocess.run(command, cwd="/", check=False, **self.arguments).returncode == 0

    def own(self, path: Path) -> None:
        """Hand the file or folder over."""
        os.chown(path, self.uid, self.gid)


def stand_in_for_root(name: str) -> User | None:
    """The user of this name when we are root; None when we are not, or there is none."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return User(entry.pw_uid, entry.pw_gid, Path(entry.pw_dir))
