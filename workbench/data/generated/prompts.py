"""How each kind of task data is asked for. The wording is this project's: the paper gives none.

Whoever changes a word here raises VERSION: answers to the old wording are then no longer taken from the cache.
"""

from __future__ import annotations

from collections.abc import Mapping

from workbench.data.example import TaskKind

VERSION = 1

ENTITY_TYPES = ("Diseases", "Symptoms", "Chemicals", "Procedures", "Tests", "Anatomy", "Genes")

KEYS: Mapping[TaskKind, str] = {
    "summary": "summary",
    "qa": "questions",
    "entities": "entities",
    "relations": "relations",
}
"""The one key of the JSON object that is asked for."""

RULES = (
    "Use nothing but the content of the document: add no fact, number, dose, unit or advice of your own, and leave "
    "out whatever it does not state. Every sentence must be understood by somebody who has not seen the document, so "
    "name the subject and never speak of a document, text or article. Reply with one JSON object in exactly the form "
    "shown and with nothing else."
)

TASKS: Mapping[TaskKind, tuple[str, str]] = {
    "summary": (
        "Summarise the medical document above in two to five sentences of your own. The first sentence names what it "
        "is about.",
        '{"summary": "..."}',
    ),
    "qa": (
        "Write three to five questions about the most important facts of the medical document above, each about "
        "another fact, each with its short and complete answer. Every question ends with a question mark and names "
        "what it asks about.",
        '{"questions": [{"question": "...?", "answer": "..."}]}',
    ),
    "entities": (
        "List the medical terms of the document above by type, each once and spelled as it stands there. The types are "
        + ", ".join(ENTITY_TYPES)
        + ". Leave out a type that has no term.",
        '{"entities": {"Diseases": ["..."], "Chemicals": ["..."]}}',
    ),
    "relations": (
        "List up to ten relations that the medical document above states between two of its terms. Subject and object "
        "are spelled as they stand there; subject, relation and object read one after the other are a sentence.",
        '{"relations": [{"subject": "...", "relation": "...", "object": "..."}]}',
    ),
}
"""What to do, and the form of the reply."""


def instruction(kind: TaskKind) -> str:
    """What is asked for, without the document."""
    task, form = TASKS[kind]
    return f"{task}\n\n{RULES}\n\n{form}"


def prompt(kind: TaskKind, document: str) -> str:
    """The whole message: the document comes first, so that a server may keep its beginning for all four kinds."""
    return f"<document>\n{document}\n</document>\n\n{instruction(kind)}"
