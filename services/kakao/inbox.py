"""What arrived on everybody's phones, as far back as there is room."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from services.kakao.codes import SUCCESS
from services.kakao.templates import Button


@dataclass(frozen=True, slots=True)
class Batch:
    """One accepted request."""

    request_id: str
    sender_key: str
    template_code: str
    at: float  # Seconds since 1970.


@dataclass(slots=True)
class Message:
    """One accepted message; one that could not be delivered has another code than SUCCESS."""

    batch: Batch
    number: int  # Within its request, from 1.
    phone: str
    key: str  # The sender's recipientGroupingKey, or empty.
    text: str
    buttons: tuple[Button, ...]
    code: int = SUCCESS


class Inbox:
    """The latest messages, by phone and by the sender's key."""

    def __init__(self, most: int) -> None:
        self.count = 0  # Of all that ever arrived: it tells whether anything is new.
        self._most = most
        self._messages: deque[Message] = deque()
        self._by_phone: dict[str, list[Message]] = {}  # The phone with the latest message comes last.
        self._by_key: dict[str, Message] = {}

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self._messages)

    def add(self, message: Message) -> None:
        self.count += 1
        self._messages.append(message)
        if message.key:
            self._by_key[message.key] = message
        if message.code == SUCCESS:
            self._by_phone[message.phone] = on_phone = self._by_phone.pop(message.phone, [])
            on_phone.append(message)
        if len(self._messages) > self._most:
            self._forget(self._messages.popleft())

    def with_key(self, key: str) -> Message | None:
        return self._by_key.get(key)

    def phones(self) -> int:
        return len(self._by_phone)

    def latest_phones(self, most: int) -> Iterable[tuple[str, int, Message]]:
        """Phones, the one with the latest message first: number, how many messages, the latest one."""
        for phone in islice(reversed(self._by_phone), most):
            messages = self._by_phone[phone]
            yield phone, len(messages), messages[-1]

    def on_phone(self, phone: str, most: int) -> list[Message]:
        """The latest messages of one phone, oldest first."""
        return self._by_phone.get(phone, [])[-most:]

    def _forget(self, message: Message) -> None:
        if self._by_key.get(message.key) is message:
            del self._by_key[message.key]
        if message.code == SUCCESS:
            on_phone = self._by_phone[message.phone]
            del on_phone[0]
            if not on_phone:
                del self._by_phone[message.phone]
