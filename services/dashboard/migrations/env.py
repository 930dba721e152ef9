"""Runs the dashboard's migrations."""

from services.chassis.migration_env import run
from services.dashboard.adapters.tables import metadata

run(metadata)
