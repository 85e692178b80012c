"""The MedWiki expert's corpora: pages, book sections and terms that say what a thing is, from open sources.

MediPhi's MedWiki reads medical Wikipedia articles (arXiv 2505.10717, section 3.1.1), which are under CC BY-SA and not
among our sources; these stand in for them.
"""

from __future__ import annotations

from workbench.data import icd10cm
from workbench.data.corpora import medquad, openstax
from workbench.data.corpora.wording import MIN_WORDS, asked, capital, fitting, plain, sentence
from workbench.data.example import Example, Format, TaskText
from workbench.data.items import Item, json_items, require
from workbench.data.sources import path_of

COLLECTIONS = ("2_GARD_QA", "3_GHR_QA", "4_MPlus_Health_Topics_QA")
"""Of MedQuAD: rare diseases, genetic conditions, health topics."""

BOOKS = ("anatomy-physiology-2e.jsonl", "microbiology.jsonl")
TERMS = "doid_definitions.jsonl"


def _pages(seed: int) -> list[Example]:
    return medquad.pages(COLLECTIONS)


def _sections(seed: int) -> list[Example]:
    return [one for book in BOOKS for one in openstax.sections(book)]


def _terms(seed: int) -> list[Example]:
    """Terms of the Human Disease Ontology whose entry has at least MIN_WORDS words: the others say a name again."""
    path = path_of("disease-ontology", TERMS)
    rows = json_items(path)
    require(path, rows, ("id", "name", "definition", "synonyms", "xref_icd10cm", "is_a"), filled=("id", "name"))
    found = (_term(row) for row in rows)
    return [one for one in found if len(one.text.split()) >= MIN_WORDS]


def _term(row: Item) -> Example:
    name = capital(row["name"])
    definition = sentence(" ".join(row["definition"].replace("_", " ").split()))
    also = fitting(row["synonyms"], "; ", 60)
    relations = [*(f"{name} is a kind of {above}." for above in row["is_a"]), *_codes(name, row)]
    said = [definition, *([f"Also called: {also}."] if also else []), *relations]
    tasks: list[TaskText] = asked(f"What is {row['name']}?", definition)
    tasks += plain("entities", f"Disease: {row['name']}. Synonyms: {also}." if also else "")
    tasks += plain("relations", "\n".join(relations))
    return Example("", f"{name}\n\n{' '.join(said)}", tuple(tasks), row["id"])


def _codes(name: str, row: Item) -> list[str]:
    """Its ICD-10-CM codes, but for those of categories that are held out: a benchmark asks what they mean."""
    return [f"{name} has the ICD-10-CM code {code}." for code in row["xref_icd10cm"] if not icd10cm.held_out(code)]


FORMATS: dict[tuple[str, str], Format] = {
    ("medquad", "wiki_pages"): Format(_pages, (medquad.FILE,)),
    ("openstax-health", "wiki_sections"): Format(_sections, BOOKS),
    ("disease-ontology", "terms"): Format(_terms, (TERMS,)),
}
