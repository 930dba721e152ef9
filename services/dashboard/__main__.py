"""Runs the dashboard service: `python -m services.dashboard`."""

import sys

from services.chassis import process
from services.dashboard.app import build
from services.subscriptions import SUBSCRIPTIONS

if __name__ == "__main__":
    sys.exit(process.main("dashboard", build, SUBSCRIPTIONS))
