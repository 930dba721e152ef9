"""The first steps of a command line: can this Python run it at all? Any Python 3 can read this far."""

import os
import signal
import sys
from importlib import import_module


def launch(module: str, script: str) -> int:
    """Hand over to `main` in `module`; `script` is what to type when something is missing. Returns the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older one shall be told
        return complain(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: type {script}")
    # Until the event loop takes over nothing runs that would have to be stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    # gRPC would get ready for children that go on without exec, and say so on the terminal. Ours all exec.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    try:
        run = import_module(module).main
    except ModuleNotFoundError as error:
        return complain(f"the Python package {error.name} is missing: type {script}, which installs it")
    return int(run())


def complain(text: str) -> int:
    sys.stderr.write(f"error: {text}\n")
    return 1
