"""The images, really made and really run: on a read-only root, as nobody in particular, without what built them."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

from services.chassis.addresses import free_port
from services.chassis.health import State, ask_health
from services.chassis.settings import PORTS
from services.chassis.testing import eventually
from tests.drills.table import FIGURES
from tests.drills.trial import FULL
from tests.entitled import ENVIRONMENT
from tests.manifests.images_builder import BASE, ROOT, Builder, Image, builder, copy_sources
from tests.manifests.images_container import container, run

NAMES = ("reception", "gateway")
PACKAGED = {"reception": {"chassis", "operations", "reception"}, "gateway": {"chassis", "local"}}
REVISION = "0123456789abcdef"
OWNER = 10001
BUILDERS = re.compile(
    r"(.*-)?(gcc|g\+\+|cc|c\+\+|clang|ld|make|cmake|cargo|rustc|git|uv|buf|protoc)(-\d+)?|pip\d*(\.\d+)?"
    r"|(pip|setuptools|wheel)-.*"
)
INSTALLERS = ("pip", "ensurepip", "setuptools", "wheel", "grpc_tools", "mypy_protobuf")
MOST_MEGABYTES = {"reception": 180, "gateway": 170}
"""What an image may bring beside its base."""

Made = tuple[Image, Path]
"""An image, and the folder with its files."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the images are made of, as it is now."""
    return copy_sources(ROOT, tmp_path_factory.mktemp("images") / "sources")


@pytest.fixture(scope="module")
def images(sources: Path) -> Iterator[Builder]:
    """The builder, when it has made the images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REVISION", REVISION)
        with builder() as it:
            it.build(sources, *NAMES)
            yield it


@pytest.fixture(scope="module")
def opened(images: Builder) -> Iterator[dict[str, Made]]:
    """All images by name."""
    with images.files("localhost/tabling-reception") as one, images.files("localhost/tabling-gateway") as other:
        yield {"reception": (images.image("reception"), one), "gateway": (images.image("gateway"), other)}


@pytest.fixture
def image(opened: dict[str, Made], request: pytest.FixtureRequest) -> Made:
    """One of them."""
    return opened[request.param]


every_image = pytest.mark.parametrize("image", NAMES, indirect=True)
reception = pytest.mark.parametrize("image", ["reception"], indirect=True)
gateway = pytest.mark.parametrize("image", ["gateway"], indirect=True)


@reception
async def test_a_service_migrates_serves_and_ends_when_it_is_told_to(image: Made) -> None:
    target = f"127.0.0.1:{free_port()}"
    command = ["sh", "-c", f"python -m services.operations migrate $SERVICE && {image[0].config['Cmd'][-1]}"]
    with container(*image, {**ENVIRONMENT, "TABLING_LISTEN": target}, command) as service:

        async def serves() -> bool:
            assert service.runs(), service.stop()
            return await ask_health(target) is State.SERVING

        assert await eventually(serves, seconds=60)
        code, log = service.stop()
    assert code == 0, log
    assert "/data/reception.db" in log


@gateway
async def test_the_gateway_becomes_envoy_and_answers(image: Made) -> None:
    port = free_port()
    jwks = "https://login.tabling.example.com/jwks.json"
    told = {**ENVIRONMENT, "TABLING_GATEWAY_LISTEN": f"127.0.0.1:{port}", "TABLING_GATEWAY_JWKS": jwks}
    with container(*image, told) as envoy:

        async def status() -> int:
            assert envoy.runs(), envoy.stop()
            try:
                async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/healthz") as answer:
                    return answer.status
            except aiohttp.ClientError:
                return 0

        # nobody is behind it
        assert await eventually(status, seconds=60) == 503
        assert Path(f"/proc/{envoy.pid}/cmdline").read_bytes().partition(b"\0")[0].endswith(b"envoy")
        code, log = envoy.stop()
    assert code == 0, log


@gateway
def test_the_demo_stores_can_be_made_by_the_image_of_the_gateway(image: Made) -> None:
    assert run(*image, "python", "-c", "from services.local.demo import STORES; print(len(STORES))") == "6\n"


@every_image
def test_it_runs_as_nobody_in_particular_and_can_write_nothing_but_its_data(image: Made) -> None:
    config, files = image[0].config, image[1]
    assert config["User"] == f"{OWNER}:{OWNER}"
    assert run(*image, "id", "-u") == f"{OWNER}\n"
    touch = "touch /data/a /tmp/a && for folder in / /tabling /etc; do touch $folder/a 2>/dev/null || echo no; done"
    assert run(*image, "sh", "-c", touch).split() == ["no"] * 3
    assert [path.name for path in files.iterdir() if path.stat().st_uid == OWNER] == ["data"]
    assert not [path for path in (files / "tabling").rglob("*") if path.lstat().st_uid == OWNER]


@every_image
def test_nothing_in_it_builds_or_installs(image: Made) -> None:
    found = [path for path in image[1].rglob("*") if BUILDERS.fullmatch(path.name) and path.is_file()]
    assert not found
    importable = f"import importlib.util as u; print([name for name in {INSTALLERS} if u.find_spec(name)])"
    for python in ("python", "/usr/bin/python3"):
        assert run(*image, python, "-c", importable) == "[]\n"


@every_image
def test_it_holds_its_own_code_and_no_other(image: Made) -> None:
    told, files = image
    services = files / "tabling" / "services"
    assert {path.name for path in services.iterdir() if path.is_dir()} - {"__pycache__"} == PACKAGED[told.name]
    envoy = [path for path in (files / "tabling").rglob("envoy") if path.parent.name == "_bin"]
    assert len(envoy) == (told.name == "gateway")
    databases = run(*image, "python", "-c", "import importlib.util as u; print(bool(u.find_spec('sqlalchemy')))")
    assert databases == f"{told.name != 'gateway'}\n"


@every_image
def test_all_code_is_compiled_because_nothing_can_be_written_when_it_runs(image: Made) -> None:
    folders = {"gen", "services"}
    code = [path for name in folders for path in (image[1] / "tabling" / name).rglob("*.py")]
    assert code
    assert not [path for path in code if not list((path.parent / "__pycache__").glob(f"{path.stem}.cpython-*.pyc"))]


@every_image
def test_it_says_what_it_is(image: Made) -> None:
    labels = {name.rpartition(".")[2]: value for name, value in image[0].config["Labels"].items()}
    assert labels["title"] == f"tabling-{image[0].name}"
    assert labels["revision"] == REVISION
    assert re.fullmatch(r"\d+\.\d+\.\d+", labels["version"])


PYTHON_PACKAGES = """
from importlib.metadata import distributions
for each in distributions(): print(each.name.lower().replace("_", "-").replace(".", "-"), each.version)
"""
DEBIAN_PACKAGES = ("dpkg-query", "--show", "--showformat", "${Package} ${Version}\\n")


@every_image
def test_it_lists_all_that_is_installed_and_nothing_else(image: Made) -> None:
    text = (image[1] / image[0].config["Labels"]["tabling.sbom"].lstrip("/")).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    listed: dict[str, set[str]] = {}
    for component in json.loads(text)["components"]:
        package = PackageURL.from_string(component["purl"])
        listed.setdefault(package.type, set()).add(f"{package.name} {package.version}")
    python = run(*image, "python", "-c", "import platform; print('python', platform.python_version())")
    assert listed == {
        "pypi": set(run(*image, ".venv/bin/python", "-I", "-c", PYTHON_PACKAGES).splitlines()),
        "deb": set(run(*image, *DEBIAN_PACKAGES).splitlines()),
        "generic": {python.strip()},
    }


@every_image
def test_it_is_small(image: Made, request: pytest.FixtureRequest, images: Builder) -> None:
    told, files = image
    own = megabytes(files / "tabling")
    with images.files(BASE) as base:
        line = f"image {told.name}: {megabytes(files)} MB, of which ours {own} MB; its base {megabytes(base)} MB"
    request.config.stash.setdefault(FIGURES, []).append(line)
    assert own <= MOST_MEGABYTES[told.name]


@pytest.mark.skipif(not FULL, reason="only when TABLING_DRILLS=full: builds everything twice")
def test_made_again_elsewhere_it_is_the_same_to_the_byte(images: Builder, sources: Path, tmp_path: Path) -> None:
    before = images.image("reception")
    again = copy_sources(sources, tmp_path / "elsewhere")
    for path in again.rglob("*"):
        os.utime(path)

    images.build(again, "--no-cache", "reception")

    after = images.image("reception")
    assert after.layers == before.layers
    assert after.config == before.config


def test_there_is_an_image_for_each_service() -> None:
    listed = re.search(r"^all=\((.*)\)$", (ROOT / "scripts" / "images").read_text(), re.MULTILINE)
    assert listed is not None
    assert set(listed[1].split()) == {*PORTS, "kakao", "gateway"}


def megabytes(folder: Path) -> int:
    """What the files below it take, each counted once."""
    sizes = {path.lstat().st_ino: path.lstat().st_size for path in folder.rglob("*") if path.is_file()}
    return round(sum(sizes.values()) / 1_000_000)
