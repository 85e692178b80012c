"""Nigeria Standard Treatment Guidelines 2022: a condition a document, its structure as task data.

The text was read off the printed page; its lines are put together again. The structured file says less than the text
(87,000 of 133,000 words), so that the text is the document.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.data.corpora.wording import about, asked, documents, fitting, opening, plain, sentence
from workbench.data.example import Example, TaskText
from workbench.data.items import Item, json_items, require, wrong
from workbench.data.sources import path_of

TEXT, STRUCTURE = "nstg2022_text.jsonl", "nstg2022_structured.jsonl"
FILES = (TEXT, STRUCTURE)
MOST_ENTITY_WORDS = 6
MOST_RELATION_WORDS = 120
MOST_HEADING_WORDS = 7
WRAPPED_CHARACTERS = 60
"""A line of the page that goes on in the next has at least so many."""

HEADINGS = (
    "introduction", "clinical features", "differential diagnoses", "complications", "investigations", "treatment",
    "non-drug", "drug treatment", "notable adverse", "prevention", "supportive measures", "prognosis", "definitive",
    "other investigations", "aetiology", "epidemiology", "classification", "management",
)  # fmt: skip
_MARK = re.compile(r"^(?:[•・･▪■□●◦✓➢\uf0b7\-–]\s*)+")


@dataclass(frozen=True)
class Facts:
    """What the structured file says of a condition under one heading: how it is asked for, and as a relation."""

    name: str
    question: str
    relation: str
    items: tuple[str, ...]


def conditions() -> list[Example]:
    """A document a condition; key: its slug. Raises UserError where the two files do not fit together."""
    paths = [path_of("nstg2022", file) for file in FILES]
    texts, structures = (json_items(path) for path in paths)
    require(paths[0], texts, ("condition", "text"))
    require(paths[1], structures, ("condition_name", "condition_slug", "introduction"), filled=("condition_slug",))
    if len(texts) != len(structures):
        lacks = f"is one of {len(texts)} texts, but {paths[1].name} has {len(structures)}. Use both as published."
        raise wrong(paths[0], len(texts), lacks)
    return [one for text, about_it in zip(texts, structures, strict=True) for one in _document(text, about_it)]


def _document(text: Item, structure: Item) -> list[Example]:
    name = structure["condition_name"]
    return documents(structure["condition_slug"], name, _unwrapped(text["text"]), _tasks(name, structure))


def _unwrapped(text: str) -> str:
    """The text with each heading once (the page has it in capitals, too), wrapped lines joined, lists marked alike."""
    lines: list[str] = []
    width = 0
    for raw in text.split("\n"):
        line = " ".join(raw.split())
        body = _MARK.sub("", line)
        if not body:
            continue
        if heading := _heading(line):
            if not lines or lines[-1] != f"\n{heading}":
                lines.append(f"\n{heading}")
        elif body != line:
            lines.append(f"- {body}")
        elif width >= WRAPPED_CHARACTERS and lines and not lines[-1].startswith("\n"):
            lines[-1] += f" {line}"
        elif not line.isupper():  # a condition's or a table's name
            lines.append(line)
        width = len(line)
    return "\n".join(lines).strip()


def _heading(line: str) -> str:
    """The line as a heading, "Clinical features" for "CLINICAL FEATURES OF ASTHMA"; "" for one that is none."""
    short = len(line.split()) <= MOST_HEADING_WORDS and not line.endswith((".", ",", ";"))
    if not (line.isupper() or short) or not line.casefold().startswith(HEADINGS):
        return ""
    return re.split(r" (?:of|for|in) ", line.capitalize())[0].rstrip(" :")


def _facts(row: Item) -> list[Facts]:
    features = tuple(one for group in row["clinical_features"] for one in group["features"])
    treatment = row["treatment"]
    drugs = (*treatment["drug"], *(row["definitive_treatment"] or ()))
    investigations = (*row["investigations"], *(row["other_investigations"] or ()))
    return [
        Facts("Clinical features", "What are the clinical features of {}?", "is a clinical feature of", features),
        Facts("Investigations", "Which investigations are done for {}?", "is an investigation for", investigations),
        Facts("Differential diagnoses", "What are the differential diagnoses of {}?",
              "is a differential diagnosis of", tuple(row["differential_diagnoses"])),
        Facts("Complications", "What are the complications of {}?", "is a complication of",
              tuple(row["complications"])),
        Facts("Non-drug treatment", "What is the non-drug treatment of {}?", "", tuple(treatment["non_drug"])),
        Facts("Drug treatment", "How is {} treated?", "", drugs),
        Facts("Prevention", "How is {} prevented?", "", tuple(row["prevention"])),
    ]  # fmt: skip


def _tasks(name: str, row: Item) -> list[TaskText]:
    facts = _facts(row)
    tasks = plain("summary", about(name, opening(" ".join(row["introduction"].split()))))
    for fact in facts:
        answer = fitting((item.rstrip(".;") for item in dict.fromkeys(fact.items)), "; ")
        tasks += asked(fact.question.format(name), sentence(answer) if answer else "")
    return [*tasks, *_entities(name, facts), *_relations(name, facts)]


def _short(fact: Facts) -> tuple[str, ...]:
    """Items that are names rather than sentences."""
    names = (item.rstrip(".;:") for item in dict.fromkeys(fact.items))
    return tuple(name for name in names if 0 < len(name.split()) <= MOST_ENTITY_WORDS and not name.startswith("See "))


def _entities(name: str, facts: Sequence[Facts]) -> list[TaskText]:
    told = [f"{fact.name}: {names}." for fact in facts if fact.relation and (names := fitting(_short(fact), ", ", 40))]
    return plain("entities", " ".join([f"Condition: {name}.", *told]) if told else "")


def _relations(name: str, facts: Sequence[Facts]) -> list[TaskText]:
    told = (sentence(f"{item} {fact.relation} {name}") for fact in facts if fact.relation for item in _short(fact))
    return plain("relations", fitting(told, "\n", MOST_RELATION_WORDS))
