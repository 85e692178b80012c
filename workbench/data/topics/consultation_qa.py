"""QA on a medical consultation: the doctor asks; what does the patient answer?

Conversations are MTS-Dialog's validation set (Ben Abacha et al. 2023) and mini_visit_note's validation items, shown up
to a question of the doctor's. Wrong are what patients say later in it and in other conversations of the set: so no
option stands in what is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.data.topics.item import Draft
from workbench.data.topics.material import Material
from workbench.data.topics.read import table
from workbench.data.topics.words import words

QUESTION = "What does the patient answer?"
MIN_WORDS = 6
"""Shorter replies ("No, not at all.") answer many questions."""

_TURN = re.compile(r"^(\w+):\s*(\S.*)$")


@dataclass(frozen=True)
class Conversation:
    """Its turns as (speaker, words)."""

    id: str
    source: str
    turns: tuple[tuple[str, str], ...]

    def replies(self, start: int = 0) -> Iterator[tuple[int, str]]:
        """Turns from `start` that are no doctor's and have at least MIN_WORDS words, with their places."""
        for at, (speaker, said) in enumerate(self.turns):
            if at >= start and speaker != "Doctor" and len(words(said)) >= MIN_WORDS:
                yield at, said


def drafts(material: Material) -> list[Draft]:
    """A question a reply that follows a question of the doctor's; each set is its own pool."""
    rows = table("mts-dialog", "MTS-Dialog-ValidationSet.csv", "ID", "dialogue")
    mts = [Conversation(f"validation-{row['ID']}", "mts-dialog", _turns(row["dialogue"])) for row in rows]
    items = material.mini("visit_note", "dialogue")
    mini = [Conversation(row["id"], "mini_visit_note", _turns(row["dialogue"])) for row in items]
    return [draft for group in (mts, mini) for one in group for draft in _of_conversation(one, group)]


def _turns(dialogue: str) -> tuple[tuple[str, str], ...]:
    found = (_TURN.match(line.strip()) for line in dialogue.splitlines())
    return tuple((turn[1], turn[2].strip()) for turn in found if turn)


def _of_conversation(one: Conversation, group: Sequence[Conversation]) -> Iterator[Draft]:
    elsewhere = [said for other in group if other.id != one.id for _, said in other.replies()]
    for at, reply in one.replies(start=1):
        asker, asked = one.turns[at - 1]
        if asker == "Doctor" and "?" in asked:
            shown = "\n".join(f"{speaker}: {said}" for speaker, said in one.turns[:at])
            wrong = (*(said for _, said in one.replies(at + 1)), *elsewhere)
            yield Draft(f"{one.id}:{at + 1}", one.source, QUESTION, reply, wrong, shown)
