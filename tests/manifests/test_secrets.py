"""No secret is in the repository: detect-secrets looks at every file, and finds nothing but what is known as none."""

import hashlib
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from services.local import keys
from tests.manifests.test_project import ROOT, files_of_the_repository

BASELINE = ROOT / ".secrets.baseline"
"""Examples, stand-ins and names that look like secrets, by their hashes."""

HASHES = ("requirements.lock", "requirements-dev.lock", "requirements-images.lock", "go.sum")
"""Files of which each line has one."""

EMPTY = "secrets/empty"
"""Where pytest keeps the digests of files in which nothing was found."""

Found = set[tuple[str, str, str]]
"""File, kind of secret, the secret's hash."""


def scan(*files: str | Path, folder: Path = ROOT) -> Found:
    """What is found in these files, or those below these folders. Nobody is asked whether a secret works."""
    command = [Path(sys.prefix) / "bin" / "detect-secrets", "scan", "--slim", "--no-verify", "--all-files", *files]
    scanned = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert scanned.returncode == 0, scanned.stderr
    return set(read(scanned.stdout))


def read(text: str) -> Iterator[tuple[str, str, str]]:
    for file, found in json.loads(text)["results"].items():
        yield from ((file, each["type"], each["hashed_secret"]) for each in found)


def digest(file: str) -> str:
    """What a file's finds depend on: its name and content, and who looks."""
    looking = f"{version('detect-secrets')} {file}\n".encode()
    return hashlib.sha256(looking + (ROOT / file).read_bytes()).hexdigest()


def test_the_repository_holds_no_secret(cache: pytest.Cache) -> None:
    files = [file for file in files_of_the_repository() if Path(file).name not in (BASELINE.name, *HASHES)]
    # Looking takes half a minute: where nothing was found once, it is done again only when the file is another.
    digests, empty = {file: digest(file) for file in files}, set(cache.get(EMPTY, []))
    found, known = scan(*(file for file in files if digests[file] not in empty)), set(read(BASELINE.read_text("utf-8")))
    telling = {file for file, _, _ in found}
    cache.set(EMPTY, [digests[file] for file in files if file not in telling])
    hint = "take it out; or, if it is none, look at it and add it to .secrets.baseline"
    assert not found - known, f"{sorted(found - known)}: {hint}"
    assert not known - found, f"{sorted(known - found)}: no longer there, take it out of .secrets.baseline"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("Private Key", "{pem}"),
        ("JSON Web Token", "authorization: Bearer {token}"),
        ("Secret Keyword", 'password = "{word}"'),
        ("Secret Keyword", "api_key: {word}"),
        ("Hex High Entropy String", 'TABLING_KEY = "{hex}"'),
        ("Base64 High Entropy String", 'pass_key = "{base64}"'),
        ("Basic Auth Credentials", "postgresql://tabling:{word}@database:5432/tabling"),
        ("AWS Access Key", "AKIA{cloud}"),
        ("GitHub Token", "ghp_{github}"),
    ],
)
def test_a_secret_in_a_file_is_found(kind: str, text: str, tmp_path: Path) -> None:
    minted = keys.of(tmp_path)
    secret = {
        "pem": minted.signing.read_text("utf-8"),
        "token": minted.token("tabling-operator", "somebody"),
        "word": secrets.token_hex(8),
        "hex": secrets.token_hex(32),
        "base64": secrets.token_urlsafe(48),
        "cloud": "IOSFODNN7QRSTUVW",
        "github": secrets.token_hex(18),
    }
    planted = tmp_path / "settings.yaml"
    planted.write_text(text.format(**secret), encoding="utf-8")
    assert kind in {each[1] for each in scan(planted.name, folder=tmp_path)}
