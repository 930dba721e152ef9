"""What Istio's proxies are told to show is what alerts and panels ask for: a real Envoy, set up as Istio does it."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from services.chassis.addresses import free_port
from services.chassis.testing import eventually
from services.local.gateway import command
from tests.manifests.promql import spoken
from tests.manifests.test_monitoring import MONITORING, YAML_FILES, expressions
from tests.mesh.envoy import TAGS

CLUSTER = "outbound|9102||seat.tabling.svc.cluster.local"


def wanted() -> list[str]:
    """The figures of clusters that the pods' annotation asks for."""
    patch = YAML_FILES.load((MONITORING / "proxy-figures.yaml").read_text("utf-8"))
    annotation = patch["spec"]["template"]["metadata"]["annotations"]["proxy.istio.io/config"]
    found: list[str] = YAML_FILES.load(annotation)["proxyStatsMatcher"]["inclusionRegexps"]
    return found


def kept(monitor: str, *labels: str) -> bool:
    """Whether Prometheus keeps a figure that it reads of these proxies."""
    monitors = YAML_FILES.load_all((MONITORING / "proxies.yaml").read_text("utf-8"))
    [spec] = [each["spec"] for each in monitors if each["metadata"]["name"] == monitor]
    [endpoint] = spec["podMetricsEndpoints"]
    [rule] = endpoint["metricRelabelings"]
    assert (rule["action"], len(rule["sourceLabels"])) == ("keep", len(labels))
    return bool(re.fullmatch(rule["regex"], ";".join(labels)))


def test_prometheus_keeps_what_is_asked_of_it() -> None:
    asked = set().union(*(spoken(text).metrics for _, text in expressions()))
    of_proxies = {metric for metric in asked if metric.startswith(("istio_", "envoy_"))}
    assert of_proxies
    assert all(kept("tabling-proxies", metric) for metric in of_proxies)
    # the ingress gateway alone tells of requests to our gateway; it may serve others, too
    of_requests = {metric for metric in of_proxies if metric.startswith("istio_")}
    assert all(kept("tabling-ingress", metric, "tabling") for metric in of_requests)
    assert not any(kept("tabling-ingress", metric, "elsewhere") for metric in of_requests)


def configuration(port: int) -> dict[str, Any]:
    """A proxy with one cluster, named and shown as Istio does: its name ends with a semicolon among the figures."""
    return {
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}},
        "stats_config": {
            "use_all_default_tags": False,
            "stats_tags": TAGS,
            "stats_matcher": {"inclusion_list": {"patterns": [{"safe_regex": {"regex": each}} for each in wanted()]}},
        },
        "static_resources": {
            "clusters": [
                {
                    "name": CLUSTER,
                    "alt_stat_name": f"{CLUSTER};",
                    "type": "STATIC",
                    "outlier_detection": {},
                    "load_assignment": {"cluster_name": CLUSTER},
                }
            ]
        },
    }


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[str]:
    """Where one shows its figures."""
    port, file = free_port(), tmp_path / "envoy.json"
    file.write_text(json.dumps(configuration(port)), "utf-8")
    running = subprocess.Popen(command(file, 1), stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/stats/prometheus"
    finally:
        running.terminate()
        running.wait(10)


async def test_a_proxy_shows_what_is_asked_of_it(proxy: str) -> None:
    async def shown() -> str:
        try:
            async with aiohttp.ClientSession() as http, http.get(proxy) as answer:
                return await answer.text()
        except aiohttp.ClientConnectionError:
            return ""

    names = set(re.findall(r'^(\w+)\{cluster_name="([^"]*)"\}', await eventually(shown), re.MULTILINE))
    asked = [(metric, label, value) for _, text in expressions() for metric, label, value in spoken(text).matched]
    of_clusters = {metric for metric, _, _ in asked if metric.startswith("envoy_cluster_")}
    assert of_clusters
    for metric in of_clusters:
        assert (metric, CLUSTER) in names
    for metric, label, value in asked:
        if metric in of_clusters and label == "cluster_name":
            assert re.fullmatch(value.replace("$namespace", "tabling"), CLUSTER), value
