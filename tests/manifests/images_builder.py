"""Images made with buildah, which needs no daemon, in a folder of their own that is kept from one run to the next."""

import fcntl
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.manifests.images_base import BASE, make_base

__all__ = ["BASE", "Builder", "Image", "builder", "copy_sources"]

ROOT = Path(__file__).resolve().parents[2]
SOURCES = (
    ".dockerignore",
    "Dockerfile",
    "envoy",
    "protos",
    "pyproject.toml",
    "requirements-images.lock",
    "requirements.lock",
    "scripts",
    "services",
)
TOOLS = ("buildah", "debootstrap", "unshare", "chroot")
MOST_MEGABYTES = 6000
"""When the folder takes more, it is begun anew: of each change to the recipe something stays behind."""


class CannotBuild(Exception):
    """Images cannot be made here; the text says what to type."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that was made: what a runtime goes by, the digests of its layers, the base's first."""

    name: str
    config: Mapping[str, Any]
    layers: Sequence[str]

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.config["Env"])


class Builder:
    """Buildah with its images in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf")}
        self._settle()

    def build(self, sources: Path, *arguments: str) -> None:
        """Run `scripts/images` of a copy of the sources."""
        self._run("scripts/images", "--engine", "buildah", "--base", BASE, *arguments, cwd=sources)

    def image(self, name: str) -> Image:
        """What is known of the image."""
        told = json.loads(self.buildah("inspect", "--type", "image", f"localhost/tabling-{name}"))["OCIv1"]
        return Image(name, told["config"], told["rootfs"]["diff_ids"])

    @contextmanager
    def files(self, image: str) -> Iterator[Path]:
        """The folder with all files of the image, while the context lasts."""
        container = self.buildah("from", "--pull-never", image)
        try:
            yield Path(self.buildah("mount", container))
        finally:
            self.buildah("rm", container)

    def buildah(self, *arguments: str) -> str:
        """What buildah answers. Raises `AssertionError` when it fails."""
        return self._run("buildah", *arguments).strip()

    def _run(self, *command: str, cwd: Path = ROOT) -> str:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def _settle(self) -> None:
        """Choose how layers are kept, throw away what became too much, make the base."""
        for driver in ("overlay", "vfs"):
            store = self.folder / driver
            (self.folder / "storage.conf").write_text(
                f'[storage]\ndriver = "{driver}"\ngraphroot = "{store}"\nrunroot = "{self.folder / "run"}"\n'
            )
            if (
                subprocess.run(["buildah", "info"], env=self._environment, capture_output=True, check=False).returncode
                == 0
            ):
                break
        self.buildah("rm", "--all")  # of a run that was killed
        if int(self._run("du", "-smx", str(self.folder)).split()[0]) > MOST_MEGABYTES:
            self.buildah("rmi", "--all", "--force")
        make_base(self.buildah)


@contextmanager
def builder() -> Iterator[Builder]:
    """The builder of this machine; one at a time uses it. Raises `CannotBuild`."""
    require_tools()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "tabling" / "images"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Builder(folder)


def require_tools() -> None:
    """Raises `CannotBuild` when something is missing that building and running takes."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        raise CannotBuild(
            f"{', '.join(missing)} missing. Type\n    sudo apt-get install buildah debootstrap     (Debian, Ubuntu)"
        )
    if os.geteuid() != 0:
        raise CannotBuild(
            "only root can make a base and run an image without a container runtime. Type\n"
            "    sudo scripts/test tests/manifests/test_images.py"
        )


def copy_sources(origin: Path, copy: Path) -> Path:
    """What images are made of, in another folder, without what running it here left behind."""
    copy.mkdir()
    for name in SOURCES:
        if (origin / name).is_dir():
            shutil.copytree(origin / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin / name, copy)
    return copy
