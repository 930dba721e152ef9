"""The figures of the embedded system: one port for all of it."""

from pathlib import Path

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.chassis.settings import PORTS
from tests.e2e.system import free_ports, running_system

pytestmark = pytest.mark.e2e


async def test_one_port_shows_the_figures_of_all_services(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_ports(1, first=31_000, last=32_000)}"
    environment = {"TABLING_METRICS_LISTEN": listen}
    async with (
        running_system(tmp_path / "data", "--no-demo", "--no-gateway", environment=environment) as system,
        aiohttp.ClientSession() as http,
    ):
        async with http.get(f"http://{listen}/metrics") as answer:
            families = {family.name: family for family in text_string_to_metric_families(await answer.text())}
        up = {sample.labels["service"]: sample.value for sample in families["tabling_outbox_envelopes"].samples}
        assert up == dict.fromkeys(PORTS, 0)
        assert families["process_resident_memory_bytes"].samples
        assert await system.stop() < 5
