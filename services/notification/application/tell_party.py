"""Decide what a party is told, from one snapshot of its reception."""

from dataclasses import dataclass
from datetime import datetime

from services.notification.application.ports import Templates, UnitOfWork
from services.notification.domain.notice import LEASE, Notice, Reason
from services.notification.domain.purpose import Purpose
from services.notification.domain.reception import Reception, token
from services.notification.domain.snapshot import Snapshot, expire_at, purposes, words
from services.notification.domain.store import HOME_ZONE, Store, time_of_day


@dataclass(frozen=True, slots=True)
class TellParty:
    """A snapshot was seen, of a party that can be reached."""

    snapshot: Snapshot


def tell_party(cmd: TellParty, uow: UnitOfWork, templates: Templates) -> None:
    """Add the notices that this snapshot calls for, each once; those that are no longer true are withheld.

    Any order and repetition of snapshots leads to the same notices.
    """
    snapshot = cmd.snapshot
    reception = uow.receptions.find(snapshot.id) or Reception(id=snapshot.id)
    changed = reception.see(snapshot)
    for purpose in purposes(snapshot):
        token_ = token(purpose, snapshot.round)
        if not reception.decide(token_):
            continue
        changed = True
        notice = _draft(f"{snapshot.id}-{token_}", snapshot, purpose, uow, templates)
        if not reception.tells_the_truth(purpose, snapshot.round):
            notice.withhold(Reason.STALE, uow.now)
        uow.notices.add(notice)
    if changed:
        uow.receptions.save(reception)


def _draft(id_: str, snapshot: Snapshot, purpose: Purpose, uow: UnitOfWork, templates: Templates) -> Notice:
    language = snapshot.language_code
    values = _values(snapshot, uow.stores.find(snapshot.store_id), language, templates)
    wording = templates.word(words(snapshot, purpose), language, values)
    now = uow.now
    return Notice(
        id=id_,
        store_id=snapshot.store_id,
        reception_id=snapshot.id,
        purpose=purpose,
        round=snapshot.round,
        language_code=wording.language_code,
        template_code=wording.template_code,
        variables=wording.variables,
        text=wording.text,
        expire_at=expire_at(snapshot, purpose, now),
        created_at=now,
        updated_at=now,
        next_attempt_at=now + LEASE,
    )


def _values(snapshot: Snapshot, store: Store | None, language: str, templates: Templates) -> dict[str, str]:
    zone = store.time_zone if store else HOME_ZONE
    return {
        "store": store.display_name if store else templates.unknown_store(language),
        "number": str(snapshot.waiting_number),
        "party": str(snapshot.party_size),
        "ahead": str(snapshot.parties_ahead),
        "minutes": str(max(1, -(-snapshot.estimated_wait_seconds // 60))),
        "until": _until(snapshot.hold_expire_at, zone),
    }


def _until(moment: datetime | None, zone: str) -> str:
    return time_of_day(moment, zone) if moment else "-"
