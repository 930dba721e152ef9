"""Following a store's policy."""

from dataclasses import dataclass
from datetime import datetime

from services.reception.application.keep import save_line
from services.reception.application.ports import UnitOfWork
from services.reception.domain.line import Line, Policy

DAY_END = "day_end"
SEND_HOME = "send_home"


@dataclass(frozen=True, slots=True)
class ChangeStore:
    """A store is so now. `sent_home_at`: who joined until then and was not called has to leave."""

    store_id: str
    policy: Policy
    sent_home_at: datetime | None


def change_store(cmd: ChangeStore, uow: UnitOfWork) -> None:
    """Adopt the policy; sending everyone home is left to a timer."""
    line = uow.lines.find(cmd.store_id) or Line(id=cmd.store_id)
    if not line.adopt(cmd.policy, uow.now):
        return
    if line.send_home(cmd.sent_home_at):
        uow.timers.set(SEND_HOME, line.id, uow.now)
    if line.day_ends_at is not None:
        uow.timers.set(DAY_END, line.id, line.day_ends_at)
    uow.places.look_again(line.id)
    save_line(line, uow)
