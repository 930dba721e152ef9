"""Which environment variables a service looks at, told by the service's own settings."""

from contextlib import suppress
from typing import Any

from services.chassis.settings import SettingsError, from_environment
from services.operations.surroundings import Surroundings


def asked(service: str, around: Surroundings) -> dict[str, Any]:
    """Variable → value of everything that a service looks at, as far as it gets before a wrong one."""
    environment = _Listening(around.variables)
    with suppress(SettingsError):
        from_environment(service, environment)
    return environment.asked


class _Listening(dict[str, str]):
    """An environment that remembers what it is asked for, so that no second list of settings has to be kept."""

    def __init__(self, environment: dict[str, str]) -> None:
        super().__init__(environment)
        self.asked: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        self.asked[key] = super().get(key, default)
        return self.asked[key]
