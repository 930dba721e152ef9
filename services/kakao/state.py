"""Templates and messages together with the journal they are kept in."""

from typing import Any

from services.kakao.errors import Refused
from services.kakao.inbox import Batch, Inbox, Message
from services.kakao.journal import Journal
from services.kakao.templates import Button, Template, read_template


class State:
    """All that this process knows; also after a restart when it has a journal."""

    def __init__(self, most: int, journal: Journal | None = None) -> None:
        self.templates: dict[str, Template] = {}
        self.inbox = Inbox(most)
        self._most, self._written = most, 0
        self._journal: Journal | None = None
        if journal is not None:
            self._load(journal)
            self._journal = journal

    def register(self, code: str, template: Template) -> None:
        self.templates[code] = template
        if self._journal is not None:
            self._journal.append({"template": template.given})

    def keep(self, batch: Batch, messages: list[Message]) -> None:
        """Writes down messages that were added to the inbox."""
        if self._journal is None or not messages:
            return
        self._journal.append(_record(batch, messages))
        self._written += len(messages)
        if self._written >= self._most:
            self._turn_over(self._journal)

    def _turn_over(self, journal: Journal) -> None:
        journal.turn_over()
        self._written = 0
        for template in self.templates.values():
            journal.append({"template": template.given})

    def _load(self, journal: Journal) -> None:
        for record in journal.read():
            try:
                self._take_in(record)
            except (KeyError, TypeError, ValueError, Refused):
                continue  # Not ours, or of another version: what can be read is better than nothing.
        if self._written >= self._most:
            self._turn_over(journal)

    def _take_in(self, record: dict[str, Any]) -> None:
        if "template" in record:
            code, template = read_template(record["template"])
            self.templates[code] = template
            return
        batch = Batch(*record["batch"])
        for number, phone, key, text, buttons, code in record["messages"]:
            self.inbox.add(Message(batch, number, phone, key, text, tuple(Button(*each) for each in buttons), code))
        self._written += len(record["messages"])


def _record(batch: Batch, messages: list[Message]) -> dict[str, Any]:
    return {
        "batch": [batch.request_id, batch.sender_key, batch.template_code, batch.at],
        "messages": [
            [m.number, m.phone, m.key, m.text, [[b.name, b.link] for b in m.buttons], m.code] for m in messages
        ],
    }
