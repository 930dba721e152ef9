"""Runs management as a process of its own."""

import sys

from services.chassis import process
from services.management.app import build

if __name__ == "__main__":
    sys.exit(process.main("management", build, consumers=("reception", "seat", "dashboard")))
