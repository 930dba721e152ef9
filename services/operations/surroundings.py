"""What the commands work on: the settings of every service, from the environment and from the data folder."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.chassis import environment
from services.chassis.settings import Settings, SettingsError, from_environment


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The environment that services run with: what was typed wins over what the caller's environment says, and that
    over what the folder keeps."""

    data: Path
    typed: Mapping[str, str]
    given: Mapping[str, str]
    kept: Mapping[str, str]

    @property
    def variables(self) -> dict[str, str]:
        """All environment variables."""
        return {**self.kept, **self.given, **self.typed}

    def settings(self, service: str) -> Settings:
        """Raises `SettingsError`."""
        return from_environment(service, self.variables)

    def right_settings(self, services: Iterable[str]) -> Iterator[Settings]:
        """The settings of those services that have no wrong ones."""
        for service in services:
            with suppress(SettingsError):
                yield self.settings(service)

    def origin(self, variable: str) -> str:
        """Where the value of a variable comes from."""
        if variable in self.typed:
            return "--data"
        if variable in self.given:
            return "environment"
        return str(self.data / environment.FILE) if variable in self.kept else "default"


def surroundings(data: Path | None, given: Mapping[str, str] = os.environ) -> Surroundings:
    """Those of a data folder; without one, of the folder that `TABLING_DATA` names. Raises `EnvironmentUnusable`."""
    folder = data if data is not None else Path(given.get("TABLING_DATA", "data"))
    typed = {} if data is None else {"TABLING_DATA": str(folder)}
    return Surroundings(folder, typed, given, environment.read(folder))
