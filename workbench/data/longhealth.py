"""LongHealth (Adams et al. 2024): fictional patients, each with long documents and five-option questions on them.

The file is a JSON object of patients: `texts` {"text_0": ...} and `questions` [{question, answer_a ... answer_e,
correct, answer_location {"text_0": {...}}}], where `correct` repeats the text of the right option.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import UserError

LETTERS = "abcde"


@dataclass(frozen=True)
class Question:
    """`answer` is the index of the right one of five options; `evidence` names the documents that tell it.

    A question may have no evidence, when the answer is that nothing is said.
    """

    id: str
    text: str
    options: tuple[str, ...]
    answer: int
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Patient:
    """Documents by their name in the file ("text_0"), in its order."""

    id: str
    documents: Mapping[str, str]
    questions: tuple[Question, ...]


def patients(path: Path) -> tuple[Patient, ...]:
    """All patients of a file. Raises UserError with file, patient and question for what is not in the format."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is no JSON ({error}). Delete the file, then: workbench fetch longhealth") from error
    if not isinstance(found, dict) or not found:
        raise UserError(f"{path} holds no patients. Delete the file, then: workbench fetch longhealth")
    return tuple(_patient(path, name, patient) for name, patient in found.items())


def _patient(path: Path, name: str, found: Any) -> Patient:
    try:
        documents = {document: str(text) for document, text in found["texts"].items()}
        questions = [_question(f"{name}-{i}", question, documents) for i, question in enumerate(found["questions"])]
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: {name} is not in the format of benchmark_v5.json ({error!r}).") from error
    except ValueError as error:
        raise UserError(f"{path}: {error}. Mend the file, or fetch it anew.") from error
    return Patient(name, documents, tuple(questions))


def _question(id: str, found: Mapping[str, Any], documents: Mapping[str, str]) -> Question:
    text = str(found["question"]).strip()
    options = tuple(" ".join(str(found[f"answer_{letter}"]).split()) for letter in LETTERS)
    if not text or not all(options):
        raise ValueError(f"question {id} has an empty text or option")
    evidence = tuple(found["answer_location"])
    if unknown := [name for name in evidence if name not in documents]:
        raise ValueError(f"question {id} is answered in '{unknown[0]}', which its patient does not have")
    return Question(id, text, options, _answer(id, " ".join(str(found["correct"]).split()), options), evidence)


def _answer(id: str, correct: str, options: tuple[str, ...]) -> int:
    """Index of the option that is `correct`, or, as in CLUE, of the only one that contains it."""
    fitting = [i for i, option in enumerate(options) if option == correct]
    fitting = fitting or [i for i, option in enumerate(options) if correct and correct in option]
    if len(fitting) != 1:
        raise ValueError(f"question {id} has the gold answer '{correct}', which is not exactly one of its options")
    return fitting[0]
