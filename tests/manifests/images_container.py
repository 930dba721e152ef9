"""A command in the files of an image as a cluster runs it: read-only, as the image's user, in namespaces of its own."""

import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.manifests.images_builder import Image

# The root cannot be written to, /data and /tmp are empty; the network is ours.
ENTER = """
set -e
root=$1 owner=$2
shift 2
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount -t tmpfs -o "uid=${owner%:*},gid=${owner#*:},mode=700" data "$root/data"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
exec chroot --userspec="$owner" --groups= "$root" "$@"
"""
STOP_SECONDS = 15


class Container:
    """A process that runs in an image."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """That of the command itself, which is the first process in its namespace."""
        parent = self._process.pid
        return int(Path(f"/proc/{parent}/task/{parent}/children").read_text().split()[0])

    def runs(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> tuple[int, str]:
        """Ask it to end. Gives its exit code and what it wrote."""
        if self.runs():
            subprocess.run(["kill", "-s", signal.SIGTERM.name.removeprefix("SIG"), str(self.pid)], check=True)
        written, _ = self._process.communicate(timeout=STOP_SECONDS)
        return self._process.returncode, written


@contextmanager
def container(
    image: Image, files: Path, environment: Mapping[str, str], command: Sequence[str] = ()
) -> Iterator[Container]:
    """Run the image's command, or another one."""
    started = subprocess.Popen(
        _command(image, files, environment, command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Container(started)
    finally:
        started.kill()  # takes what runs in it along
        started.communicate()


def run(image: Image, files: Path, *command: str) -> str:
    """What a command writes. Raises `AssertionError` when it fails."""
    done = subprocess.run(_command(image, files, {}, command), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _command(image: Image, files: Path, environment: Mapping[str, str], command: Sequence[str]) -> list[str]:
    variables = [f"{name}={value}" for name, value in {**image.environment, **environment}.items()]
    namespaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation=private"]
    enter = ["sh", "-c", ENTER, "enter", str(files), image.config["User"]]
    inside = ["env", "-i", f"--chdir={image.config['WorkingDir']}", *variables, *(command or image.config["Cmd"])]
    return [*namespaces, *enter, *inside]
