"""Medical codes from a discharge letter: which code belongs on its list?

Letters are those of mini_coding's validation items, and diagnosis lists made of ICD-10-CM's inclusion terms.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from workbench.data import icd10cm
from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.tables import billable, chapter, diseases, neighbours, plain, terms
from workbench.data.topics.words import word_set

QUESTION = "Which ICD-10-CM code belongs on the list of codes for this letter?"
LISTS, DIAGNOSES = 400, 3
COPIED = 0.5
"""At most this share of a description's words may stand in its term: above it, looking for shared words is enough."""


def drafts(material: Material) -> list[Draft]:
    """A question a code of a letter, and one a list."""
    letters = material.mini("coding", "document", "codes")
    return [*(draft for row in letters for draft in _of_letter(row)), *_of_lists(material.tested_codes())]


def _of_letter(row: dict[str, Any]) -> Iterator[Draft]:
    listed = frozenset(row["codes"])
    for code in row["codes"]:
        yield Draft(f"{row['id']}:{code}", "mini_coding", QUESTION, _named(code), _wrong(code, listed), row["document"])


def _of_lists(tested: frozenset[str]) -> Iterator[Draft]:
    """Lists of three inclusion terms from three chapters; the code of one of them is asked for."""
    rng = random.Random("discharge_codes-lists")
    coded = [code for code in diseases() if billable(code) and plain(icd10cm.description(code)) and code not in tested]
    known = [(code, term) for code in coded for term in terms(code) if not _copied(code, term)]
    for number in range(LISTS):
        found: dict[str, tuple[str, str]] = {}
        while len(found) < DIAGNOSES:
            code, term = rng.choice(known)
            found.setdefault(chapter(code), (code, term))
        letter = "Discharge diagnoses: " + "; ".join(term for _, term in found.values()) + "."
        code, _ = rng.choice(list(found.values()))
        wrong = _wrong(code, frozenset(code for code, _ in found.values()))
        yield Draft(f"list-{number}:{code}", "icd10cm", QUESTION, _named(code), wrong, letter)


def _copied(code: str, term: str) -> bool:
    described = word_set(icd10cm.description(code))
    return len(described & word_set(term)) > COPIED * len(described)


def _named(code: str) -> str:
    return f"{code} {icd10cm.description(code)}"


def _wrong(code: str, listed: frozenset[str]) -> tuple[str, ...]:
    """Neighbours in the tree that can be billed, none of a category on the list but the code's own."""
    others = {one[:3] for one in listed if one != code}
    return tuple(
        _named(one) for one in neighbours(code) if billable(one) and one not in listed and one[:3] not in others
    )
