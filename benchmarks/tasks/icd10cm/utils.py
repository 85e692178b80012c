"""Questions on ICD-10-CM codes, drawn from the tables of an installed package: nothing to download."""

from __future__ import annotations

import functools

from datasets import Dataset

from workbench.data.icd10cm import LEVELS, Level, Question, questions

# split, questions per level, seed
DRAWS = (("validation", 60, 11), ("test", 60, 29))
CLUE_DRAWS = (("fewshot", 3, 43), ("test", 1000, 47))
HELD_OUT_DRAWS = (("fewshot", 3, 53), ("test", 200, 59))

Drawn = dict[tuple[str, Level], tuple[Question, ...]]


def draw(draws: tuple[tuple[str, int, int], ...], taken: frozenset[str], only_held_out: bool = False) -> Drawn:
    """Questions by split and level. No code is asked about twice, in whatever split or level, and none of `taken`."""
    found: Drawn = {}
    for split, n, seed in draws:
        for level in LEVELS:
            found[split, level] = tuple(questions(level, n, seed, taken, only_held_out))
            taken |= {q.code for q in found[split, level]}
    return found


@functools.cache
def drawn() -> Drawn:
    """The questions of the cloze and the letters form."""
    return draw(DRAWS, frozenset())


@functools.cache
def clue_drawn() -> Drawn:
    """The questions of the CLUE+ form: on no code that a validation form asks about, for those serve to choose."""
    return draw(CLUE_DRAWS, frozenset(q.code for level in LEVELS for q in drawn()["validation", level]))


@functools.cache
def held_out_drawn() -> Drawn:
    """Questions on held-out codes alone, on no code that a validation form asks about."""
    seen = frozenset(q.code for level in LEVELS for q in drawn()["validation", level])
    return draw(HELD_OUT_DRAWS, seen, only_held_out=True)


def splits(level: Level, **_: object) -> dict[str, Dataset]:
    """Both splits of a level. lm-eval passes the task's metadata and model arguments along; they are ignored."""
    return _level(drawn(), level)


def clue_splits(level: Level, **_: object) -> dict[str, Dataset]:
    """Shots and test questions of a level in the CLUE+ form."""
    return _level(clue_drawn(), level)


def held_out_splits(level: Level, **_: object) -> dict[str, Dataset]:
    """Shots and test questions of a level on held-out codes."""
    return _level(held_out_drawn(), level)


def _level(found: Drawn, level: Level) -> dict[str, Dataset]:
    return {split: Dataset.from_list([_row(q) for q in asked]) for (split, at), asked in found.items() if at == level}


def _row(question: Question) -> dict[str, object]:
    text = f"What is the description of the medical code {question.code} in ICD10CM?"
    return {
        "id": question.code,
        "code": question.code,
        "question": text,
        "options": list(question.options),
        "answer": question.answer,
    }


def answers(row: dict[str, list[str]]) -> list[str]:
    """The options as the cloze form scores them."""
    return [f"Answer: {option}" for option in row["options"]]
