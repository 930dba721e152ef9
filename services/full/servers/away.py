"""Data of a server that cannot get to its folder: it is in the home of the server's user, the folder has a link to it.

Root's own folders, and temporary ones, let nobody else in; PostgreSQL does not run as root.
"""

import hashlib
import shutil
from pathlib import Path

from services.full.servers.user import User

LINK = "data"
OWNER = "of"
"""Says which folder links here."""


def place(folder: Path, user: User) -> Path:
    """Where the data of `folder` is, or may be made. What belongs to folders that were deleted since is deleted."""
    for owner in user.home.glob(f"tabling-*/{OWNER}"):
        link = Path(owner.read_text()) / LINK
        if not (link.is_symlink() and link.readlink() == owner.parent / LINK):
            shutil.rmtree(owner.parent)
    ours = user.home / f"tabling-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    if not (folder / LINK).is_symlink():
        shutil.rmtree(ours, ignore_errors=True)  # of a start that was cut short
        ours.mkdir(mode=0o711)
        (folder / LINK).symlink_to(ours / LINK)
        (ours / OWNER).write_text(str(folder))
    return ours / LINK


def erase(folder: Path) -> None:
    """Delete the data of `folder` if it is not in there."""
    link = folder / LINK
    if link.is_symlink():
        shutil.rmtree(link.readlink().parent)
