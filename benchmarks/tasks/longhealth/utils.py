"""The prompts of LongHealth's three tasks: which documents stand in them, in which order, within how much room."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from datasets import Dataset

from workbench.data.longhealth import Patient, Question, patients
from workbench.data.sources import path_of
from workbench.scoring.choices import long_health_letter

FILE = "benchmark_v5.json"
DRAWS = 5
DISTRACTORS = 10
UNANSWERABLE = "Question cannot be answered with provided documents"

PIECE = re.compile(r"[^\W\d_]{1,5}|\S|\n")
"""A piece stands for a token: up to five letters, one digit, one mark or one line feed.

Measured against SmolLM2's tokens: 15 to 21 % more pieces in the prose of five of our sources, 10 % fewer in a table of
laboratory values; letters have both.
"""
ROOM = 8140 - 240
"""Pieces for documents, question and options: CLUE's 8,140 tokens less the fixed parts of the prompt."""
SEPARATOR = 18  # four line feeds and fourteen dashes between two documents


def splits(task: int, **_: object) -> dict[str, Dataset]:
    """One task's rows: 5 draws of every question, the first draw of all questions first."""
    return {"test": Dataset.from_list(list(rows(patients(path_of("longhealth", FILE)), task)))}


def rows(everyone: Sequence[Patient], task: int, room: int = ROOM) -> Iterator[dict[str, object]]:
    for draw in range(DRAWS):
        for patient in everyone:
            others = [text for other in everyone if other.id != patient.id for text in other.documents.values()]
            for question in patient.questions:
                rng = random.Random(f"{task}-{draw}-{question.id}")
                yield _row(task, draw, question, _documents(task, patient, question, others, rng), room, rng)


def _documents(
    task: int, patient: Patient, question: Question, others: Sequence[str], rng: random.Random
) -> tuple[list[str], list[str]]:
    """Documents that hold the answer, and the others that may stand beside them."""
    telling = [patient.documents[name] for name in question.evidence]
    if task == 1:
        return telling, [text for name, text in patient.documents.items() if name not in question.evidence]
    return telling if task == 2 else [], rng.sample(others, min(DISTRACTORS, len(others)))


def _row(
    task: int, draw: int, question: Question, documents: tuple[list[str], list[str]], room: int, rng: random.Random
) -> dict[str, object]:
    texts = [*question.options] if task == 1 else [*question.options, UNANSWERABLE]
    options = [f"{letter}: {text}" for letter, text in zip("ABCDEF", texts, strict=False)]
    gold = options[-1] if task == 3 else options[question.answer]
    chosen = fitting([*documents[0], *documents[1]], room - pieces("\n".join([question.text, *options])))
    rng.shuffle(chosen)
    return {
        "id": f"{question.id}-{draw}",
        "documents": chosen,
        "question": question.text,
        "options": options,
        "gold": gold,
    }


def pieces(text: str) -> int:
    """How long a text counts."""
    return sum(1 for _ in PIECE.finditer(text))


def fitting(documents: Sequence[str], room: int) -> list[str]:
    """The first documents that fit; the one that does not is cut, and those behind it are left out, as in CLUE."""
    chosen = []
    for document in documents:
        ends = [piece.end() for piece in PIECE.finditer(document)]
        if len(ends) > room:
            return [*chosen, document[: ends[room - 1]]] if room > 0 else chosen
        chosen.append(document)
        room -= len(ends) + SEPARATOR
    return chosen


def process_results(doc: dict[str, str], results: list[str]) -> dict[str, float]:
    letter = long_health_letter(results[0])
    return {
        "acc": float(letter == doc["gold"][0]),
        "unparsable": float(letter is None),
        "empty": float(not results[0].strip()),
    }
