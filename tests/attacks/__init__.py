"""Submissions that attack the grader, and what each must get; the README has more."""

from attacks import (
    channel,
    documents,
    fakes,
    floods,
    kernel,
    pages,
    process,
    reading,
    scores,
)

FAMILIES = (
    scores,
    fakes,
    documents,
    channel,
    process,
    floods,
    reading,
    kernel,
    pages,
)
ATTACKS = tuple(attack for family in FAMILIES for attack in family.ATTACKS)

__all__ = ["ATTACKS", "FAMILIES"]
