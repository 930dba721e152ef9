"""`python -m services.embedded`: run the whole system, or `reset` its data."""

import gc
import sys

from services.local.launch import launch

if __name__ == "__main__":
    gc.disable()  # what is loaded at the start stays: looking through it again and again only takes time
    sys.exit(launch("services.embedded.cli", "scripts/up"))
