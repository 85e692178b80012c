from __future__ import annotations

import pytest

from workbench.board.comparable import defined, scores_in_mean
from workbench.board.table import tidy
from workbench.errors import UserError


def test_models_and_tasks_keep_their_order_and_tasks_beside_the_mean_stay_out(row):
    rows = [
        row("z", "qa", 0.1),
        row("z", "nli", None, None),
        row("a", "notes", 1.2, in_mean=False, higher_is_better=False),
    ]
    scores = scores_in_mean(tidy(rows))
    assert {model: list(tasks) for model, tasks in scores.items()} == {"z": ["qa", "nli"], "a": []}
    assert list(scores) == ["z", "a"]
    assert defined(scores["z"]) == {"qa": 0.1}


def test_lower_is_better_in_the_mean_is_refused(row):
    with pytest.raises(UserError, match=r"notes: its metric bpb is better when lower .* in_mean to false"):
        scores_in_mean(tidy([row("a", "notes", 1.2, metric="bpb", higher_is_better=False)]))


@pytest.mark.parametrize("other", [{"metric": "acc_norm"}, {"task_version": "2.0"}])
def test_two_measures_of_a_task_are_refused(row, other):
    with pytest.raises(UserError, match=r"^nli: scored as acc \(task version 1.0\) and as .*Score all models again"):
        scores_in_mean(tidy([row("a", "nli", 0.5), row("b", "nli", 0.5, **other)]))


def test_a_second_metric_beside_the_mean_is_allowed(row):
    scores = scores_in_mean(tidy([row("a", "nli", 0.5), row("a", "nli", 0.9, metric="f1", in_mean=False)]))
    assert defined(scores["a"]) == {"nli": 0.5}


def test_mixed_roles_are_our_bug(row):
    with pytest.raises(ValueError, match="one role only"):
        scores_in_mean(tidy([row("a", "nli", 0.5), row("a", "nli", 0.5, role="test")]))
