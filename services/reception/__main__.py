"""Runs reception as a process of its own."""

import sys

from services.chassis import process
from services.reception.app import build
from services.subscriptions import SUBSCRIPTIONS

if __name__ == "__main__":
    sys.exit(process.main("reception", build, SUBSCRIPTIONS))
