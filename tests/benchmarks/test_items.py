"""The mini items: well formed, as many as stated, and with no text in common between splits or tasks."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import simple_icd_10_cm as icd

TASKS = Path(__file__).parents[2] / "benchmarks" / "tasks"
N = {
    "mini_nli": {"validation": 30, "test": 40},
    "mini_question_summary": {"validation": 30, "test": 40},
    "mini_medication_qa": {"validation": 30, "test": 40},
    "mini_error_detection": {"validation": 30, "test": 40},
    "mini_notes_perplexity": {"validation": 16, "test": 24},
    "mini_radiology_qa": {"validation": 30, "test": 40},
    "mini_social_history": {"validation": 30, "test": 40},
    "mini_problem_list": {"validation": 24, "test": 44},
    "mini_discharge_qa": {"validation": 24, "test": 43},
    "mini_coding": {"validation": 24, "test": 46},
    "mini_long_documents": {"validation": 30, "test": 50},
    "mini_visit_note": {"validation": 26, "test": 40},
}
TEXTS = {
    "mini_nli": ("premise", "hypothesis"),
    "mini_question_summary": ("question", "summary"),
    "mini_medication_qa": ("question", "answer"),
    "mini_error_detection": ("sentences", "corrected"),
    "mini_notes_perplexity": ("text",),
    "mini_radiology_qa": ("findings", "question", "answer"),
    "mini_social_history": ("text",),
    "mini_problem_list": ("note", "problems"),
    "mini_discharge_qa": ("document", "question", "answer"),
    "mini_coding": ("document",),
    "mini_long_documents": ("documents", "question", "choices"),
    "mini_visit_note": ("dialogue", "note"),
}
PARTS = [(task, split) for task in N for split in N[task]]


def mini_items(task: str, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (TASKS / task / f"{split}.jsonl").read_text().splitlines()]


def texts(task: str, item: dict[str, Any]) -> list[str]:
    """An item's texts, as the model may see them."""
    return [text for key in TEXTS[task] if item[key] is not None for text in strings(item[key])]


def strings(field: Any) -> list[str]:
    """A text, or those of a list or of a document with its title."""
    if isinstance(field, str):
        return [field]
    return [text for part in (field.values() if isinstance(field, dict) else field) for text in strings(part)]


def runs(text: str, n: int = 13) -> set[tuple[str, ...]]:
    """All runs of n words of a text."""
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}


def grams(task: str, split: str, n: int = 13) -> set[tuple[str, ...]]:
    """All runs of n words of a split; sentences of an item are read as one text."""
    found: set[tuple[str, ...]] = set()
    for item in mini_items(task, split):
        found |= runs(" ".join(texts(task, item)), n)
    return found


@pytest.mark.parametrize(("task", "split"), PARTS)
def test_items_are_whole(task: str, split: str) -> None:
    items = mini_items(task, split)
    assert len(items) == N[task][split]
    assert len({item["id"] for item in items}) == len(items)
    for item in items:
        assert all(text == text.strip() != "" for text in texts(task, item)), item["id"]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_nli_labels_are_balanced(split: str) -> None:
    labels = [item["label"] for item in mini_items("mini_nli", split)]
    counts = [labels.count(label) for label in ("entailment", "neutral", "contradiction")]
    assert sum(counts) == len(labels)
    assert max(counts) - min(counts) <= 1


@pytest.mark.parametrize("split", ["validation", "test"])
def test_an_erroneous_sentence_exists_and_differs_from_its_correction(split: str) -> None:
    for item in mini_items("mini_error_detection", split):
        at = item["error_sentence"]
        assert -1 <= at < len(item["sentences"]), item["id"]
        assert (at == -1) == (item["corrected"] is None), item["id"]
        assert at == -1 or item["sentences"][at] != item["corrected"], item["id"]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_radiology_findings_are_a_paragraph_and_their_answer_one_line(split: str) -> None:
    for item in mini_items("mini_radiology_qa", split):
        assert 50 <= len(item["findings"].split()) <= 110, item["id"]
        assert item["question"].endswith("?"), item["id"]
        assert len(item["answer"].split()) <= 20, item["id"]
        assert "\n" not in " ".join(texts("mini_radiology_qa", item)), item["id"]


SUBSTANCE = {"none", "current", "past"}
SOCIAL = {
    "Employment": {"employed", "unemployed", "retired", "on disability", "student", "homemaker"},
    "LivingStatus": {"alone", "with family", "with others", "homeless"},
    "Alcohol": SUBSTANCE,
    "Drug": SUBSTANCE,
    "Tobacco": SUBSTANCE,
}
"""Labels and statuses of SHAC, as far as CLUE+ asks for them."""


@pytest.mark.parametrize("split", ["validation", "test"])
def test_social_entities_stand_once_in_their_text_and_in_the_taxonomy(split: str) -> None:
    items = mini_items("mini_social_history", split)
    for item in items:
        assert 25 <= len(item["text"].split()) <= 70, item["id"]
        assert 1 <= len(item["entities"]) <= 5, item["id"]
        for entity in item["entities"]:
            assert item["text"].count(entity["entity"]) == 1, (item["id"], entity)  # else its span would be unclear
            assert entity["value"] in SOCIAL[entity["label"]], (item["id"], entity)
    found = {(entity["label"], entity["value"]) for item in items for entity in item["entities"]}
    assert found == {(label, value) for label, values in SOCIAL.items() for value in values}


@pytest.mark.parametrize("split", ["validation", "test"])
def test_problems_are_few_and_can_be_told_apart_in_a_list(split: str) -> None:
    for item in mini_items("mini_problem_list", split):
        assert 60 <= len(item["note"].split()) <= 120, item["id"]
        assert 2 <= len(item["problems"]) <= 5, item["id"]
        assert len({problem.lower() for problem in item["problems"]}) == len(item["problems"]), item["id"]
        assert not any(mark in problem for problem in item["problems"] for mark in ";\n"), item["id"]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_discharge_answers_are_one_line_and_no_copy_of_the_letter(split: str) -> None:
    for item in mini_items("mini_discharge_qa", split):
        assert 90 <= len(item["document"].split()) <= 170, item["id"]
        assert "\n" not in item["question"] + item["answer"], item["id"]
        assert not runs(item["document"]) & runs(item["answer"]), item["id"]


@pytest.mark.parametrize("split", ["validation", "test"])
def test_codes_are_billable_and_not_in_their_text(split: str) -> None:
    for item in mini_items("mini_coding", split):
        assert 50 <= len(item["document"].split()) <= 110, item["id"]
        assert 2 <= len(set(item["codes"])) == len(item["codes"]) <= 4, item["id"]
        for code in item["codes"]:
            assert icd.is_valid_item(code), (item["id"], code)
            assert icd.is_leaf(code), (item["id"], code)  # else a heading, which cannot be billed
            assert code == icd.add_dot(code), (item["id"], code)
        # Nor does anything in the text read like a code, so that none can be copied.
        assert not re.search(r"\b[A-TV-Z][0-9]{2}(?:\.?[0-9A-Z]{1,4})?\b", item["document"].upper()), item["id"]


def test_no_two_items_have_the_same_main_problem_or_code() -> None:
    for task, key in (("mini_problem_list", "problems"), ("mini_coding", "codes")):
        mains = [item[key][0] for split in N[task] for item in mini_items(task, split)]
        assert len(set(mains)) == len(mains)


@pytest.mark.parametrize("split", ["validation", "test"])
def test_long_documents_are_whole_and_their_answers_balanced(split: str) -> None:
    items = mini_items("mini_long_documents", split)
    patients: dict[str, Any] = {}
    for item in items:
        assert patients.setdefault(item["patient"], item["documents"]) == item["documents"], item["id"]
        assert len(set(item["choices"])) == len(item["choices"]) == 5, item["id"]
        assert all("\n" not in text for text in (item["question"], *item["choices"])), item["id"]
        assert item["question"].endswith("?"), item["id"]
    for patient, documents in patients.items():
        assert 3 <= len(documents) <= 6, patient
        assert all(document.keys() == {"title", "text"} for document in documents), patient
        assert 450 <= sum(len(document["text"].split()) for document in documents) <= 800, patient
        assert 4 <= sum(item["patient"] == patient for item in items) <= 5, patient
    counts = [sum(item["answer"] == position for item in items) for position in range(5)]
    assert sum(counts) == len(items)
    assert max(counts) - min(counts) <= 2


@pytest.mark.parametrize("split", ["validation", "test"])
def test_visits_alternate_between_the_doctor_and_one_other(split: str) -> None:
    for item in mini_items("mini_visit_note", split):
        speakers = [line.partition(": ")[0] for line in item["dialogue"].split("\n")]
        assert set(speakers[::2]) == {"Doctor"}, item["id"]
        assert set(speakers[1::2]) in ({"Patient"}, {"Mother"}, {"Father"}, {"Daughter"}, {"Carer"}), item["id"]
        assert 90 <= len(item["dialogue"].split()) <= 160, item["id"]
        assert 45 <= len(item["note"].split()) <= 90, item["id"]
        assert "\n\n" not in item["note"], item["id"]  # the task's stop string must not stand in a note


@pytest.mark.parametrize(("task", "of"), [("mini_long_documents", "patient"), ("mini_visit_note", "id")])
@pytest.mark.parametrize("split", ["validation", "test"])
def test_no_thirteen_words_are_shared_between_patients(task: str, of: str, split: str) -> None:
    found: dict[str, set[tuple[str, ...]]] = {}
    for item in mini_items(task, split):
        found.setdefault(item[of], set()).update(runs(" ".join(texts(task, item))))
    assert not any(one & other for one, other in itertools.combinations(found.values(), 2))


def test_no_thirteen_words_are_shared_between_splits_or_tasks() -> None:
    found = {part: grams(*part) for part in PARTS}
    shared = {(one, other): found[one] & found[other] for one, other in itertools.combinations(PARTS, 2)}
    assert {pair: texts for pair, texts in shared.items() if texts} == {}
