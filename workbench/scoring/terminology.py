"""Names of diseases, signs and procedures out of open lists, and the concepts of a text by longest match.

A fallback for UMLS, which needs a licence. ICD-10-CM's descriptions, inclusion terms and inclusion notes name codes;
Disease Ontology's names and synonyms may be added. Negation and context are not looked at.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from workbench.data.icd10cm import codes, description
from workbench.data.items import json_items
from workbench.data.sources import path_of

Words = tuple[str, ...]

WORD = re.compile(r"[A-Za-z0-9]+")
POSSESSIVE = re.compile(r"['\u2019]s\b")
BREAK = re.compile(r"[.;:!?\n]")  # no mention goes across one
ABBREVIATION = re.compile(r"[A-Z][A-Z0-9]{2,5}")  # of two letters there are too many (MS, HR)
BRACKETS = re.compile(r"\[[^]]*\]?")
PARENTHESES = re.compile(r"\([^)]*\)?")
EXTERNAL_CAUSES = tuple("VWXY")  # "fall", "tractor": everyday words
VAGUE = frozenset({"unspecified", "nos", "nec"})
VAGUE_PART = re.compile(r"\b(?:unspecified|not (?:otherwise |elsewhere )?(?:specified|classified))\b", re.IGNORECASE)
TOO_BROAD = frozenset(
    ("activity", "atlas", "axis", "disease", "disorder", "donor", "exposure", "fit", "growth", "illness", "syndrome")
)
"""Names of one word that mean more in running text than in the lists."""


@dataclass(frozen=True)
class Terminology:
    """Names as normalised words, each with its concept; `lengths` holds how long names are, by their first word."""

    names: Mapping[Words, str]
    lengths: Mapping[str, Sequence[int]]

    def concepts(self, text: str) -> frozenset[str]:
        """The concepts that a text names: from left to right, the longest name that begins at a word."""
        return frozenset(itertools.chain.from_iterable(map(self._of_part, BREAK.split(POSSESSIVE.sub("", text)))))

    def _of_part(self, part: str) -> Iterator[str]:
        written = WORD.findall(part)
        words = tuple(map(normal, written))
        at = 0
        while at < len(words):
            for length in self.lengths.get(words[at], ()):
                if concept := self.names.get(words[at : at + length]):
                    yield concept
                    at += length
                    break
            else:
                if concept := self.names.get((written[at],)):  # an abbreviation
                    yield concept
                at += 1


@functools.cache
def normal(word: str) -> str:
    """A word in small letters and without a plural's ending: both "allergies" and "allergy" are "allergy"."""
    word = word.lower()
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith("sses") else word[:-1]


def spellings(name: str) -> Iterator[Words]:
    """What a name of the lists may look like in a text, as normalised words; nothing for a residual ("Other ...").

    Words in brackets explain and are dropped; words in parentheses may stand or be left out, as ICD-10-CM's
    conventions have it; "unspecified" and its like are dropped with their part between commas. An abbreviation keeps
    its capitals.
    """
    name = BRACKETS.sub(" ", POSSESSIVE.sub("", name))
    for variant in dict.fromkeys((PARENTHESES.sub(" ", name), name)):
        first, *others = variant.split(",")
        written = WORD.findall(" ".join([first, *(part for part in others if not VAGUE_PART.search(part))]))
        kept = [word for word in written if word.lower() not in VAGUE]
        if len(kept) == 1 and ABBREVIATION.fullmatch(kept[0]):
            yield (kept[0],)
        elif kept and kept[0].lower() != "other" and not (len(kept) == 1 and _too_broad(kept[0])):
            yield tuple(map(normal, kept))


def _too_broad(word: str) -> bool:
    return len(word) < 3 or word.isdigit() or normal(word) in TOO_BROAD


def icd10cm_names() -> Iterator[tuple[str, str]]:
    """(name, code): all descriptions first, then inclusion terms, then inclusion notes; headings before their codes."""
    import simple_icd_10_cm as icd

    named = sorted((code for code in codes() if not code.startswith(EXTERNAL_CAUSES)), key=len)
    yield from ((description(code), code) for code in named)
    for notes in (icd.get_inclusion_term, icd.get_includes):
        yield from ((note, code) for code in named for note in notes(code))


def disease_ontology_names() -> Iterator[list[str]]:
    """The names of each disease: its id, its name, its synonyms. Raises DataMissing without the source's file."""
    for term in json_items(path_of("disease-ontology", "doid_definitions.jsonl")):
        yield [term["id"], term["name"], *term["synonyms"]]


@functools.cache
def open_terminology(disease_ontology: bool = False) -> Terminology:
    """ICD-10-CM's names, with Disease Ontology's if asked for. A name that two concepts share belongs to the first.

    A disease of the ontology is the code that one of its names has in ICD-10-CM; its own id where none has one.
    """
    names: dict[Words, str] = {}
    for name, code in icd10cm_names():
        for words in spellings(name):
            names.setdefault(words, code)
    if disease_ontology:
        for identifier, *synonyms in disease_ontology_names():
            spelled = list(itertools.chain.from_iterable(map(spellings, synonyms)))
            concept = next((names[words] for words in spelled if words in names), identifier)
            for words in spelled:
                names.setdefault(words, concept)
    lengths: dict[str, set[int]] = {}
    for words in names:
        lengths.setdefault(words[0], set()).add(len(words))
    return Terminology(names, {first: sorted(found, reverse=True) for first, found in lengths.items()})
