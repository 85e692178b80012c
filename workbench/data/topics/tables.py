"""ICD-10-CM as the topics read it: diseases, their blocks and inclusion terms, and what stands near a code."""

from __future__ import annotations

import functools
import re

from workbench.data import icd10cm

CHAPTERS = frozenset(str(number) for number in range(1, 18))
"""Diseases. Symptoms, injuries, their causes and factors that bring people to a doctor are left out."""

NEAR = (2, 3, 4, 5)
"""Tree distances of wrong options: siblings up to the far side of a block, so that the chapter is not enough."""

_VAGUE = re.compile(r"\b(other|unspecified|NOS|NEC|elsewhere|sequelae|not otherwise|classifiable|status)\b", re.I)


@functools.cache
def diseases() -> tuple[str, ...]:
    """Categories and subcategories of the disease chapters, in the order of the tabular list."""
    return tuple(dict.fromkeys(code for code in icd10cm.codes() if chapter(code) in CHAPTERS))


def chapter(code: str) -> str:
    """Number of a code's chapter, "1" to "22"."""
    return icd10cm.ancestors(code)[-1]


def block(code: str) -> str:
    """The block of a category, "I70-I79"; the chapter where the block is that category alone and has its name."""
    return icd10cm.ancestors(code)[0]


def plain(text: str) -> bool:
    """Whether a description names something: neither "other" nor "unspecified", nor what stands elsewhere."""
    return not _VAGUE.search(text)


@functools.cache
def terms(code: str) -> tuple[str, ...]:
    """Inclusion terms of a code that name something, each on one line."""
    import simple_icd_10_cm as icd

    found = (" ".join(term.split()) for term in icd.get_inclusion_term(code))
    return tuple(term for term in found if plain(term) and 8 <= len(term) <= 90)


def billable(code: str) -> bool:
    """Whether a code is none that only heads others."""
    import simple_icd_10_cm as icd

    return bool(icd.is_leaf(code))


def neighbours(code: str) -> list[str]:
    """Codes at the distances of NEAR, neither above nor below this one, in order."""
    return sorted(set().union(*(icd10cm.beside(code, distance) for distance in NEAR)))
