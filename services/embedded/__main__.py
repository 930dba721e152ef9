"""`python -m services.embedded`: run the whole system, or `check` or `reset` its data."""

import gc
import os
import signal
import sys


def main() -> int:
    """Find out whether this Python can run the system, and hand over."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever has an older one shall be told
        return complain(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: type scripts/up")
    # Until the event loop takes over nothing runs that would have to be stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    # gRPC would get ready for children that go on without exec, and say so on the terminal. Ours all exec.
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "false")
    gc.disable()  # what is loaded at the start stays: looking through it again and again only takes time
    try:
        from services.embedded.cli import main as run
    except ModuleNotFoundError as error:
        return complain(f"the Python package {error.name} is missing: type scripts/up, which installs it")
    return run()


def complain(text: str) -> int:
    sys.stderr.write(f"error: {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
