"""What operators are shown and woken for: alerts, their runbook, Grafana's dashboard."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from prometheus_client import CollectorRegistry, ProcessCollector
from ruamel.yaml import YAML

from services.chassis.kernel import StorageFull, TooBusy
from services.chassis.metrics import SECONDS
from services.chassis.settings import PORTS
from services.management.domain.order import OrderState
from services.notification.domain.notice import State as NoticeState
from services.reception.domain.reception import State as ReceptionState
from tabling.reception.v1.reception_service_pb2 import DESCRIPTOR
from tests.manifests.kustomized import combined
from tests.manifests.promql import spoken

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "k8s" / "components" / "monitoring"
CASES = Path(__file__).parent / "alerts"
GUIDE = ROOT / "docs" / "operations.md"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))
YAML_FILES = YAML(typ="safe", pure=True)

OF_THE_GUIDE = re.compile(r"^\| `(tabling_\w+)`[ ◇]*\| ([\w, ]*?) ?\| (histogram)?", re.MULTILINE)
OF_THE_TARGET = {"namespace", "pod", "container", "job", "instance"}
"""Labels that Prometheus puts on everything it reads from a pod."""

ISTIO = {
    *("reporter", "source_workload", "destination_service_name", "destination_service_namespace"),
    *("response_code", "response_flags", "grpc_response_status"),
}
OF_OTHERS = {
    # kube-state-metrics
    "kube_deployment_status_replicas_available": {"deployment"},
    "kube_deployment_spec_replicas": {"deployment"},
    "kube_pod_container_status_restarts_total": set(),
    "kube_pod_container_resource_limits": {"resource"},
    "kube_horizontalpodautoscaler_status_current_replicas": {"horizontalpodautoscaler"},
    "kube_horizontalpodautoscaler_spec_max_replicas": {"horizontalpodautoscaler"},
    # cAdvisor and kubelet
    "container_memory_working_set_bytes": set(),
    "kubelet_volume_stats_available_bytes": {"persistentvolumeclaim"},
    "kubelet_volume_stats_capacity_bytes": {"persistentvolumeclaim"},
    # Istio's proxies
    "istio_requests_total": ISTIO,
    "istio_request_duration_milliseconds_bucket": ISTIO | {"le"},
    "envoy_http_rbac": {"authz_enforce_result"},
    "envoy_cluster_outlier_detection_ejections_active": {"cluster_name"},
    "envoy_cluster_circuit_breakers_default_rq_open": {"cluster_name"},
    "envoy_cluster_upstream_rq_pending_overflow": {"cluster_name"},
    # RabbitMQ's plugin
    "rabbitmq_alarms_memory_used_watermark": set(),
    "rabbitmq_alarms_free_disk_space_watermark": set(),
    "rabbitmq_queue_messages_ready": set(),
    "rabbitmq_process_resident_memory_bytes": set(),
    # CloudNativePG
    "cnpg_pg_stat_database_xact_commit": {"datname"},
    "cnpg_pg_replication_lag": set(),
    # Prometheus itself
    "ALERTS": set(),
}
"""Metric → labels of what others count, from their documentation."""

JOIN = next(iter(DESCRIPTOR.services_by_name.values())).methods_by_name["CreateReception"]
VALUES = {
    "service": set(PORTS),
    "source": set(PORTS),
    "code": {code.name for code in grpc.StatusCode} | {"DATA_LOSS"},
    "reason": {"INTERNAL", TooBusy("").reason, StorageFull("").reason},
    "state": {state.value for state in (*ReceptionState, *OrderState, *NoticeState)},
    "outcome": {"committed", "refused", "failed"},
    "le": set(map(str, SECONDS)),
    "dependency": {"database", "bus"},
}
"""What a label of ours may be."""


def rules() -> list[dict[str, Any]]:
    """Every rule, recorded ones included."""
    files = [YAML_FILES.load(path.read_text("utf-8")) for path in sorted((MONITORING / "rules").glob("*.yaml"))]
    return [rule for file in files for group in file["spec"]["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    return [rule for rule in rules() if "alert" in rule]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Who asks what."""
    for rule in rules():
        yield rule.get("alert") or rule["record"], rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


def known() -> dict[str, set[str]]:
    """Metric → labels. That the guide tells the truth about the services is proven where they run."""
    found = {**OF_OTHERS, **{rule["record"]: set() for rule in rules() if "record" in rule}}
    for name, labels, histogram in OF_THE_GUIDE.findall(GUIDE.read_text("utf-8")):
        own = {"service", *filter(None, labels.split(", "))} - ({"service"} if "event_loop" in name else set())
        found |= {f"{name}{suffix}": own | {"le"} for suffix in ("_bucket",)} if histogram else {name: own}
        found |= {f"{name}{suffix}": own for suffix in ("_sum", "_count")} if histogram else {}
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return found | {sample.name: set() for family in registry.collect() for sample in family.samples}


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    assert found, "promtool is missing. Type: sudo apt-get install --no-install-recommends prometheus"
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def rules_file(folder: Path, found: list[dict[str, Any]]) -> Path:
    """A file as Prometheus itself reads it, without what only kustomize fills in."""
    for rule in found:
        rule.get("annotations", {}).pop("runbook_url", None)
    # JSON is YAML
    file = folder / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "tabling", "interval": "30s", "rules": found}]}), "utf-8")
    return file


def test_prometheus_understands_every_rule(promtool: str, tmp_path: Path) -> None:
    checked = run(promtool, "check", "rules", "--lint=all", rules_file(tmp_path, rules()))
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_prometheus_understands_every_panel(promtool: str, tmp_path: Path) -> None:
    given = {"$__rate_interval": "5m", "$namespace": "tabling", "$service": ".*"}
    asked = []
    for number, panel in enumerate(panels()):
        for target in panel["targets"]:
            expression = target["expr"]
            for variable, value in given.items():
                expression = expression.replace(variable, value)
            assert not re.search(r"\$\D", expression), panel["title"]
            asked.append({"record": f"panel{number}:{target['refId']}", "expr": expression})
    checked = run(promtool, "check", "rules", rules_file(tmp_path, asked))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("case", sorted(path.name for path in CASES.glob("*.yaml")))
def test_alerts_wake_somebody_when_they_should_and_say_so_in_these_words(
    promtool: str, tmp_path: Path, case: str
) -> None:
    rules_file(tmp_path, rules())
    shutil.copy(CASES / case, tmp_path)
    tested = run(promtool, "test", "rules", tmp_path / case)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_has_a_case_in_which_it_fires() -> None:
    fired = set()
    for path in CASES.glob("*.yaml"):
        for case in YAML_FILES.load(path.read_text("utf-8"))["tests"]:
            for test in case.get("alert_rule_test", ()):
                fired |= {(test["alertname"], alert["exp_labels"]["severity"]) for alert in test.get("exp_alerts", ())}
    assert fired == {(alert["alert"], alert["labels"]["severity"]) for alert in alerts()}


def test_every_metric_and_label_that_is_asked_for_exists() -> None:
    exists = known()
    for who, expression in expressions():
        found = spoken(expression)
        assert found.metrics <= exists.keys(), (who, found.metrics - exists.keys())
        for metric, label, value in found.matched:
            assert label in exists[metric] | OF_THE_TARGET, (who, metric, label)
            if metric.startswith("tabling_") and label in VALUES and re.fullmatch(r"[\w|.]+", value):
                assert set(value.split("|")) <= VALUES[label] | {"LINE_FULL"}, (who, metric, label, value)
        of_all = set().union(*(exists[metric] for metric in found.metrics)) | OF_THE_TARGET | found.made
        assert found.grouped <= of_all, (who, found.grouped - of_all)


def test_what_is_taken_apart_is_what_is_said() -> None:
    found = spoken(
        'label_replace(max by (le) (rate(a_bucket{x=~"1|2", y!="z"}[5m] offset 1h)) / b, "new", "$1", "x", "")'
    )
    assert found.metrics == {"a_bucket", "b"}
    assert found.matched == [("a_bucket", "x", "1|2"), ("a_bucket", "y", "z")]
    assert (found.grouped, found.made) == ({"le"}, {"new"})


def test_a_join_is_counted_under_the_name_it_has() -> None:
    name = f'method="{JOIN.containing_service.full_name}/{JOIN.name}"'
    methods = {found for _, text in expressions() for found in re.findall(r'method="[^"]*"', text)}
    assert methods == {name}


def test_all_that_the_services_tell_can_be_seen() -> None:
    asked = set().union(*(spoken(target["expr"]).metrics for panel in panels() for target in panel["targets"]))
    told = {re.sub("_(bucket|sum|count)$", "", name) for name in known() if name.startswith("tabling_")}
    assert told == {re.sub("_(bucket|sum|count)$", "", name) for name in asked if name.startswith("tabling_")}


def test_every_alert_says_what_is_wrong_and_where_to_read_on() -> None:
    for alert in alerts():
        assert alert["labels"].keys() == {"severity"}
        assert alert["labels"]["severity"] in ("page", "ticket")
        assert alert["annotations"]["summary"].endswith(".")
        assert alert["annotations"]["runbook_url"] == f"RUNBOOK#{alert['alert'].lower()}"


def test_the_place_of_the_runbook_is_said_once(tmp_path: Path) -> None:
    objects = [found for found in combined(tmp_path, ["monitoring"]) if found["metadata"]["name"].startswith("tabling")]
    place = YAML_FILES.load((MONITORING / "runbook.yaml").read_text("utf-8"))["data"]["url"]
    groups = [group for found in objects if found["kind"] == "PrometheusRule" for group in found["spec"]["groups"]]
    told = [rule for group in groups for rule in group["rules"] if "alert" in rule]
    assert len(told) == len(alerts())
    for alert in told:
        assert alert["annotations"]["runbook_url"] == f"{place}#{alert['alert'].lower()}"
    shown = [found for found in objects if found["metadata"].get("labels", {}).get("grafana_dashboard") == "1"]
    assert [json.loads(found["data"]["dashboard.json"]) for found in shown] == [DASHBOARD]


def test_the_dashboard_is_one_that_grafana_can_show() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    assert DASHBOARD["schemaVersion"] >= 38
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "namespace", "service"}
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    for panel in panels():
        assert panel["title"]
        assert panel["targets"], panel["title"]
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
