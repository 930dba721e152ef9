"""A step of the images' build: writes sbom.cdx.json, the list of what is installed, as CycloneDX (ECMA-424).

cyclonedx-py tells of Python's packages, dpkg of Debian's; with them comes the Python that runs ours.
"""

import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from packageurl import PackageURL

FILE = Path("sbom.cdx.json")
PYTHON_PACKAGES = ("/tools/bin/cyclonedx-py", "environment", "--output-reproducible", ".venv")
FIELDS = ("db:Status-Abbrev", "Package", "Version", "Architecture", "source:Package", "source:Version")

Component = Mapping[str, str]


def debian() -> Iterator[Component]:
    """What the base has installed. Each tells its source: advisories go by that."""
    system = platform.freedesktop_os_release()
    distribution = f"{system['ID']}-{system['VERSION_ID']}"
    asked = "\\t".join(f"${{{field}}}" for field in FIELDS)
    for line in told_by("dpkg-query", "--show", "--showformat", f"{asked}\\n").splitlines():
        status, name, version, architecture, source, source_version = line.split("\t")
        if status.strip() == "ii":
            more = {"arch": architecture, "distro": distribution, "upstream": f"{source}@{source_version}"}
            yield component("library", PackageURL("deb", system["ID"], name, version, more))


def component(kind: str, package: PackageURL) -> Component:
    """A package as the list has it, under its purl."""
    purl = package.to_string()
    return {"type": kind, "bom-ref": purl, "name": package.name, "version": package.version or "", "purl": purl}


def told_by(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    contents = json.loads(told_by(*PYTHON_PACKAGES))
    contents["metadata"]["component"] = {"type": "container", "name": "tabling"}
    python = component("application", PackageURL("generic", None, "python", platform.python_version()))
    contents["components"] += [python, *debian()]
    FILE.write_text(json.dumps(contents, sort_keys=True), encoding="utf-8")


if __name__ == "__main__":
    main()
