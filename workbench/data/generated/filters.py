"""What of a model's answer is no good task data: an explicit table of reasons, the first that holds counts.

They see forms and words, not truth: a sentence that joins the document's own words wrongly passes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from workbench.data.example import TaskKind
from workbench.data.generated.grounds import RUN, Grounds, content_words, runs
from workbench.data.generated.numbers import invented
from workbench.data.generated.pieces import Piece
from workbench.data.generated.prompts import ENTITY_TYPES, instruction
from workbench.data.grams import words
from workbench.specs.generator import FilterBounds

VERSION = 1
"""Raised with every change of what is kept."""

ALIKE = 0.8
"""Two questions that share more of their words (Jaccard) are one."""

LEAST_LETTERS, MOST_FOREIGN = 0.5, 0.1
"""Of the characters that are no space, and of the letters (above the document's own share of non-ASCII ones)."""

_CHAT = re.compile(
    r"(?:\bas an? (?:ai|artificial intelligence|(?:large )?language model|assistant)\b|\bi(?:'m| am) (?:sorry|unable)\b"
    r"|\bi can(?:not|'t)\b|\bi (?:do not|don't) have\b|\bhere(?:'s| is| are) (?:the|a|your|some|my)\b|\blet me know\b"
    r"|\bhope (?:this|that) helps\b|^(?:sure|certainly|of course|okay|ok)\b[,!.:]|\bhappy to help\b"
    r"|\bconsult (?:a|your) (?:doctor|physician|healthcare))"
    r"(?:\W+\w+)?",  # with the next word, by which a patient's own "I can't" is told from a refusal
    re.IGNORECASE,
)
_POINTS_AWAY = re.compile(
    r"\b(?:this|the) (?:above |given |provided |medical )?(?:document|text|article|excerpt|abstract)s?\b"
    r"|\b(?:this|above|given|provided) (?:passage|paragraph)s?\b"  # the passage of a stone is none
    r"|^(?:it|they|he|she|these|those|(?:this|that) (?:is|was|has|had|can|may|means))\b",
    re.IGNORECASE,
)

ALL: frozenset[TaskKind] = frozenset({"summary", "qa", "entities", "relations"})
PROSE: frozenset[TaskKind] = frozenset({"summary", "qa", "relations"})


@dataclass(frozen=True)
class Filter:
    """A reason to leave out a piece of some kinds."""

    reason: str
    kinds: frozenset[TaskKind]
    rejects: Callable[[TaskKind, Piece, Grounds, FilterBounds], bool]


def _no_text(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    return not words(piece.text) or not all(words(part) for part in piece.quoted)


def _no_question(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    return len(words(piece.label)) < 3 or not piece.label.endswith("?")


def _unknown_type(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    return piece.label not in ENTITY_TYPES


def _chat(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    found = (match.group() for part in (piece.label, piece.text) for match in _CHAT.finditer(_plain(part)))
    return any(phrase.casefold() not in _plain(grounds.text).casefold() for phrase in found)


def _plain(text: str) -> str:
    return text.replace("\u2019", "'")


def _echo(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    said = runs(words(f"{piece.label} {piece.text}"))
    return bool((said & runs(words(instruction(kind)))) - grounds.runs)


def _points_away(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    return any(_POINTS_AWAY.search(part) for part in ((piece.label,) if kind == "qa" else (piece.text,)))


def _foreign(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    text = "".join((piece.label + piece.text).split())
    letters = [c for c in text if c.isalpha()]
    if kind == "summary" and len(letters) < LEAST_LETTERS * len(text):
        return True
    return sum(not c.isascii() for c in letters) > (MOST_FOREIGN + grounds.foreign_letters) * len(letters)


def _too_short(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    return len(words(piece.text)) < bounds.summary_min_words


def _too_long(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    return len(words(piece.text)) > max(bounds.length_always, bounds.length_share * len(grounds.words))


def _copied(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    found = words(piece.text)
    copied: set[int] = set()
    for start in range(len(found) - RUN + 1):
        if tuple(found[start : start + RUN]) in grounds.runs:
            copied |= set(range(start, start + RUN))
    return len(copied) > bounds.copied * len(found)


def _not_quoted(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    return not all(grounds.says(part) for part in piece.quoted)


def _unsupported(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    return any(_support(part, grounds) < bounds.supported for part in (piece.text, f"{piece.label} {piece.text}"))


def _support(text: str, grounds: Grounds) -> float:
    said = content_words(text)
    return sum(word in grounds.content for word in said) / len(said) if said else 1.0


def _invented_number(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> bool:
    return bool(invented(f"{piece.label}\n{piece.text}", grounds.quantities))


FILTERS: tuple[Filter, ...] = (
    Filter("no text", ALL, _no_text),
    Filter("no question", frozenset({"qa"}), _no_question),
    Filter("unknown type", frozenset({"entities"}), _unknown_type),
    Filter("refusal or chat", ALL, _chat),
    Filter("echo of the prompt", ALL, _echo),
    Filter("not self-contained", PROSE, _points_away),
    Filter("other language", PROSE, _foreign),
    Filter("too short", frozenset({"summary"}), _too_short),
    Filter("too long", ALL, _too_long),
    Filter("number not in the document", PROSE, _invented_number),
    Filter("words not in the document", frozenset({"entities", "relations"}), _not_quoted),
    Filter("unsupported", frozenset({"summary", "qa"}), _unsupported),
    Filter("copied", frozenset({"summary"}), _copied),
)

DUPLICATE = "duplicate"
"""The reason for a question, term or relation that stands before in the same answer."""


@dataclass(frozen=True)
class Sifted:
    """The good pieces in their order, and how many were left out, by reason."""

    kept: tuple[Piece, ...]
    rejected: Mapping[str, int]


def sift(kind: TaskKind, found: Sequence[Piece], grounds: Grounds, bounds: FilterBounds) -> Sifted:
    """Which pieces of one answer are kept."""
    kept: list[Piece] = []
    rejected: Counter[str] = Counter()
    for piece in found:
        reason = _reason(kind, piece, grounds, bounds) or (DUPLICATE if _repeats(piece, kept) else None)
        if reason is None:
            kept.append(piece)
        else:
            rejected[reason] += 1
    return Sifted(tuple(kept), MappingProxyType(dict(rejected)))


def _reason(kind: TaskKind, piece: Piece, grounds: Grounds, bounds: FilterBounds) -> str | None:
    fitting = (one for one in FILTERS if kind in one.kinds)
    return next((one.reason for one in fitting if one.rejects(kind, piece, grounds, bounds)), None)


def _repeats(piece: Piece, before: Sequence[Piece]) -> bool:
    """By the question where there is one, by the text else: a term of two types is one."""
    return any(_alike(_named(piece), _named(other)) for other in before)


def _named(piece: Piece) -> list[str]:
    return words(piece.text if piece.quoted or not piece.label else piece.label)


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    both, either = set(one) & set(other), set(one) | set(other)
    return len(both) > ALIKE * len(either)
