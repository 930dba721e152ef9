"""The programs that judge and play the mesh: made by `scripts/setup mesh`, from Go modules that are pinned."""

import subprocess
from pathlib import Path

from tests.e2e.system import ROOT

FOLDER = ROOT / ".venv" / "mesh"


class NotMade(Exception):
    """The program is not there; the text says what to type."""


def program(name: str) -> Path:
    """istioctl, istiod (ours, for tests) or kustomize. Raises `NotMade`."""
    found = FOLDER / name
    if not found.exists():
        raise NotMade(f"{name} is missing: type scripts/setup dev servers images mesh")
    return found


def kustomize(folder: Path) -> str:
    """What `kubectl apply --kustomize folder` would send, as YAML."""
    built = subprocess.run([program("kustomize"), "build", folder], capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    return built.stdout
