"""Limits for benchmarks, whose few callers ask for more than anybody else may."""

from dataclasses import fields

from services.chassis.limits import MOST_OF_ANYTHING, Limits

ROOMY = Limits(**dict.fromkeys((limit.name for limit in fields(Limits)), MOST_OF_ANYTHING))
