"""`python -m services.full`: run the full system, or `reset` its data."""

import sys

from services.local.launch import launch

if __name__ == "__main__":
    sys.exit(launch("services.full.cli", "scripts/up-full"))
