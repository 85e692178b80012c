"""Task data about a study's abstract: a summary from its conclusion, questions from its title and its aim."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.data.corpora.conclusions import aim, conclusion
from workbench.data.corpora.wording import question
from workbench.data.example import TaskText

_ASKED = re.compile(
    r"(?i)(?:^|[:.\u2013\u2014-]\s)[\"'\u2018\u201c]?(?:is|are|was|were|do|does|did|can|could|should|would|will|may|might|has|have|what|which"
    r"|who|why|how|when|where|to what)\b[^?]*\?"
)
_PLANNED = re.compile(r"(?i)\bprotocols?\b|\brationale\b|\bdesign (?:of|and)\b|\bbaseline (?:data|characteristics)\b")
_EXPECTED = re.compile(r"\b(?:will|(?:is|are) expected|we expect)\b")
_QUESTION_WORDS = 5


def named(title: str, text: str) -> str:
    """A text after its title, which says what it is about."""
    return f"{title} {text}"


def task_texts(title: str, abstract: Sequence[str], last_concludes: bool = False) -> tuple[TaskText, ...]:
    """A summary, and questions that the conclusion answers; none where no conclusion can be told.

    Of a study that is only planned nobody asks what it found.
    """
    concluded = conclusion(abstract, last_concludes)
    if not concluded:
        return ()
    summary = TaskText("summary", "", named(title, concluded))
    if _PLANNED.search(title) or _EXPECTED.search(concluded):
        return (summary,)
    return (summary, *(question(asked, concluded) for asked in _questions(title, abstract)))


def _questions(title: str, abstract: Sequence[str]) -> list[str]:
    found = []
    if (asked := _ASKED.search(title)) and len(asked[0].split()) >= _QUESTION_WORDS:
        found.append(title[: asked.end()].strip("\"'\u2018\u2019\u201c\u201d"))
    if aimed := aim(abstract):
        found.append(f"A study set out to {aimed}. What did it conclude?")
    return found
