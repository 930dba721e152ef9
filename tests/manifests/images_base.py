"""A small Debian or Ubuntu as the base of images, made by debootstrap from where this machine takes its packages."""

import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

BASE = "localhost/tabling-base"
PACKAGES = "ca-certificates,python3,python3-venv"
SECTIONS = {"ubuntu": "main,universe"}
FIELDS = "$(REPO_URI) $(RELEASE) $(COMPONENT)"

Buildah = Callable[..., str]
"""Runs buildah with these arguments; gives what it prints."""


def make_base(buildah: Buildah) -> None:
    """Make it, if it is not there yet."""
    if BASE in buildah("images", "--format", "{{.Name}}").split():
        return
    system = platform.freedesktop_os_release()
    suite, sections = system["VERSION_CODENAME"], SECTIONS.get(system["ID"], "main")
    container = buildah("from", "scratch")
    folder = Path(buildah("mount", container))
    # what it mounts in there goes when it ends, however it ends
    alone = ["unshare", "--mount", "--propagation=private"]
    options = ["--variant=minbase", f"--include={PACKAGES}", f"--components={sections}"]
    made = subprocess.run(
        [*alone, "debootstrap", *options, suite, str(folder), mirror(suite)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout[-3000:] + made.stderr[-3000:]
    for archives in ("var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(folder / archives)
    buildah("config", "--cmd", "/bin/sh", container)
    buildah("commit", "--rm", container, BASE)


def mirror(suite: str) -> str:
    """Where apt takes the packages of this release from."""
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", FIELDS, "Created-By: Packages"],
        capture_output=True,
        text=True,
        check=True,
    )
    for line in listed.stdout.splitlines():
        address, release, section = line.split()
        if (release, section) == (suite, "main"):
            return address
    raise AssertionError(f"apt's sources have no main section of {suite}:\n{listed.stdout}")
