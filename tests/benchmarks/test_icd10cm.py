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
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

from workbench.data.icd10cm import codes, held_out

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


def dataset_of(name: str, manager: TaskManager) -> dict[str, Rows]:
    return {split: list(rows) for split, rows in manager.load(name)["tasks"][name].dataset.items()}


def test_clue_form_has_three_shots_and_a_thousand_questions_a_level(
    drawn: dict[tuple[str, str], Rows], manager: TaskManager
) -> None:
    found = {level: dataset_of(f"icd10cm_clue_{level}", manager) for level in LEVELS}
    assert all({split: len(rows) for split, rows in f.items()} == {"fewshot": 3, "test": 1000} for f in found.values())
    asked = Counter(row["code"] for f in found.values() for rows in f.values() for row in rows)
    assert len(asked) == sum(asked.values()) == 3 * 1003
    assert not asked.keys() & {row["code"] for level in LEVELS for row in drawn[level, "validation"]}
    positions = Counter(row["answer"] for f in found.values() for row in f["test"])
    assert all(655 <= positions[i] <= 845 for i in range(4)), positions  # 3,000 questions: 750 each, sd 23.7
    for row in (row for f in found.values() for row in f["test"]):
        assert len(set(row["options"])) == 4
        assert row["options"][row["answer"]] == one_line(row["code"])


def test_clue_prompt_is_that_of_med_concepts_qa_with_its_shots(manager: TaskManager) -> None:
    task = manager.load("icd10cm_clue_hard")["tasks"]["icd10cm_clue_hard"]
    row = task.eval_docs[0]
    turns = [
        f"{shown['question']}\n"
        + "".join(f"{x}. {o}\n" for x, o in zip("ABCD", shown["options"], strict=True))
        + "Answer:"
        for shown in [*task.dataset["fewshot"], row]
    ]
    answers = [f" {'ABCD'[shot['answer']]}\n\n" for shot in task.dataset["fewshot"]] + [""]
    assert task.config.num_fewshot == 3
    assert task.fewshot_context(row, num_fewshot=3) == (
        "Answer A,B,C,D according to the answer to this multiple choice question.\n"
        + "".join(turn + answer for turn, answer in zip(turns, answers, strict=True))
    )


def test_clue_score_is_the_plain_mean_of_the_levels(tiny_lm: HFLM, manager: TaskManager) -> None:
    members = [f"icd10cm_clue_{level}" for level in LEVELS]
    samples = {member: list(range(n)) for member, n in zip(members, (3, 5, 8), strict=True)}
    found = simple_evaluate(
        model=tiny_lm, tasks=["icd10cm_clue"], task_manager=manager, samples=samples, bootstrap_iters=0
    )
    assert found is not None
    scores = found["results"]
    plain = sum(scores[member]["acc,none"] for member in members) / 3
    assert scores["icd10cm_clue"]["acc,none"] == pytest.approx(plain)
    assert [found["n-samples"][member]["effective"] for member in members] == [3, 5, 8]


def test_held_out_categories_are_those_whose_sha256_twenty_divides() -> None:
    categories = {code[:3] for code in codes()}
    for category in sorted(categories):
        digits = hashlib.sha256(category.encode()).hexdigest()
        # 16 is 1 modulo 5 and 0 modulo 4: so the sum of the digits, and the last digit, tell what 20 divides.
        divides = sum(int(digit, 16) for digit in digits) % 5 == 0 and digits[-1] in "048c"
        assert held_out(category) == divides, category
    assert 0.03 < sum(map(held_out, categories)) / len(categories) < 0.07
    assert all(held_out(code) == held_out(code[:3]) for code in codes())
    assert not any(held_out(heading) for heading in ("1", "22", "A00-A09", "E08-E13"))


@pytest.mark.parametrize("level", LEVELS)
def test_held_out_questions_offer_nothing_but_held_out_codes(
    level: str, drawn: dict[tuple[str, str], Rows], manager: TaskManager
) -> None:
    found = dataset_of(f"icd10cm_heldout_{level}", manager)
    assert {split: len(rows) for split, rows in found.items()} == {"fewshot": 3, "test": 200}
    assert not {row["code"] for row in found["fewshot"]} & {row["code"] for row in found["test"]}
    validation = {row["code"] for one in LEVELS for row in drawn[one, "validation"]}
    known = {one_line(code) for code in codes() if held_out(code)}
    for row in found["test"]:
        assert held_out(row["code"])
        assert row["code"] not in validation
        assert len(set(row["options"])) == 4
        assert set(row["options"]) <= known
        assert row["options"][row["answer"]] == one_line(row["code"])
