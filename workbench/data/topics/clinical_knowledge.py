"""Clinical knowledge: which condition belongs to a group of diseases, after the hierarchy of ICD-10-CM.

No option shares a stem with the group's name, so that the answer has to be known and cannot be read off.
"""

from __future__ import annotations

import functools
import re

from workbench.data import icd10cm
from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.tables import block, chapter, diseases, plain, terms
from workbench.data.topics.words import stems


def drafts(material: Material) -> list[Draft]:
    """Which category is in a block, and which inclusion term in a category? Wrong options: of the same chapter."""
    return [draft for code in diseases() for draft in (_in_block(code), _in_category(code)) if draft is not None]


def _in_block(code: str) -> Draft | None:
    if len(code) != 3 or block(code) == chapter(code) or not plain(icd10cm.description(code)):
        return None
    others = (other for other in _categories(chapter(code)) if block(other) != block(code))
    wrong = tuple(icd10cm.description(other) for other in others)
    return _draft(code, _name(block(code)), icd10cm.description(code), wrong)


def _in_category(code: str) -> Draft | None:
    if not terms(code):
        return None
    category = code[:3]
    wrong = tuple(term for other, term in _terms(chapter(code)) if other[:3] != category)
    return _draft(code, _name(category), terms(code)[0], wrong)


def _draft(code: str, group: str, right: str, wrong: tuple[str, ...]) -> Draft | None:
    if not plain(group) or stems(group) & stems(right):
        return None
    unlike = tuple(text for text in wrong if not stems(group) & stems(text))
    question = f"Which of these conditions belongs to the group '{group}'?"
    return Draft(f"{code}:{group}", "icd10cm", question, right, unlike)


def _name(code: str) -> str:
    """Description of a block or category without the codes that it ends with, "Arthropathies (M00-M25)"."""
    return re.sub(r"\s*\([A-Z0-9,. -]+\)$", "", icd10cm.description(code))


@functools.cache
def _categories(number: str) -> tuple[str, ...]:
    """Three-character categories of a chapter whose description names something."""
    of_chapter = (code for code in diseases() if len(code) == 3 and chapter(code) == number)
    return tuple(code for code in of_chapter if plain(icd10cm.description(code)))


@functools.cache
def _terms(number: str) -> tuple[tuple[str, str], ...]:
    """Codes of a chapter with the first of their inclusion terms."""
    return tuple((code, terms(code)[0]) for code in diseases() if chapter(code) == number and terms(code))
