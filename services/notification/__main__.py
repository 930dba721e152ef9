"""Runs notification as a process of its own."""

import sys

from services.chassis import process
from services.notification.app import build
from services.subscriptions import SUBSCRIPTIONS

if __name__ == "__main__":
    sys.exit(process.main("notification", build, SUBSCRIPTIONS))
