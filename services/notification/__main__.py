"""`python -m services.notification`."""

import sys

from services.chassis.process import main
from services.notification.app import build

sys.exit(main("notification", build, consumers=()))
