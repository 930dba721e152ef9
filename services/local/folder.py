"""The data folder: one system at a time, kept from start to start, emptied on request."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from services.chassis.running import CannotRun

MARK = "tabling.lock"


class FolderUnusable(CannotRun):
    """The folder cannot be made, read or written."""


class FolderInUse(CannotRun):
    """Another system runs on this data folder."""


class NotOurFolder(CannotRun):
    """The folder holds something that no Tabling system wrote."""


@contextmanager
def owned(folder: Path) -> Iterator[Path]:
    """The folder, created when absent, ours alone until the end.

    Raises `FolderUnusable`, `FolderInUse`, `NotOurFolder`.
    """
    mark = folder / MARK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not mark.exists() and any(not (entry / MARK).exists() for entry in folder.iterdir()):
            raise NotOurFolder(f"{folder} is not empty and is no data folder of Tabling: name another with --data")
        file = mark.open("a+")
    except OSError as error:
        why = "it is no folder" if isinstance(error, FileExistsError) else error.strerror
        raise FolderUnusable(f"{folder} cannot hold the data ({why}): name another with --data") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or "?"
            raise FolderInUse(
                f"{folder} is in use by process {owner}: stop it first, or name another with --data"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield folder


def reset(folder: Path, before: Callable[[], None] = lambda: None) -> bool:
    """Delete the folder with everything in it, other data folders included; False when there is none.

    `before` is called once it is certain that nobody uses the folder.

    Raises `FolderUnusable`, `FolderInUse`, `NotOurFolder`.
    """
    if not folder.exists():
        return False
    with ExitStack() as ours:
        for mark in folder.glob(f"*/{MARK}"):
            ours.enter_context(owned(mark.parent))
        ours.enter_context(owned(folder))
        before()
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise FolderUnusable(f"{error.filename} cannot be deleted: {error.strerror}") from None
    return True
