"""Runs the seat service as a process of its own."""

import sys

from services.chassis import process
from services.seat.app import build
from services.subscriptions import SUBSCRIPTIONS

if __name__ == "__main__":
    sys.exit(process.main("seat", build, SUBSCRIPTIONS))
