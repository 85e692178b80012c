"""F1 of the medical concepts that two texts name: CLUE's UMLS-F1 (Dada et al. 2024), with a choice of who finds them.

CLUE's finder is scispaCy with the UMLS linker, which has to be installed by the user. The default is an open fallback
on other lists: its scores are none of CLUE's, so a number tells nothing without its finder, see `concept_finder`.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import UserError
from workbench.scoring.codes import em_f1
from workbench.scoring.terminology import open_terminology

VARIABLE = "WORKBENCH_CONCEPTS"

Find = Callable[[str], frozenset[str]]


@dataclass(frozen=True)
class Finder:
    """Who finds concepts: a label for print, and what makes the function from the folder named with it, if any."""

    label: str
    load: Callable[[str], Find]


def concept_f1(reference: str, prediction: str) -> float:
    """F1 of the two sets of concepts; 0 when they share none.

    So also when neither text names one, as in CLUE: a reference without a concept scores 0 for every model. The finder
    is the one that WORKBENCH_CONCEPTS names. Raises UserError for an unknown one, or one that is not installed.
    """
    find = _loaded(_chosen())
    return em_f1(find(reference), find(prediction))


def concept_finder() -> str:
    """Who finds the concepts, for print: "ICD-10-CM names (open fallback, not UMLS)". Loads nothing."""
    return FINDERS[_chosen().partition(":")[0]].label


def _chosen() -> str:
    chosen = os.environ.get(VARIABLE) or "open"
    name, _, folder = chosen.partition(":")
    if name not in FINDERS or bool(folder) != (name == "quickumls"):
        raise UserError(
            f"{VARIABLE}='{chosen}': give one of open, open+doid, scispacy, quickumls:<folder of its installation>."
        )
    return chosen


@functools.cache
def _loaded(chosen: str) -> Find:
    name, _, folder = chosen.partition(":")
    return FINDERS[name].load(folder)


def _quickumls(folder: str) -> Find:
    """CUI of the best candidate of every mention, by QuickUMLS's own defaults (Soldaini & Goharian 2016)."""
    if not Path(folder).is_dir():
        raise UserError(f"{VARIABLE}: there is no QuickUMLS installation at '{folder}'. Make one from your UMLS files.")
    try:
        from quickumls import QuickUMLS
    except ImportError as error:
        raise UserError(f"{VARIABLE}=quickumls needs QuickUMLS ({error}). Run: pip install quickumls") from error
    matcher = QuickUMLS(folder)

    def find(text: str) -> frozenset[str]:
        return frozenset(candidates[0]["cui"] for candidates in matcher.match(text, best_match=True))

    return find


def _scispacy(_: str) -> Find:
    """Canonical name of the best UMLS candidate of every mention: CLUE's own set-up."""
    try:
        import scispacy.linking  # noqa: F401  # registers the linker
        import spacy

        model = spacy.load("en_core_sci_sm")
        model.add_pipe("scispacy_linker", config={"resolve_abbreviations": True, "linker_name": "umls"})
    except (ImportError, OSError) as error:
        raise UserError(
            f"{VARIABLE}=scispacy needs spaCy, scispaCy, its model en_core_sci_sm and the UMLS linker's files "
            f"({error}). Install them as scispaCy's README tells, or leave the variable unset."
        ) from error
    entities: Any = model.get_pipe("scispacy_linker").kb.cui_to_entity

    def find(text: str) -> frozenset[str]:
        linked = (mention._.kb_ents for mention in model(text).ents)
        return frozenset(entities[candidates[0][0]].canonical_name for candidates in linked if candidates)

    return find


FINDERS: Mapping[str, Finder] = {
    "open": Finder("ICD-10-CM names (open fallback, not UMLS)", lambda _: open_terminology().concepts),
    "open+doid": Finder(
        "ICD-10-CM and Disease Ontology names (open fallback, not UMLS)", lambda _: open_terminology(True).concepts
    ),
    "quickumls": Finder("UMLS by QuickUMLS", _quickumls),
    "scispacy": Finder("UMLS by scispaCy en_core_sci_sm, as in CLUE", _scispacy),
}
