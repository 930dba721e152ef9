"""What the servers have in common: a folder, a port, a beginning and several ends."""

import os
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ClassVar

import psutil

from services.chassis.addresses import free_port
from services.chassis.running import CannotRun
from services.full.servers.guard import Guard
from services.full.servers.user import User

START_SECONDS = 90.0
STOP_SECONDS = 20.0


class ServerFailed(CannotRun):
    """A server did not start or did not do what it was asked; the text has its own words."""


class Server:
    """A server that is ours alone. Everything it has is in `folder`; it listens on 127.0.0.1 only.

    It keeps its port, and its addresses stay valid, from start to start of one object. It never outlives our process.
    """

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder.resolve()
        self.port = port or free_port()
        self._given_up = threading.Event()
        self._guard: Guard | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._helpers: list[subprocess.Popen[bytes]] = []

    @property
    def pid(self) -> int | None:
        """The process id of the server itself while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def log(self) -> Path:
        """Where everything goes that it says."""
        return self.folder / "log"

    def start(self) -> None:
        """Start it, and return once it answers; the first time, make its data. Raises `CannotRun`."""
        if self.pid is not None:
            raise RuntimeError(f"{self.name} runs already")
        self.kill()  # what is left of one that died
        self.folder.mkdir(parents=True, exist_ok=True)
        self._guard = Guard(self.folder)
        try:
            self._launch()
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def give_up(self) -> None:
        """Let a `start` that another thread is in fail at once, and every later one."""
        self._given_up.set()

    def stop(self) -> None:
        """End it the clean way, by force after a while."""
        if self._process is None:
            return
        all_of_it = self._processes()
        self._process.send_signal(self.stop_signal)
        self._process.send_signal(signal.SIGCONT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._bury(all_of_it)

    def kill(self) -> None:
        """End it at once with all its processes, as a crash of the machine would."""
        # A process that stands still starts no others while we count them.
        if self.pid is not None:
            os.kill(self.pid, signal.SIGSTOP)
        self._bury(self._processes())

    def pause(self) -> None:
        """Let it hang: connections stay open, and nothing is answered."""
        for process in self._processes():
            process.suspend()

    def resume(self) -> None:
        """Let it go on after `pause`."""
        for process in reversed(self._processes()):
            process.resume()

    def erase(self) -> None:
        """Delete its folder. It must not run."""
        shutil.rmtree(self.folder)

    def _launch(self) -> None:
        raise NotImplementedError

    def _answers(self) -> bool:
        raise NotImplementedError

    def _run(self, command: Sequence[str], environment: Mapping[str, str], user: User | None = None) -> None:
        """Start the server itself."""
        self._process = self._spawn(command, environment, self.stop_signal, user)

    def _help(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start something that the server needs, and that ends after it."""
        self._helpers.append(self._spawn(command, environment, signal.SIGTERM))

    def _spawn(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        stop_signal: signal.Signals,
        user: User | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process that leads a group of its own, and ends with us."""
        assert self._guard is not None  # noqa: S101 - start() made it
        with self.log.open("ab") as output:
            process = subprocess.Popen(
                command,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                **(user.arguments if user else {}),
            )
        self._guard.watch(process.pid, stop_signal)
        return process

    def _await_answer(self) -> None:
        limit = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process is None or self._process.poll() is not None:
                raise ServerFailed(f"{self.name} ended while it started, see {self.log}\n{self._last_lines()}")
            if self._given_up.is_set():
                raise ServerFailed(f"{self.name} was stopped while it started")
            if time.monotonic() > limit:
                raise ServerFailed(f"{self.name} did not answer in {START_SECONDS:g} s\n{self._last_lines()}")
            time.sleep(0.01)

    def _last_lines(self) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-12:])

    def _processes(self) -> list[psutil.Process]:
        """The server's process, and all below it."""
        try:
            first = psutil.Process(self.pid or -1)
            return [first, *first.children(recursive=True)]
        except (psutil.NoSuchProcess, ValueError):
            return []

    def _bury(self, processes: Sequence[psutil.Process]) -> None:
        """Make sure that these are gone, and let the folder go."""
        if self.pid is None:
            _await_end(processes, 2)  # without the first one they go by themselves
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait()
            self._process = None
        _await_end(processes, 5)
        while self._helpers:
            helper = self._helpers.pop()
            helper.kill()
            helper.wait()
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None


def _await_end(processes: Sequence[psutil.Process], seconds: float) -> None:
    """Return when all have ended."""
    limit = time.monotonic() + seconds
    for process in processes:
        while is_alive(process) and time.monotonic() < limit:
            time.sleep(0.005)


def is_alive(process: psutil.Process) -> bool:
    """Whether it has not ended yet; one that only waits for its parent to take note has."""
    with suppress(psutil.NoSuchProcess):
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    return False


def password(folder: Path) -> str:
    """The password of the server in this folder, made up the first time. Only we may read it."""
    file = folder / "password"
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as output:
            output.write(secrets.token_hex(16))
    return file.read_text()
