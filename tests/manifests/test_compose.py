"""compose.yaml and the images it builds: whole, valid, and understood by the services that it configures."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ruamel.yaml import YAML

from services.chassis.addresses import free_port
from services.chassis.database.address import parse
from services.chassis.settings import PORTS, Variables, from_environment
from services.chassis.testing import eventually
from services.local.gateway_main import settings as gateway_settings
from services.local.keys import Keys
from services.local.keys import of as keys_of
from tests.entitled import ENVIRONMENT

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "compose.yaml"
WITH_DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")
SERVERS = ("rabbitmq", "postgres", "mariadb")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file as Docker reads it when no variable is set."""
    text = WITH_DEFAULT.sub(r"\1", FILE.read_text(encoding="utf-8"))
    read: dict[str, Any] = YAML(typ="safe", pure=True).load(text)
    return read


def environment(compose: dict[str, Any], name: str) -> dict[str, str]:
    return {key: str(value) for key, value in compose["services"][name]["environment"].items()}


MOUNTED = "/run/tabling/keys"
GIVEN = {
    "services": {"installation"},
    "reception": {"installation", "passes", "phones"},
    "gateway": {"installation", "jwks.json"},
}
"""The files in the volumes with keys, by whose they are."""


@pytest.fixture
def keys(compose: dict[str, Any], tmp_path: Path) -> Keys:
    """What is in the volumes with keys, made as its container makes it."""
    interpreter, option, code = compose["services"]["keys"]["command"]
    assert interpreter == "python"
    for volume in compose["services"]["keys"]["volumes"]:
        name, place = volume.split(":")
        (tmp_path / name).mkdir()
        code = code.replace(f'"{place}', f'"{tmp_path / name}')
    for _ in range(2):
        subprocess.run([sys.executable, option, code], check=True)
    return keys_of(tmp_path / "keys")


def in_that_volume(compose: dict[str, Any], name: str, keys: Keys) -> dict[str, str]:
    """What a container is told, where its files are."""
    [volume] = compose["services"][name]["volumes"]
    source, place, mode = volume.split(":")
    assert (place, mode) == (MOUNTED, "ro")
    return {
        key: value.replace(MOUNTED, str(keys.jwks.parents[2] / source))
        for key, value in environment(compose, name).items()
    }


def test_everybody_sees_the_keys_that_are_theirs_and_nobody_the_one_that_signs(
    compose: dict[str, Any], keys: Keys
) -> None:
    for whose, files in GIVEN.items():
        folder = keys.jwks.parents[2] / f"keys-of-{whose}"
        assert {each.name for each in folder.iterdir()} == files
        assert {each.stat().st_mode & 0o777 for each in folder.iterdir()} == {0o600}
    for name, service in compose["services"].items():
        own = name.removeprefix("migrate-") if name.removeprefix("migrate-") in GIVEN else "services"
        seen = [each.partition(":")[0] for each in service.get("volumes", ()) if each.startswith("keys")]
        assert seen in ([f"keys-of-{own}"], []) or name == "keys", name


def test_it_follows_the_specification() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE)]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


def test_everything_of_ours_is_in_it_and_tells_how_it_is(compose: dict[str, Any]) -> None:
    once = {"demo", "keys", *(f"migrate-{name}" for name in PORTS)}
    assert set(compose["services"]) == {*PORTS, "gateway", "kakao", *SERVERS} | once
    for name, service in compose["services"].items():
        assert ("healthcheck" in service) is (name not in once), name
        assert service["restart"] == ("on-failure" if name in once else "unless-stopped"), name


@pytest.mark.parametrize("name", PORTS)
def test_a_service_waits_for_its_broker_and_its_migration_and_that_for_its_database(
    compose: dict[str, Any], name: str, keys: Keys
) -> None:
    services = compose["services"]
    database = parse(environment(compose, name)["TABLING_DATABASE"])
    assert database.get_backend_name() == ("mariadb" if name == "management" else "postgresql")
    assert services[name]["depends_on"] == {
        "rabbitmq": {"condition": "service_healthy"},
        "keys": {"condition": "service_completed_successfully"},
        f"migrate-{name}": {"condition": "service_completed_successfully"},
    }
    migration = services[f"migrate-{name}"]
    assert migration["depends_on"] == {
        str(database.host): {"condition": "service_healthy"},
        "keys": {"condition": "service_completed_successfully"},
    }
    assert migration["environment"].items() <= compose["services"][name]["environment"].items()
    assert from_environment(name, in_that_volume(compose, f"migrate-{name}", keys)).keys
    assert migration["command"][:5] == ["python", "-m", "services.operations", "migrate", name]
    assert migration["image"] == services[name]["image"]


def test_who_waits_for_health_waits_for_somebody_who_tells_it(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for other, wanted in service.get("depends_on", {}).items():
            healthy = wanted["condition"] == "service_healthy"
            assert healthy is ("healthcheck" in compose["services"][other]), (name, other)


@pytest.mark.parametrize("name", PORTS)
def test_a_service_understands_its_settings_and_finds_the_others(
    compose: dict[str, Any], name: str, keys: Keys
) -> None:
    settings = from_environment(name, in_that_volume(compose, name, keys))
    assert settings.keys == keys.installation
    assert settings.pass_keys == (keys.passes if name == "reception" else ())
    assert settings.phone_keys == (keys.phones if name == "reception" else ())
    assert settings.bus == "amqp://tabling:tabling@rabbitmq:5672/tabling"
    assert settings.listen == f"0.0.0.0:{PORTS[name]}"
    assert settings.upstreams == {other: f"{other}:{port}" for other, port in PORTS.items()}
    assert compose["services"][name]["healthcheck"]["test"][-1] == f"127.0.0.1:{PORTS[name]}"
    if name == "notification":
        assert settings.kakao_url == "http://kakao:9190"


def test_the_gateway_takes_tokens_that_are_signed_with_the_key_of_that_volume(
    compose: dict[str, Any], keys: Keys
) -> None:
    told = gateway_settings(in_that_volume(compose, "gateway", keys))
    assert isinstance(told.issuer.jwks, Path)
    assert (told.key, told.issuer.name) == (keys.installation[0], keys.issuer.name)
    assert told.issuer.jwks.read_text() == keys.jwks.read_text()
    made = Variables("management", in_that_volume(compose, "demo", keys)).keys()
    assert made == keys.installation


def test_every_database_that_is_used_is_made(compose: dict[str, Any]) -> None:
    used = {name: parse(environment(compose, name)["TABLING_DATABASE"]) for name in PORTS}
    made = set(re.findall(r"CREATE DATABASE (\w+);", compose["configs"]["databases"]["content"]))
    made |= {
        environment(compose, "postgres")["POSTGRES_DB"],
        environment(compose, "mariadb")["MARIADB_DATABASE"],
    }
    assert {url.database for url in used.values()} == made == set(PORTS)


def test_it_needs_nothing_of_the_machine_and_shows_itself_to_the_machine_only(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in compose["volumes"], (name, volume)
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), (name, port)
        assert not {"network_mode", "privileged", "pid", "devices"} & set(service), name


def copies(target: str, service: str) -> Iterator[tuple[list[str], str]]:
    """What the Dockerfile copies from here into the image of a service: sources and destination."""
    stages: dict[str, tuple[str, list[tuple[list[str], str]]]] = {}
    now = ""
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        word, *words = line.replace("${SERVICE}", service).split() or [""]
        if word == "FROM":
            now = words[-1]
            stages[now] = (words[0], [])
        elif word == "COPY" and not words[0].startswith("--from"):
            stages[now][1].append((words[:-1], words[-1]))
    base, own = stages[target]
    if base in stages:
        yield from copies(base, service)
    yield from own


@pytest.fixture
def image(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with the files of an image; `gen` is what its build makes of protos/."""
    target, service = request.param
    folder = tmp_path / "tabling"
    shutil.copytree(ROOT / "gen", folder / "gen", ignore=shutil.ignore_patterns("__pycache__"))
    for sources, destination in copies(target, service):
        for source in sources:
            place = folder / destination / Path(source).name if destination.endswith("/") else folder / destination
            place.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, place)
    return folder


def inside(image: Path, module: str, *arguments: str) -> list[str]:
    """A command as it runs there: with the image's code and no other of ours."""
    path = [str(image), str(image / "gen"), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    code = (
        f"import runpy, sys; sys.path[:0] = {path}; sys.argv[1:] = {list(arguments)}; "
        f"runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
    )
    return [sys.executable, "-I", "-S", "-c", code]


def test_what_images_are_made_of_is_there_and_sent_to_the_build() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    kept = [line[1:] for line in ignored if line.startswith("!")]
    for target, service in [("tools", ""), ("gateway", ""), *(("service", name) for name in (*PORTS, "kakao"))]:
        for sources, _ in copies(target, service):
            for source in sources:
                assert (ROOT / source).exists(), source
                assert any(source == name or fnmatch(source, f"{name}/*") for name in kept), source


@pytest.mark.parametrize("image", [("service", name) for name in PORTS], indirect=True, ids=PORTS)
def test_the_image_of_a_service_migrates_and_loads(image: Path, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    name = request.node.callspec.id
    env = {"PATH": os.environ["PATH"], **ENVIRONMENT, "TABLING_DATA": str(tmp_path / "data")}
    for module, arguments in (("services.operations", ["migrate", name]), (f"services.{name}.app", [])):
        done = subprocess.run(
            inside(image, module, *arguments), cwd=image, env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "data" / f"{name}.db").exists()


@pytest.mark.parametrize("image", [("gateway", "")], indirect=True)
async def test_the_image_of_the_gateway_becomes_envoy(image: Path) -> None:
    port = free_port()
    told = {"TABLING_GATEWAY_LISTEN": f"127.0.0.1:{port}", "TABLING_GATEWAY_JWKS": "https://127.0.0.1/jwks.json"}
    env = {"PATH": os.environ["PATH"], **ENVIRONMENT, **told}
    gateway = subprocess.Popen(inside(image, "services.local.gateway_main"), cwd=image, env=env, stderr=subprocess.PIPE)

    async def status() -> int:
        assert gateway.poll() is None, gateway.communicate()
        try:
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/healthz") as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0

    try:
        # nobody is behind it
        assert await eventually(status, seconds=30) == 503
        assert b"envoy" in Path(f"/proc/{gateway.pid}/cmdline").read_bytes()
    finally:
        gateway.terminate()
        gateway.communicate(timeout=10)
