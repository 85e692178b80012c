"""Task data in words: leading sentences that fit, questions with answers, lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from workbench.data.corpora.parts import parts
from workbench.data.example import Example, TaskKind, TaskText

MOST_ANSWER_WORDS = 80
MIN_WORDS = 20
"""A document of fewer words is trivial."""

_ANCHOR = 40
_ANNOUNCES = re.compile(r"(?::|\b(?:include|are|following|look for))$")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[\"'(\[]?[A-Z0-9])")
_ENDS_NO_SENTENCE = re.compile(r"(?:\b(?:[A-Z]|Dr|Mr|Mrs|St|vs|e\.g|i\.e|al|approx|No|spp|subsp)\.)$")


def sentences(line: str) -> list[str]:
    """Sentences of a line; an initial ("E. coli") or a common abbreviation ends none."""
    found: list[str] = []
    for piece in _SENTENCE.split(line.strip()):
        if found and _ENDS_NO_SENTENCE.search(found[-1]):
            found[-1] += f" {piece}"
        elif piece:
            found.append(piece)
    return found


def opening(text: str, most_words: int = MOST_ANSWER_WORDS) -> str:
    """The leading sentences of the first paragraph that have at most so many words together; "" if the first has more.

    A paragraph that ends in a colon, or in "include", goes on with the next; where the list that it
    announces does not fit, only what stands before the announcing sentence is given.
    """
    paragraphs = [p.strip() for p in text.split("\n\n") if p.strip()]
    lead = ""
    for paragraph in paragraphs:
        lead = f"{lead}\n{paragraph}" if lead else paragraph
        if not _ANNOUNCES.search(paragraph):
            break
    taken, held = "", 0
    for line in lead.split("\n"):
        for at, sentence in enumerate(sentences(line)):
            held += len(sentence.split())
            if held > most_words:
                return _without_announcement(taken)
            taken += (" " if at else "\n" if taken else "") + sentence
    return _without_announcement(taken)


def _without_announcement(text: str) -> str:
    if not _ANNOUNCES.search(text):
        return text
    before, _, last = text.rpartition("\n")
    return "\n".join(filter(None, (before, " ".join(sentences(last)[:-1]))))


def fitting(items: Iterable[str], separator: str, most_words: int = MOST_ANSWER_WORDS) -> str:
    """Leading items, joined, that have at most so many words together; "" if the first has more or there is none."""
    taken: list[str] = []
    held = 0
    for item in items:
        held += len(item.split())
        if held > most_words:
            break
        taken.append(item)
    return separator.join(taken)


def question(text: str, answer: str) -> TaskText:
    """A question with its answer."""
    return TaskText("qa", f"Question: {text}\nAnswer:", f" {answer}")


def asked(text: str, answer: str) -> list[TaskText]:
    """The question with its answer as task data, none without an answer."""
    return [question(text, answer)] if answer else []


def plain(kind: TaskKind, text: str) -> list[TaskText]:
    """A summary, entities or relations, without a prompt; none without a text."""
    return [TaskText(kind, "", text)] if text else []


def capital(text: str) -> str:
    """With a capital first letter, the rest as it is."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """With a capital first letter and a full stop, unless it ends a sentence already."""
    return capital(text) if text.endswith((".", "!", "?")) else f"{capital(text)}."


def about(topic: str, text: str) -> str:
    """A summary that names its topic: as it is where it does, otherwise after it and a colon."""
    if not text:
        return ""
    return text if topic.casefold() in text.casefold() else f"{topic}: {text}"


def documents(key: str, title: str, text: str, tasks: Sequence[TaskText]) -> list[Example]:
    """A document in parts that share its key; task data go with the part that holds their first words, else the first.

    None for one of fewer than MIN_WORDS words.
    """
    if len(text.split()) < MIN_WORDS:
        return []
    pieces = parts(title, text)
    given: list[list[TaskText]] = [[] for _ in pieces]
    for task in tasks:
        given[_place(task, pieces)].append(task)
    return [Example("", piece, tuple(own), key) for piece, own in zip(pieces, given, strict=True)]


def _place(task: TaskText, pieces: Sequence[str]) -> int:
    anchor = " ".join(task.completion.split())[:_ANCHOR]
    return next((at for at, piece in enumerate(pieces) if anchor in " ".join(piece.split())), 0)
