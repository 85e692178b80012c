"""Questions on ICD-10-CM codes, drawn from the tables of an installed package: nothing to download."""

from __future__ import annotations

import functools

from datasets import Dataset

from workbench.data.icd10cm import LEVELS, Level, Question, questions

DRAWS = (("validation", 60, 11), ("test", 60, 29))  # split, questions per level, seed


@functools.cache
def drawn() -> dict[tuple[str, Level], tuple[Question, ...]]:
    """Questions by split and level. No code is asked about twice, in whatever split or level."""
    found: dict[tuple[str, Level], tuple[Question, ...]] = {}
    for split, n, seed in DRAWS:
        for level in LEVELS:
            taken = frozenset(q.code for asked in found.values() for q in asked)
            found[split, level] = tuple(questions(level, n, seed, exclude=taken))
    return found


def splits(level: Level, **_: object) -> dict[str, Dataset]:
    """Both splits of a level. lm-eval passes the task's metadata and model arguments along; they are ignored."""
    return {split: Dataset.from_list([_row(q) for q in drawn()[split, level]]) for split, _n, _seed in DRAWS}


def _row(question: Question) -> dict[str, object]:
    text = f"What is the description of the medical code {question.code} in ICD10CM?"
    return {"code": question.code, "question": text, "options": list(question.options), "answer": question.answer}


def answers(row: dict[str, list[str]]) -> list[str]:
    """The options as the cloze form scores them."""
    return [f"Answer: {option}" for option in row["options"]]
