"""The example that transcodes JSON in the ingress gateway: its filter, and production with it."""

import re
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from scripts.ingress_transcoder import FILE
from tests.e2e.system import ROOT
from tests.manifests.kustomized import EXAMPLES, K8S, Object, built, read
from tests.mesh.tools import kustomize


@cache
def the_filter() -> Sequence[Object]:
    """What the operators' script makes, and kustomize of it."""
    made = subprocess.run([ROOT / "scripts" / "ingress-transcoder"], capture_output=True, text=True, check=True)
    assert re.search(r"envoy-filter\.yaml: \d+ bytes of 1048576\n$", made.stdout), made.stdout
    return read(kustomize(FILE.parent))


@cache
def with_the_example() -> Sequence[Object]:
    """Production with the example, but for the filter."""
    with tempfile.TemporaryDirectory() as folder:
        return built(Path(folder), [K8S / "overlays" / "prod"], [EXAMPLES / "transcode-json-at-the-ingress"])
