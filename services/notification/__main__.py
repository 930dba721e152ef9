"""`python -m services.notification`."""

import sys

from services.chassis.process import main
from services.notification.app import build
from services.subscriptions import SUBSCRIPTIONS

sys.exit(main("notification", build, SUBSCRIPTIONS))
