"""From a model's answer to its pieces (a summary, a question with its answer, a term, a relation), and to task data."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workbench.data.example import TaskKind, TaskText
from workbench.data.generated.prompts import ENTITY_TYPES, KEYS

MOST_STARTS = 20
"""How many opening braces of a preamble are tried."""

_FENCE = re.compile(r"\s*(?:```\s*)?")


@dataclass(frozen=True)
class Piece:
    """What is kept or left out as one.

    `label` is the question of an answer and the type of a term, else empty. `quoted` are the words that must stand in
    the document as they are: a term, the subject and the object of a relation.
    """

    label: str
    text: str
    quoted: tuple[str, ...] = ()


class Unreadable(ValueError):
    """An answer that has not the form that was asked for."""


def pieces(kind: TaskKind, answer: str) -> tuple[Piece, ...]:
    """The pieces of an answer: one JSON object of the asked form, in a code fence or behind a preamble if need be.

    Raises Unreadable for anything else, for instance text behind the object.
    """
    content = _object(answer.rpartition("</think>")[2], KEYS[kind])
    return _READERS[kind](content)


def _object(text: str, key: str) -> Any:
    starts = [match.start() for match in re.finditer(r"\{", text)][:MOST_STARTS]
    end = 0
    for start in starts:
        if start < end:  # inside an object that was read
            continue
        try:
            found, end = json.JSONDecoder().raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if set(found) == {key} and _FENCE.fullmatch(text, end):
            return found[key]
    raise Unreadable(f"no JSON object whose one key is '{key}'")


def _summary(content: Any) -> tuple[Piece, ...]:
    return (Piece("", _text(content)),)


def _questions(content: Any) -> tuple[Piece, ...]:
    return tuple(Piece(question, answer) for question, answer in _rows(content, "question", "answer"))


def _entities(content: Any) -> tuple[Piece, ...]:
    if not isinstance(content, dict):
        raise Unreadable("entities are no object")
    found = [(_text(kind), _text(name)) for kind, names in content.items() for name in _list(names)]
    types = {one.lower(): one for one in ENTITY_TYPES}
    return tuple(Piece(types.get(kind.lower(), kind), name, (name,)) for kind, name in found)


def _relations(content: Any) -> tuple[Piece, ...]:
    rows = _rows(content, "subject", "relation", "object")
    return tuple(Piece("", _sentence(*row), (row[0], row[2].rstrip("."))) for row in rows)


_READERS: Mapping[TaskKind, Callable[[Any], tuple[Piece, ...]]] = {
    "summary": _summary,
    "qa": _questions,
    "entities": _entities,
    "relations": _relations,
}


def _rows(content: Any, *names: str) -> list[tuple[str, ...]]:
    rows = _list(content)
    if not all(isinstance(row, dict) and set(row) == set(names) for row in rows):
        raise Unreadable(f"an entry has other keys than {', '.join(names)}")
    return [tuple(_text(row[name]) for name in names) for row in rows]


def _list(content: Any) -> list[Any]:
    if not isinstance(content, list):
        raise Unreadable("no list where one was asked for")
    return content


def _text(content: Any) -> str:
    """One line of text: white space is normal, control characters and halves of surrogate pairs are gone."""
    if not isinstance(content, str):
        raise Unreadable("no text where one was asked for")
    return " ".join("".join(c if unicodedata.category(c) not in ("Cc", "Cs") else " " for c in content).split())


def _sentence(subject: str, relation: str, thing: str) -> str:
    first, space, rest = subject.partition(" ")
    first = first.capitalize() if first.islower() else first  # mRNA and pH stay as they are
    return f"{first}{space}{rest} {relation} {thing}".rstrip(".") + "."


def task_texts(kind: TaskKind, kept: Sequence[Piece]) -> tuple[TaskText, ...]:
    """The pieces as task data in its plain form; nothing for no piece."""
    if not kept:
        return ()
    if kind == "qa":
        return tuple(TaskText(kind, f"Question: {piece.label}\nAnswer:", f" {piece.text}") for piece in kept)
    if kind == "entities":
        groups = ((one, [piece.text for piece in kept if piece.label == one]) for one in ENTITY_TYPES)
        lines = (f"{one}: {', '.join(names)}." for one, names in groups if names)
        return (TaskText(kind, "", " ".join(lines)),)
    return (TaskText(kind, "", " ".join(piece.text for piece in kept)),)
