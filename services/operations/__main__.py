"""Runs the operators' command line: `python -m services.operations`, or `scripts/ops`."""

import sys

from services.chassis import logs
from services.operations.cli import main

if __name__ == "__main__":
    # what goes wrong is told by the command itself
    logs.configure("CRITICAL")
    sys.exit(main())
