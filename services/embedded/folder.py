"""The data folder: one system at a time, kept from start to start, emptied on request."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MARK = "tabling.lock"


class FolderInUse(Exception):
    """Another system runs on this data folder."""


class NotOurFolder(Exception):
    """The folder holds something that no Tabling system wrote."""


@contextmanager
def owned(folder: Path) -> Iterator[Path]:
    """The folder, created when absent, ours alone until the end. Raises `FolderInUse`, `NotOurFolder`."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / MARK
    if not mark.exists() and any(folder.iterdir()):
        raise NotOurFolder(f"{folder} is not empty and is no data folder of Tabling: name another with --data")
    with mark.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise FolderInUse(
                f"{folder} is in use by process {file.read().strip() or '?'}: stop it first, or name another with --data"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield folder


def reset(folder: Path) -> bool:
    """Delete the folder with everything in it; False when there is none. Raises `FolderInUse`, `NotOurFolder`."""
    if not folder.exists():
        return False
    with owned(folder):
        shutil.rmtree(folder)
    return True
