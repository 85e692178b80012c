"""What pydantic finds wrong, each mistake told once and at its path in the document.

pydantic complains for every arm of a union and puts the arm's name into the path. Here only the nearest arm speaks;
when none is near, the arms are joined in one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

Loc = tuple[str | int, ...]


@dataclass(frozen=True)
class Complaint:
    """One mistake: its path in the document (of a missing key: where it should stand) and pydantic's kind of error."""

    loc: Loc
    kind: str
    message: str
    given: Any


def complaints(errors: ValidationError, value: Any) -> list[Complaint]:
    """The mistakes in `value`, the document that was validated."""
    found = [Complaint(e["loc"], e["type"], e["msg"], e["input"]) for e in errors.errors(include_url=False)]
    return _told_once(found, value)


def _told_once(found: Collection[Complaint], value: Any) -> list[Complaint]:
    told: list[Complaint] = []
    unions: dict[Loc, dict[str | int, list[Complaint]]] = {}
    for one in found:
        at = _arm(one, value)
        if at is None:
            told.append(one)
            continue
        arms = unions.setdefault(one.loc[:at], {})
        arms.setdefault(one.loc[at], []).append(replace(one, loc=one.loc[:at] + one.loc[at + 1 :]))
    for loc, arms in unions.items():
        told += _told_once(_nearest(loc, arms.values()), value)
    return told


def _arm(one: Complaint, value: Any) -> int | None:
    """Index of the first part of a path that is no key or index of the document: the name of a union's arm."""
    keys = one.loc[:-1] if one.kind == "missing" or one.loc[-1:] == ("[key]",) else one.loc
    for at, part in enumerate(keys):
        inside = part in value if isinstance(value, dict) else isinstance(value, list) and isinstance(part, int)
        if not inside:
            return at
        value = value[part]
    return None


def _nearest(loc: Loc, arms: Collection[list[Complaint]]) -> list[Complaint]:
    """Complaints of the arm that has the value's shape and fewest unknown keys, or one that joins those of all."""
    fitting = [arm for arm in arms if any(len(one.loc) > len(loc) or not _of_shape(one) for one in arm)]
    if fitting:
        return min(fitting, key=lambda arm: (sum(one.kind == "extra_forbidden" for one in arm), len(arm)))
    every = [re.sub("^Input should be | or instance of .*", "", one.message) for arm in arms for one in arm]
    first = next(iter(arms))[0]
    return [replace(first, message=f"Input should be {' or '.join(dict.fromkeys(every))}")]


def _of_shape(one: Complaint) -> bool:
    return one.kind.endswith("_type") or one.kind == "literal_error"
