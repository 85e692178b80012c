"""Scores without the items that training corpora overlap, and what the board says of both."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from workbench.board.overlap import BY_DESIGN, by_design, clean_score, sentences, shared_items
from workbench.board.page import Board, Item, Listing
from workbench.board.sections import listings
from workbench.records import CleanScore, Overlap, ScoreRow, SharedItem

Row = Callable[..., ScoreRow]


def results(metric: str, *values: Any, task: str = "nli") -> list[dict[str, Any]]:
    """Results of items h0, h1, ..."""
    return [
        {"task": task, "doc_id": i, "doc_hash": f"h{i}", "filter": "none", metric: value}
        for i, value in enumerate(values)
    ]


def lap(expert: str, task: str, *hashes: str, items: int = 10, role: Any = "test") -> Overlap:
    return Overlap(expert, task, role, items, tuple(SharedItem(f"id-{h}", h, 0.5) for h in hashes))


def test_a_mean_without_shared_items(row: Row) -> None:
    # By hand: 0, 1, 1, 0, 1 has mean 3/5; without h1 and h4 it is 0, 1, 0: mean 1/3, variance (1/9 + 4/9 + 1/9) / 2.
    found = clean_score(row("m", "nli", 0.6, 0.245), results("acc", 0.0, 1.0, 1.0, 0.0, 1.0), {"h1", "h4", "h9"})
    assert found == CleanScore(
        "m", "nli", "validation", "acc", 100, 0.6, 0.245, 3, pytest.approx(1 / 3), pytest.approx(math.sqrt(1 / 3 / 3))
    )


def test_a_clean_score_of_nothing_shared_is_the_score(row: Row) -> None:
    values = [0.1, 0.25, 0.7, 0.35]
    found = clean_score(row("m", "nli", statistics.fmean(values)), results("acc", *values), set())
    assert (found.clean_n, found.clean_value) == (4, pytest.approx(found.value))
    assert found.clean_stderr == pytest.approx(statistics.stdev(values) / 2)


def test_bits_per_byte_is_a_ratio_of_sums(row: Row) -> None:
    # By hand: (-30 - 10) / (20 + 10) nats a byte are 4/3 / ln 2 bits; without h2: -30 / 20 alone, 1.5 / ln 2.
    pairs = [[-30.0, 20], [-10.0, 10]]
    of_all = row("m", "notes", 4 / 3 / math.log(2), None, metric="bits_per_byte", higher_is_better=False)
    items = results("bits_per_byte", *pairs, task="notes")
    found = clean_score(of_all, items, {"h1"})
    assert (found.clean_n, found.clean_value) == (1, pytest.approx(1.5 / math.log(2)))
    assert found.clean_stderr is None  # of one item
    # Both: residuals -30 + 20 * 4/3 = -10/3 and its negative; 2 / 1 * 2 * (10/3)^2 = 400/9, its root over 30 bytes.
    assert clean_score(of_all, items, set()).clean_stderr == pytest.approx(20 / 3 / 30 / math.log(2))


def test_other_tasks_filters_and_unscored_items_do_not_count(row: Row) -> None:
    items = results("acc", 1.0, 0.0, None)
    items += [{**items[1], "filter": "strict"}, {**items[0], "task": "other"}]
    found = clean_score(row("m", "nli", 0.5), items, {"h1"})
    assert (found.clean_n, found.clean_value, found.clean_stderr) == (1, 1.0, None)


@pytest.mark.parametrize(
    ("value", "values", "shared"),
    [
        (0.5, (1.0, 1.0), {"h0"}),  # the board's score is no mean of these
        (None, (1.0, 0.0), {"h0"}),
        (0.5, (1.0, 0.0), {"h0", "h1"}),  # no item is left
        (0.5, ([1.0, 2.0], [0.0, 3.0]), {"h0"}),  # a weighted metric that is not bits per byte
        (0.5, (), set()),
    ],
)
def test_what_cannot_be_computed_is_undefined(row: Row, value: Any, values: Any, shared: set[str]) -> None:
    found = clean_score(row("m", "nli", value), results("acc", *values), shared)
    assert (found.clean_value, found.clean_stderr) == (None, None)
    assert found.value == value


def test_items_shared_with_any_expert_are_left_out_for_all_models() -> None:
    overlaps = [
        lap("a", "nli", "h1", "h2"),
        lap("b", "nli", "h2", "h3"),
        lap("a", "qa"),
        lap("b", "nli", role="validation"),
    ]
    assert shared_items(overlaps) == {("nli", "test"): {"h1", "h2", "h3"}}
    assert shared_items([]) == {}


def test_sentences_name_experts_tasks_and_both_scores() -> None:
    overlaps = [
        lap("codes", "nli"), lap("codes", "icd10cm_easy", "h1", items=60),
        Overlap("notes", "nli", "test", 10, (SharedItem("a", "h1", 0.9), SharedItem("b", "h2", 0.004))),
        lap("notes", "icd10cm_easy", items=60),
    ]  # fmt: skip
    scores = [
        CleanScore("base", "nli", "test", "acc", 10, 0.5, 0.1, 8, 0.4, 0.12),
        CleanScore("merge", "nli", "test", "acc", 10, None, None, 8, None, None),
        CleanScore("base", "icd10cm_easy", "test", "acc", 60, 0.25, 0.05, 59, None, None),
        CleanScore("merge", "icd10cm_easy", "test", "acc", 60, 0.5, None, 0, None, None),
    ]
    assert sentences(overlaps, scores) == [
        ("codes", "1 of 70 items of 2 tasks shares 13 words in a row with what it read"),
        ("notes", "2 of 70 items of 2 tasks share 13 words in a row with what it read"),
        (
            "icd10cm_easy (test)",
            f"1 of 60 items shared (codes 1, at most 50 % of one), {BY_DESIGN}. "
            "base: 0.250 ± 0.050, without them undefined (acc is no mean over items). "
            "merge: 0.500, without them undefined (no item is left)",
        ),
        (
            "nli (test)",
            "2 of 10 items shared (notes 2, at most 90 % of one). "
            "base: 0.400 ± 0.120 on the 8 other items (0.500 ± 0.100 on all 10). merge: no score",
        ),
    ]  # fmt: skip


def test_nothing_shared_is_said_too_and_nothing_compared_is_not() -> None:
    assert sentences([lap("codes", "nli", items=1)], []) == [
        ("codes", "none of 1 item of 1 task shares 13 words in a row with what it read")
    ]
    assert sentences([], []) == []


def test_only_icd10cm_is_knowledge_recall_by_design() -> None:
    assert [by_design(task) for task in ("icd10cm_easy", "mini_nli", "mini_coding")] == [True, False, False]


def test_the_board_lists_overlaps_before_its_notes(row: Row) -> None:
    board = Board("t", "base", (row("base", "nli", 0.4),), notes=("synthetic",), overlap=(("codes", "none of 3"),))
    assert listings(board) == [
        Listing("Overlap with training corpora", (Item("codes", "none of 3"),)),
        Listing("Notes", (Item("", "synthetic"),)),
    ]
