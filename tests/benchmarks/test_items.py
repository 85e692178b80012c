"""The mini items: well formed, as many as stated, and with no text in common between splits or tasks."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

TASKS = Path(__file__).parents[2] / "benchmarks" / "tasks"
N = {
    "mini_nli": {"validation": 30, "test": 40},
    "mini_question_summary": {"validation": 30, "test": 40},
    "mini_medication_qa": {"validation": 30, "test": 40},
    "mini_error_detection": {"validation": 30, "test": 40},
    "mini_notes_perplexity": {"validation": 16, "test": 24},
}
TEXTS = {
    "mini_nli": ("premise", "hypothesis"),
    "mini_question_summary": ("question", "summary"),
    "mini_medication_qa": ("question", "answer"),
    "mini_error_detection": ("sentences", "corrected"),
    "mini_notes_perplexity": ("text",),
}
PARTS = [(task, split) for task in N for split in N[task]]


def mini_items(task: str, split: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (TASKS / task / f"{split}.jsonl").read_text().splitlines()]


def texts(task: str, item: dict[str, Any]) -> list[str]:
    """An item's texts, as the model may see them."""
    fields = [item[key] for key in TEXTS[task] if item[key] is not None]
    return [text for field in fields for text in ([field] if isinstance(field, str) else field)]


def grams(task: str, split: str, n: int = 13) -> set[tuple[str, ...]]:
    """All runs of n words of a split; sentences of an item are read as one text."""
    found: set[tuple[str, ...]] = set()
    for item in mini_items(task, split):
        words = re.findall(r"[a-z0-9]+", " ".join(texts(task, item)).lower())
        found |= {tuple(words[i : i + n]) for i in range(len(words) - n + 1)}
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


def test_no_thirteen_words_are_shared_between_splits_or_tasks() -> None:
    found = {part: grams(*part) for part in PARTS}
    shared = {(one, other): found[one] & found[other] for one, other in itertools.combinations(PARTS, 2)}
    assert {pair: texts for pair, texts in shared.items() if texts} == {}
