"""Runs the seat service's migrations."""

from services.chassis.migration_env import run
from services.seat.adapters.tables import metadata

run(metadata)
