"""ICD-10-CM questions: disjoint codes, honest options, and tree distances checked by a search of the package's tree."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from lm_eval.tasks import TaskManager

pytestmark = pytest.mark.filterwarnings(
    "ignore:(read|open)_text is deprecated:DeprecationWarning"
)  # simple_icd_10_cm's import

TASKS = Path(__file__).parents[2] / "benchmarks" / "tasks"
LEVELS = ("easy", "medium", "hard")
DISTANCES = {"medium": {3, 4, 5}, "hard": {2}}
N = {"validation": 60, "test": 60}

Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def drawn(manager: TaskManager) -> dict[tuple[str, str], Rows]:
    """Questions by level and split, as lm-eval sees them."""
    tasks = manager.load([f"icd10cm_{level}" for level in LEVELS])["tasks"]
    return {(level, split): list(tasks[f"icd10cm_{level}"].dataset[split]) for level in LEVELS for split in N}


def one_line(code: str) -> str:
    import simple_icd_10_cm as icd

    return " ".join(icd.get_description(code).split())


def within(code: str, edges: int) -> dict[str, int]:
    """Nodes of the whole tree, chapters and blocks too, at most so many edges away, with their distance."""
    import simple_icd_10_cm as icd

    distance, border = {code: 0}, [code]
    for step in range(1, edges + 1):
        near = [n for c in border for n in (*icd.get_children(c), icd.get_parent(c)) if n and n not in distance]
        distance |= dict.fromkeys(near, step)
        border = near
    return distance


def test_counts(drawn: dict[tuple[str, str], Rows]) -> None:
    assert {key: len(rows) for key, rows in drawn.items()} == {(level, s): N[s] for level in LEVELS for s in N}


def test_no_code_is_asked_about_twice(drawn: dict[tuple[str, str], Rows]) -> None:
    asked = Counter(row["code"] for rows in drawn.values() for row in rows)
    assert set(asked.values()) == {1}
    assert len(asked) == 3 * (60 + 60)


def test_four_distinct_options_one_of_them_right(drawn: dict[tuple[str, str], Rows]) -> None:
    for row in (row for rows in drawn.values() for row in rows):
        assert len(set(row["options"])) == 4
        assert row["options"][row["answer"]] == one_line(row["code"])
        assert row["question"] == f"What is the description of the medical code {row['code']} in ICD10CM?"


def test_every_position_is_the_right_one_about_equally_often(drawn: dict[tuple[str, str], Rows]) -> None:
    positions = Counter(row["answer"] for rows in drawn.values() for row in rows)
    assert all(65 <= positions[i] <= 115 for i in range(4)), positions  # 360 questions: 90 each, sd 8.2


@pytest.mark.parametrize("level", ["medium", "hard"])
def test_wrong_options_stand_at_the_distance_of_the_level(level: str, drawn: dict[tuple[str, str], Rows]) -> None:
    for row in drawn[level, "test"][:8]:
        near = within(row["code"], max(DISTANCES[level]))
        allowed = {one_line(code) for code, edges in near.items() if edges in DISTANCES[level]}
        assert set(row["options"]) - {one_line(row["code"])} <= allowed, row


def test_both_forms_ask_the_same_questions(manager: TaskManager) -> None:
    tasks = manager.load(["icd10cm_hard", "icd10cm_letters_hard"])["tasks"]
    cloze, letters = (tasks[name] for name in ("icd10cm_hard", "icd10cm_letters_hard"))
    row = cloze.eval_docs[0]
    assert list(cloze.eval_docs) == list(letters.eval_docs)
    assert cloze.doc_to_choice(row) == [f"Answer: {option}" for option in row["options"]]
    assert letters.doc_to_choice(row) == ["A", "B", "C", "D"]
    assert letters.fewshot_context(row, num_fewshot=0) == (
        "Answer A,B,C,D according to the answer to this multiple choice question.\n"
        f"{row['question']}\nA. {row['options'][0]}\nB. {row['options'][1]}\nC. {row['options'][2]}\n"
        f"D. {row['options'][3]}\nAnswer:"
    )


def test_another_process_with_another_hash_seed_draws_the_same(drawn: dict[tuple[str, str], Rows]) -> None:
    script = (
        "import utils, hashlib, json\n"
        "rows = [utils._row(q) for level in utils.LEVELS for q in utils.drawn()['test', level]]\n"
        "print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())"
    )
    env = {**os.environ, "PYTHONHASHSEED": "123", "PYTHONPATH": str(TASKS / "icd10cm")}
    there = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=True)
    rows = [row for level in LEVELS for row in drawn[level, "test"]]
    assert there.stdout.strip() == hashlib.sha256(json.dumps(rows).encode()).hexdigest()
