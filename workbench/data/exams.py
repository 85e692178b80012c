"""Questions of medical examinations with four options, read from the files of MIRAGE as rows of one kind.

A row is {id, question, options, answer}: four texts and the index of the right one. All three readers raise UserError,
naming the file and the item (counted from 1), for a missing column, an empty question or option, and an answer that
is none of the options.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workbench.data.items import json_items, require, wrong

Row = dict[str, Any]
LETTERS = ("A", "B", "C", "D")

_MEDMCQA_OPTIONS = ("opa", "opb", "opc", "opd")
_WAY_OUT = "Delete the file, then run: workbench fetch mirage"


def medqa(path: Path) -> list[Row]:
    """MedQA's US questions with four options (Jin et al. 2021); `answer_idx` is the letter of the right one."""
    items = json_items(path)
    require(path, items, ("question", "options", "answer_idx"))
    rows = []
    for at, item in enumerate(items, 1):
        options = item["options"]
        if not isinstance(options, dict) or tuple(sorted(options)) != LETTERS:
            raise wrong(path, at, f"its options are not the four of {', '.join(LETTERS)}. {_WAY_OUT}")
        texts = [options[letter] for letter in LETTERS]
        rows.append(_row(path, at, f"medqa-{at}", item["question"], texts, LETTERS, item["answer_idx"]))
    return rows


def medmcqa(path: Path) -> list[Row]:
    """MedMCQA's questions (Pal et al. 2022); `cop` is the right option's number, counted from 1."""
    items = json_items(path)
    require(path, items, ("id", "question", "cop", *_MEDMCQA_OPTIONS))
    return [
        _row(path, at, item["id"], item["question"], [item[o] for o in _MEDMCQA_OPTIONS], (1, 2, 3, 4), item["cop"])
        for at, item in enumerate(items, 1)
    ]


def mmlu(path: Path, subject: str) -> list[Row]:
    """One subject of MMLU (Hendrycks et al. 2021): a CSV without a header: question, four options, letter."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file))
    rows = []
    for at, line in enumerate(lines, 1):
        if len(line) != 6:
            raise wrong(path, at, f"has {len(line)} columns, not question, four options and letter. {_WAY_OUT}")
        question, *options, gold = line
        rows.append(_row(path, at, f"{subject}-{at}", question, options, LETTERS, gold))
    return rows


def _row(
    path: Path, at: int, id: str, question: object, options: Sequence[object], names: Sequence[object], gold: object
) -> Row:
    """The checked row; `names` are what the file calls its options, `gold` must be one of them."""
    for what, text in (("question", question), *zip([f"option {n}" for n in names], options, strict=True)):
        if not isinstance(text, str) or not text.strip():
            raise wrong(path, at, f"its {what} is empty or no text. {_WAY_OUT}")
    if gold not in names:
        raise wrong(path, at, f"its answer '{gold}' is none of {', '.join(map(str, names))}. {_WAY_OUT}")
    return {"id": id, "question": question, "options": list(options), "answer": names.index(gold)}
