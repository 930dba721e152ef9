"""What processes cost, as the system keeps the books: CPU time and memory of a tree of them, by what they are."""

from collections.abc import Iterator, Mapping

import psutil

PROGRAMS = {
    "postgres": "PostgreSQL",
    "mariadbd": "MariaDB",
    "beam.smp": "RabbitMQ",
    "erl_child_setup": "RabbitMQ",
    "inet_gethost": "RabbitMQ",
    "epmd": "RabbitMQ",
    "envoy": "Envoy",
    "sh": "full",  # sees to it that no server outlives its starter
}


class Tree:
    """A process and all that descend from it."""

    def __init__(self, root: int) -> None:
        self._root = root

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """Those there are now, by name: a service by its own, a server by its product."""
        root = psutil.Process(self._root)
        for process in (root, *root.children(recursive=True)):
            try:
                yield _name(process), process
            except psutil.NoSuchProcess:
                continue

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds so far, by name."""
        used: dict[str, float] = {}
        for name, process in self.processes():
            used[name] = used.get(name, 0.0) + _cpu_seconds(process)
        return used

    def memory_mb(self) -> dict[str, float]:
        """Memory by name: what is resident or, where several processes share it, their shares of it."""
        by_name: dict[str, list[psutil.Process]] = {}
        for name, process in self.processes():
            by_name.setdefault(name, []).append(process)
        return {name: sum(map(_shared if len(some) > 1 else _resident, some)) / 2**20 for name, some in by_name.items()}


def spent(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """CPU seconds between two readings, by name."""
    return {name: seconds - before.get(name, 0.0) for name, seconds in after.items()}


def cpu_seconds(pid: int) -> float:
    """CPU seconds of one process so far."""
    return _cpu_seconds(psutil.Process(pid))


def _name(process: psutil.Process) -> str:
    program, arguments = process.name(), process.cmdline()
    if program in PROGRAMS:
        return PROGRAMS[program]
    if "-m" in arguments[:-1]:
        return arguments[arguments.index("-m") + 1].removeprefix("services.")
    return "other"


def _cpu_seconds(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    # also that of children that have ended: servers start a process for each connection
    return times.user + times.system + getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)


def _resident(process: psutil.Process) -> int:
    try:
        return process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0


def _shared(process: psutil.Process) -> int:
    try:
        whole = process.memory_full_info()
    except psutil.NoSuchProcess:
        return 0
    return getattr(whole, "pss", whole.uss)
