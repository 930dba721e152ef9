"""The next version of reception beside the one that runs: added as its files say, its pods have all that ours have."""

import copy
import re
import shutil
from pathlib import Path

import pytest
import yaml

from tests.e2e.system import ROOT
from tests.manifests.kustomized import EXAMPLES, Object, of_kind, read
from tests.mesh.tools import kustomize

OF_THE_NEXT = ("canary-a-tenth-of-reception", "mirror-reception-to-its-next-version")
LINE = re.compile(r"as the\W+first of the components.*?components:\n# +- (\S+)", re.DOTALL)


def with_example(folder: Path, example: str) -> list[Object]:
    """Production with the line that the canary's file tells, where it tells to put it."""
    for name in ("k8s", "istio"):
        shutil.copytree(ROOT / name, folder / name)
    found = LINE.search((EXAMPLES / OF_THE_NEXT[0] / "kustomization.yaml").read_text("utf-8"))
    assert found
    file = folder / "k8s" / "overlays" / "prod" / "kustomization.yaml"
    overlay = yaml.safe_load(file.read_text("utf-8"))
    overlay["components"].insert(0, found[1].replace(OF_THE_NEXT[0], example))
    file.write_text(yaml.safe_dump(overlay), encoding="utf-8")
    return read(kustomize(file.parent))


@pytest.mark.parametrize("example", OF_THE_NEXT)
def test_its_pods_differ_only_in_track_and_image(tmp_path: Path, example: str) -> None:
    pods = {
        each["metadata"]["name"]: copy.deepcopy(each["spec"]["template"])
        for each in of_kind(with_example(tmp_path, example), "Deployment")
    }
    stable, canary = pods["reception"], pods["reception-canary"]
    for pod, track in ((stable, "stable"), (canary, "canary")):
        assert pod["metadata"]["labels"].pop("track") == track
        images = {each.pop("image") for kind in ("containers", "initContainers") for each in pod["spec"][kind]}
        assert len(images) == 1
        assert ("canary" in images.pop()) is (track == "canary")
    # Prometheus can read the figures that one wants to watch
    assert "9100" in canary["metadata"]["annotations"]["traffic.sidecar.istio.io/excludeInboundPorts"]
    assert canary == stable
