"""The templates keep to what KakaoTalk allows."""

import re
from pathlib import Path

import pytest

from services.kakao import codes
from services.notification.adapters import templates
from services.notification.adapters.templates import Template
from services.notification.adapters.vendors.codes import CLASSES, OUTCOMES, outcome
from services.notification.domain.outcome import Outcome
from services.notification.domain.purpose import CloseReason, ReceptionState
from services.notification.domain.snapshot import purposes, words
from tests.unit.notification.making import WORDS, snapshot

LONGEST = {
    "store": "가" * 80,
    "number": "100000",
    "party": "100",
    "ahead": "99999",
    "minutes": "9999",
    "until": "23:59",
}
ALL = list(WORDS)


@pytest.mark.parametrize("template", ALL, ids=lambda template: template.code)
def test_a_template_keeps_within_the_limits(template: Template) -> None:
    text = template.word(LONGEST).text
    assert len(text) <= 1000
    assert re.fullmatch(r"[A-Z0-9_]{1,20}", template.code)
    assert len(template.variables) < 40
    assert "#{" not in text
    assert "%" not in text


def test_no_code_stands_for_two_templates() -> None:
    assert len({template.code for template in ALL}) == len(ALL)


def test_there_are_words_for_every_situation_in_both_languages() -> None:
    for language in ("ko", "en"):
        for state in ReceptionState:
            for reason in CloseReason:
                for round_ in (0, 1):
                    for number in (0, 1):
                        seen = snapshot(state, close_reason=reason, round=round_, waiting_number=number, neared=True)
                        for purpose in purposes(seen):
                            assert WORDS.word(words(seen, purpose), language, LONGEST).language_code == language


def test_a_language_without_templates_is_told_in_korean() -> None:
    assert WORDS.word("called", "fr", LONGEST).template_code == "CALLED_KO_1"


def test_a_language_that_lacks_a_template_is_refused(tmp_path: Path) -> None:
    for language, keys in (("ko", "ab"), ("en", "a")):
        entries = "".join(f'[{key}]\ncode = "{key}"\ncontent = "x"\n' for key in keys)
        (tmp_path / f"{language}.toml").write_text(f'unknown_store = "x"\n{entries}')
    with pytest.raises(ValueError, match=r"en\.toml"):
        templates.load(tmp_path)


def test_a_percent_sign_in_a_template_stays_one(tmp_path: Path) -> None:
    (tmp_path / "ko.toml").write_text('unknown_store = "x"\n[a]\ncode = "A"\ncontent = "100% #{n} %(n)s"\n')
    assert templates.load(tmp_path).word("a", "ko", {"n": "1"}).text == "100% 1 %(n)s"


def test_every_code_has_one_class() -> None:
    assert outcome(0) is Outcome.ACCEPTED
    assert outcome(1000) is Outcome.DELIVERED
    assert outcome(-1005) is Outcome.DUPLICATE
    assert outcome(3019) is Outcome.RECIPIENT_UNREACHABLE
    assert outcome(3008) is Outcome.RECIPIENT_INVALID
    assert outcome(3015) is Outcome.CONFIG
    assert outcome(-9999) is Outcome.TRANSIENT
    assert outcome(987654) is Outcome.REFUSED
    assert set(OUTCOMES.values()) == set(Outcome)
    assert len(OUTCOMES) == sum(map(len, CLASSES.values()))


def test_every_code_of_the_stand_in_is_classed() -> None:
    given = {value for name, value in vars(codes).items() if name.isupper() and isinstance(value, int)}
    assert given <= OUTCOMES.keys()
