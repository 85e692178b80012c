"""QA on a discharge letter: what does it say about one of its problems?

Letters are the plans of ACI-Bench's visit notes (stand-ins: role-played visits, no hospital stays). Wrong options are
what else the same plan says, one of it under the same label if there is such a line, so that every option stands in the
letter. With them go mini_discharge_qa's validation items, where a wrong answer belongs to another letter.
"""

from __future__ import annotations

from collections.abc import Iterator

from workbench.data.encounters import Note
from workbench.data.topics.aci import notes, plan, statements
from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.pooled import pooled
from workbench.data.topics.words import alike

QUESTIONS = {
    "Medical Reasoning": "What does the doctor think about this problem: {problem}?",
    "Medical Treatment": "How will this problem be treated: {problem}?",
    "Additional Testing": "What further testing is there for this problem: {problem}?",
    "Specialist Referrals": "Which referral is made for this problem: {problem}?",
    "Patient Education and Counseling": "What was the patient told about this problem: {problem}?",
}


def drafts(material: Material) -> list[Draft]:
    """A question a labelled line of a plan, and one a mini item."""
    rows = material.mini("discharge_qa", "document", "question", "answer")
    mini = pooled(rows, "mini_discharge_qa", "document", "answer", lambda row: str(row["question"]))
    return [*(draft for note in notes() for draft in _of_plan(note)), *mini]


def _of_plan(note: Note) -> Iterator[Draft]:
    stated = list(statements(note))
    for number, one in enumerate(stated, start=1):
        if one.label in QUESTIONS:
            wrong = tuple(other.text for other in stated if other is not one)
            same = [other.text for other in stated if other is not one and other.label == one.label]
            firm = tuple(text for text in same if not alike(text, one.text))[:1]
            question = QUESTIONS[one.label].format(problem=one.problem)
            letter = plan(note)
            yield Draft(f"{note.id}:{number}", "aci-bench", question, one.text, wrong, letter, firm=firm)
