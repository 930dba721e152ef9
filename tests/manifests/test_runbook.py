"""The operators' documents: every alert has its part, every command exists, every link leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from services.chassis.settings import PORTS
from services.operations.cli import app
from tests.manifests.test_monitoring import GUIDE, ROOT, alerts

RUNBOOK = ROOT / "docs" / "runbook.md"
DOCUMENTS = (RUNBOOK, GUIDE, ROOT / "docs" / "scaling.md")


def test_every_alert_has_its_part_of_the_runbook_and_every_part_an_alert() -> None:
    parts = re.findall(r"^#+ (Tabling\w+)$", RUNBOOK.read_text("utf-8"), re.MULTILINE)
    assert len(parts) == len(set(parts))
    assert set(parts) == {alert["alert"] for alert in alerts()}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command line of the operators' in the documents: as typed in the repository, and where a pod is named."""
    typed = re.compile(r"(?:scripts/ops|(?<![\w/-])ops (\$s|[a-z]+)) ([a-z-][^#|>&;)\n]*)")
    for document in DOCUMENTS:
        for block in re.findall(r"^```sh\n(.*?)^```", document.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            for pod, words in typed.findall(block):
                assert pod in ("", "$s", *PORTS), (document.name, pod)
                yield f"{document.name}: {words.strip()}", words.split()


@pytest.mark.parametrize(("line", "words"), list(commands()))
def test_every_command_of_the_documents_exists_with_its_options(line: str, words: list[str]) -> None:
    command = typer.main.get_command(app)
    with pytest.raises(SystemExit) as ended:
        # unknown commands and options are found before help is given
        command.main([*words, "--help"], prog_name="ops")
    assert ended.value.code == 0, line


def test_what_the_runbook_touches_in_the_cluster_exists() -> None:
    deployments = set(re.findall(r"\bdeploy/([a-z]\w*)", RUNBOOK.read_text("utf-8")))
    assert deployments
    assert deployments <= {*PORTS, "gateway"}


def anchors(document: Path) -> set[str]:
    """The places in a document that a link can lead to, as GitHub names them."""
    heads = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_of_the_documents_leads_somewhere(document: Path) -> None:
    for place, anchor in re.findall(r"\]\(([^)#:]*)#?([^)]*)\)", re.sub(r"\s+", " ", document.read_text("utf-8"))):
        other = (document.parent / place).resolve() if place else document
        assert other.exists(), place
        assert not anchor or anchor in anchors(other), (place, anchor)
