"""AlimTalk's result codes and what each asks for (NHN Cloud KakaoTalk Bizmessage v2.3)."""

from collections.abc import Mapping

from services.notification.domain.outcome import Outcome

UNKNOWN_TEMPLATE = frozenset(("3015", "-3003", "-3004"))
"""No such template, or another text with other variables: registering ours again helps."""

CLASSES: Mapping[Outcome, tuple[int, ...]] = {
    Outcome.ACCEPTED: (0,),
    Outcome.DELIVERED: (1000,),
    Outcome.DUPLICATE: (-1005, 4131),
    Outcome.UNCERTAIN: (3005, 4000, 4001, 4161),
    Outcome.RECIPIENT_UNREACHABLE: (3018, 3019, 3020, 3021),
    Outcome.RECIPIENT_INVALID: (3008, 1020, -5000),
    Outcome.CONFIG: (
        *(-1000, -1001, -3003, -3004, -3005),
        *(1003, 1004, 1005, 1006, 1007, 1021, 1022, 1023, 1024, 1025),
        *(3015, 3016, 3027, 4132, 4133, 4134),
    ),
    Outcome.TRANSIENT: (429, -9999, 2001, 3000, 3006, 3010, 3012),
    Outcome.REFUSED: (4, -1028, -3002, -3006, -3008, 3014),
}

OUTCOMES: Mapping[int, Outcome] = {code: outcome for outcome, codes in CLASSES.items() for code in codes}


def outcome(code: int) -> Outcome:
    """The class of a result code. A code that nobody told us of is a refusal: trying again would not help."""
    return OUTCOMES.get(code, Outcome.REFUSED)
