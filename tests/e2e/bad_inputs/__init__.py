"""The table of bad inputs: what is sent, and the answer wanted."""

from collections.abc import Sequence

from tests.e2e.bad_inputs import fields, lists, messages, names, repeats, rules, strangers
from tests.e2e.bad_inputs.row import Row

KINDS = (
    messages.malformed,
    messages.too_large,
    messages.nowhere,
    names.missing,
    names.contradicting,
    fields.required,
    fields.numbers,
    fields.enums,
    fields.texts,
    fields.ids,
    fields.phones,
    lists.page_sizes,
    lists.page_tokens,
    lists.sealed_tokens,
    repeats.request_ids,
    repeats.etags,
    repeats.deadlines,
    rules.joining,
    rules.canceling_and_postponing,
    rules.calling_and_seating,
    rules.what_is_there_already,
    strangers.tokens,
    strangers.roles,
    strangers.others,
    strangers.forged,
    strangers.held,
)

ROWS: Sequence[Row] = [row for kind in KINDS for row in kind()]
