"""A process that outlives us by a moment: it ends what we started, however we end."""

import fcntl
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from services.chassis.running import CannotRun

PATIENCE_SECONDS = 20.0
"""How long to wait for the guard of a predecessor that was killed."""

# Reads `SIGNAL PID` lines. At their end, which is also that of the writer, it asks each process to stop, the last one
# first, and after ten seconds makes the whole group. The shell is there on every system and takes 1 MB.
SCRIPT = """
trap '' INT TERM HUP
pids= signals=
while read -r signal pid; do pids="$pid $pids"; signals="$signal $signals"; done
set -- $signals
for pid in $pids; do
    kill -s "$1" "$pid" 2>/dev/null
    shift
    turns=100
    while [ $turns -gt 0 ] && kill -0 "$pid" 2>/dev/null; do sleep 0.1; turns=$((turns - 1)); done
    kill -s KILL -- "-$pid" 2>/dev/null
done
exit 0
"""


class FolderInUse(CannotRun):
    """Another process runs a server on this folder."""


class Guard:
    """Holds the lock of `folder` and watches over processes until `dismiss`. Raises `FolderInUse`."""

    def __init__(self, folder: Path, patience_seconds: float = PATIENCE_SECONDS) -> None:
        with _locked(folder / "lock", patience_seconds) as lock:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", SCRIPT],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(lock.fileno(),),
                cwd="/",
                start_new_session=True,
            )

    def watch(self, pid: int, stop_signal: signal.Signals) -> None:
        """From now on this process, which leads a group, ends with us."""
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 - it was asked for
        pipe.write(f"{stop_signal.name.removeprefix('SIG')} {pid}\n".encode())
        pipe.flush()

    def dismiss(self) -> None:
        """Let the folder go. What it watched must have ended."""
        self._process.kill()
        self._process.communicate()


def _locked(path: Path, patience_seconds: float) -> IO[bytes]:
    file = path.open("wb")
    limit = time.monotonic() + patience_seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > limit:
                file.close()
                raise FolderInUse(f"{path.parent} is in use by another process: stop it first") from None
            time.sleep(0.05)
        else:
            return file
