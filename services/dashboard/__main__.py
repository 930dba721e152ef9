"""Runs the dashboard service: `python -m services.dashboard`, or its rebuild: `… rebuild`."""

import sys

from services.chassis import process
from services.dashboard.app import build
from services.dashboard.rebuild import main

if __name__ == "__main__":
    sys.exit(main() if sys.argv[1:] == ["rebuild"] else process.main("dashboard", build, ()))
