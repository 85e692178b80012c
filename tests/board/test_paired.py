"""Paired differences against what scipy and a jackknife say, and what must not be compared."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from workbench.board.paired import Pairs, ScoredItems, differences, mean_difference, written
from workbench.records import ScoreRow


def row(task: str, value: float, metric: str = "acc", version: str = "1", **changes: Any) -> ScoreRow:
    fields = {"stderr": 0.1, "n": 4, "unscored": 0, "role": "test", "higher_is_better": True, "in_mean": True}
    return ScoreRow("m", "id", task, version, metric, value, **{**fields, **changes})


def items(task: str, values: list[Any], metric: str = "acc") -> list[dict[str, Any]]:
    return [{"task": task, "doc_hash": f"{task}-{n}", metric: value} for n, value in enumerate(values)]


def test_the_error_is_that_of_the_differences() -> None:
    ours, theirs = [1.0, 1.0, 0.0, 1.0, 0.5], [0.0, 1.0, 0.0, 0.0, 0.5]
    [found] = differences([row("nli", 0.7)], items("nli", ours), [row("nli", 0.3)], items("nli", theirs))
    changes = [a - b for a, b in zip(ours, theirs, strict=True)]
    mean = sum(changes) / 5
    assert found.value == pytest.approx(mean)
    assert found.stderr == pytest.approx(math.sqrt(sum((c - mean) ** 2 for c in changes) / 4 / 5))
    assert (found.n, found.better) == (5, None)
    assert written(found) == ("+40.0", "±24.5", "")


def answered(*tasks: list[float]) -> ScoredItems:
    rows = [row(f"t{n}", sum(values) / len(values)) for n, values in enumerate(tasks)]
    return ScoredItems(rows, [item for n, values in enumerate(tasks) for item in items(f"t{n}", list(values))])


def test_errors_of_means_are_paired_task_by_task() -> None:
    pairs = Pairs(
        {
            "base": answered([0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
            "merge": answered([1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0]),
            "same": answered([0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0]),
            "fewer": answered([0.0, 1.0, 0.0, 0.0], [1.0, 0.0]),
        }
    )
    # Differences 1 0 0 0, of variance 1/4 over 4, and 0 0 1, of variance 1/3 over 3.
    expected = math.sqrt(1 / 16 + 1 / 9) / 2
    assert pairs.stderr("merge", "base") == pytest.approx(expected)
    assert pairs.stderr("base", "merge") == pytest.approx(expected)
    assert pairs.stderr("same", "base") == 0
    assert pairs.stderr("fewer", "base") is None, "not the same items"
    assert pairs.stderr("unknown", "base") is None
    assert pairs.errors("base") == {"merge": pytest.approx(expected), "same": 0}


def test_bits_per_byte_is_a_ratio_whose_error_a_jackknife_confirms() -> None:
    rng = random.Random(3)
    sizes = [rng.randint(100, 3000) for _ in range(60)]
    theirs = [[-0.6 * size * rng.uniform(0.9, 1.1), size] for size in sizes]
    ours = [[given * rng.uniform(0.92, 0.98), size] for given, size in theirs]

    def bits(of: list[list[float]]) -> float:
        return -sum(given for given, _ in of) / sum(size for _, size in of) / math.log(2)

    rows = [row("text", bits(of), "bits_per_byte", higher_is_better=False, in_mean=False) for of in (ours, theirs)]
    [found] = differences(
        rows[:1], items("text", ours, "bits_per_byte"), rows[1:], items("text", theirs, "bits_per_byte")
    )
    assert found.value == pytest.approx(bits(ours) - bits(theirs))
    left_out = [bits(ours[:i] + ours[i + 1 :]) - bits(theirs[:i] + theirs[i + 1 :]) for i in range(60)]
    mean = sum(left_out) / 60
    assert found.stderr == pytest.approx(math.sqrt(59 / 60 * sum((one - mean) ** 2 for one in left_out)), rel=0.02)
    assert found.better is True
    assert written(found)[2] == "better"


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        (items("nli", [1.0, 0.0]), items("nli", [1.0, None]), "a value is missing"),
        (items("nli", [1.0, 0.0]), items("nli", [1.0]), "other items"),
        (items("nli", [1.0, 1.0]), items("nli", [0.0, 1.0]), "the score is not the mean of its items"),
    ],
)
def test_what_cannot_be_paired_has_no_difference(ours: Any, theirs: Any, why: str) -> None:
    [found] = differences([row("nli", 0.5)], ours, [row("nli", 0.5)], theirs)
    assert (found.value, found.stderr, found.better) == (None, None, None), why
    assert written(found) == ("–", "", "")
    assert mean_difference([found]) is None


def test_other_versions_of_a_task_are_not_compared() -> None:
    values = items("nli", [1.0, 0.0])
    [found] = differences([row("nli", 0.5)], values, [row("nli", 0.5, version="2")], values)
    assert found.value is None


def test_tasks_weigh_the_same_in_the_mean_and_perplexities_do_not_count() -> None:
    rows = [row("a", 1.0), row("b", 0.5), row("p", 1.0, in_mean=False), row("only here", 1.0)]
    others = [row("a", 0.0), row("b", 0.5), row("p", 0.0, in_mean=False)]
    given = [
        [one for task, values in of.items() for one in items(task, values)]
        for of in (
            {"a": [1.0] * 4, "b": [1.0, 0.0], "p": [1.0] * 9, "only here": [1.0]},
            {"a": [0.0] * 4, "b": [0.0, 1.0], "p": [0.0] * 9},
        )
    ]
    found = differences(rows, given[0], others, given[1])
    assert [one.task for one in found] == ["a", "b", "p"]
    value, stderr = mean_difference(found) or (None, None)
    assert value == pytest.approx(0.5)
    assert stderr == pytest.approx(math.hypot(0.0, 1.0) / 2)
    assert found[0].better is True, "no error, and ahead"
