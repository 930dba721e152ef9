"""`python -m tests.drills.hanging services.reception`: a service whose event loop hangs from SIGUSR1 on."""

import runpy
import signal
import sys
import time

LONG_SECONDS = 3600


def _hang(number: int, frame: object) -> None:
    # in the main thread, where the event loop is; other signals are heard, and nobody does anything about them
    time.sleep(LONG_SECONDS)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, _hang)
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
