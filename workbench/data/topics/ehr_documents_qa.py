"""QA on multiple EHR documents: what is true of the patient of one of them?

The histories of eight patients of ACI-Bench stand together, cut short; every option is a fact from the note of one of
the eight, so that the right document has to be found. With them go mini_long_documents' validation items, questions on
several documents of one patient, less one of their four wrong choices.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from workbench.data.encounters import Note, problems_of
from workbench.data.topics.aci import history, notes
from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.words import stems

QUESTIONS = {
    "CHIEF COMPLAINT": "Why did the patient of document {number} come?",
    "RESULTS": "Which results were found in the patient of document {number}?",
    "plan": "Which problem is treated in the patient of document {number}?",
}
DOCUMENTS, MAX_WORDS = 8, 40
MOST = 3
"""At most so many problems of one plan are asked for."""


def drafts(material: Material) -> list[Draft]:
    """A question a fact of a note, and one a mini item."""
    return [*(draft for heading in QUESTIONS for draft in _of_notes(heading)), *_of_mini(material)]


def _of_notes(heading: str) -> Iterator[Draft]:
    rng = random.Random(f"ehr_documents_qa-{heading}")
    known = {note: facts for note in notes() if history(note) and (facts := _facts(note, heading))}
    for note, facts in known.items():
        own = frozenset().union(*(stems(fact) for fact in facts))
        others = [one for one, other in known.items() if one is not note and not stems(other[0]) & own]
        if len(others) < DOCUMENTS - 1:
            continue
        for number, fact in enumerate(facts[:MOST], start=1):
            group = [note, *rng.sample(others, DOCUMENTS - 1)]
            rng.shuffle(group)
            asked = QUESTIONS[heading].format(number=group.index(note) + 1)
            wrong = tuple(known[one][0] for one in group if one is not note)
            yield Draft(f"{note.id}:{heading}:{number}", "aci-bench", asked, fact, wrong, _documents(group))


def _facts(note: Note, heading: str) -> tuple[str, ...]:
    """The problems of the plan, or a section's first line."""
    return problems_of(note) if heading == "plan" else tuple(note.section(heading).splitlines()[:1])


def _documents(group: list[Note]) -> str:
    """The beginnings of the histories, numbered."""
    starts = (" ".join(history(note).split()[:MAX_WORDS]) for note in group)
    return "\n\n".join(f"Document {number}: {start}" for number, start in enumerate(starts, start=1))


def _of_mini(material: Material) -> Iterator[Draft]:
    for row in material.mini("long_documents", "documents", "question", "choices", "answer"):
        choices = list(row["choices"])
        right = choices.pop(row["answer"])
        documents = "\n\n".join(f"{document['title']}\n{document['text']}" for document in row["documents"])
        yield Draft(row["id"], "mini_long_documents", row["question"], right, tuple(choices), documents)
