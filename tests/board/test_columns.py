from __future__ import annotations

import pytest

from workbench.board.columns import columns
from workbench.board.summary import summarise
from workbench.board.table import score_rows, tidy


@pytest.fixture
def grid(row):
    """`grid(rows)`: header -> column, against the baseline `base`."""

    def build(rows):
        frame = tidy(rows)
        return {column.header: column for column in columns(score_rows(frame), summarise(frame, "base"), "base")}

    return build


def mains(column):
    return [cell.main for cell in column.cells]


def bests(column):
    return [cell.best for cell in column.cells]


def test_columns_come_in_the_order_tasks_summary_tasks_beside_the_mean(row, grid):
    rows = [row("base", "bpb", 1.2, in_mean=False, higher_is_better=False), row("base", "nli", 0.5)]
    assert list(grid(rows)) == ["nli", "mean", "gain", "#DG", "CV of gains", "bpb ↓"]


def test_cells_of_a_task_are_percent_with_error_and_dashes_for_missing(row, grid):
    rows = [row("base", "nli", 0.4123, 0.0449), row("a", "nli", 0.5, None), row("b", "nli", None, None)]
    rows += [row("c", "qa", 0.1)]
    column = grid(rows)["nli"]
    assert [(cell.main, cell.extra) for cell in column.cells] == [("41.2", "±4.5"), ("50.0", ""), ("–", ""), ("–", "")]


def test_summary_cells(row, grid):
    rows = [row("base", "x", 0.4), row("base", "y", 0.4), row("a", "x", 0.5), row("a", "y", 0.4)]
    columns = grid(rows)
    assert [(cell.main, cell.extra) for cell in columns["mean"].cells] == [("40.0", "±1.4"), ("45.0", "±1.4")]
    assert [(cell.main, cell.extra) for cell in columns["gain"].cells] == [("–", ""), ("+5.0", "±2.0")]
    assert mains(columns["#DG"]) == ["–", "1/2"]
    assert mains(columns["CV of gains"]) == ["–", "1.4"]


def test_the_best_of_a_column_is_marked_with_all_that_print_the_same(row, grid):
    column = grid([row("base", "x", 0.4), row("a", "x", 0.51234), row("b", "x", 0.51238)])["x"]
    assert mains(column) == ["40.0", "51.2", "51.2"]
    assert bests(column) == [False, True, True]


def test_nothing_is_best_where_all_are_alike_or_alone(row, grid):
    columns = grid([row("base", "x", 0.4), row("a", "x", 0.4), row("base", "y", 0.1)])
    assert bests(columns["x"]) == [False, False]
    assert bests(columns["y"]) == [False, False]


def test_lower_is_better_beside_the_mean_has_an_arrow_and_marks_the_lowest(row, grid):
    beside = {"in_mean": False, "higher_is_better": False}
    rows = [row("base", "notes", 1.2344, None, **beside), row("a", "notes", 0.9, None, **beside)]
    rows += [row("b", "notes", None, None, **beside)]
    column = grid(rows)["notes ↓"]
    assert mains(column) == ["1.234", "0.900", "–"]
    assert bests(column) == [False, True, False]


def test_higher_is_better_beside_the_mean_has_none(row, grid):
    column = grid([row("base", "x", 0.4, in_mean=False), row("a", "x", 0.6, in_mean=False)])["x"]
    assert bests(column) == [False, True]


def test_two_metrics_of_a_task_beside_the_mean_are_told_apart(row, grid):
    rows = [row("base", "x", 0.4, in_mean=False), row("base", "x", 0.6, in_mean=False, metric="f1")]
    assert list(grid(rows))[-2:] == ["x acc", "x f1"]


def test_a_mean_over_fewer_tasks_is_marked_and_never_best(row, grid):
    rows = [row("base", "x", 0.9), row("base", "y", 0.1), row("a", "x", 0.95), row("a", "y", None, None)]
    rows += [row("b", "x", 0.91), row("b", "y", 0.12)]
    columns = grid(rows)
    assert [cell.extra for cell in columns["mean"].cells] == ["±1.4", "±2.0†", "±1.4"]
    assert bests(columns["mean"]) == [False, False, True]
    assert bests(columns["gain"]) == [False, False, True]
    assert bests(columns["#DG"]) == [False, False, True]


def test_a_task_that_no_model_could_be_scored_on_marks_nobody(row, grid):
    rows = [row("base", "x", 0.4), row("a", "x", 0.5), row("base", "y", None, None), row("a", "y", None, None)]
    columns = grid(rows)
    assert [cell.extra for cell in columns["mean"].cells] == ["±2.0", "±2.0"]
    assert bests(columns["mean"]) == [False, True]


def test_a_model_below_the_baseline_is_best_at_no_gain(row, grid):
    values = {"base": (0.5, 0.5), "worse": (0.4, 0.4), "better": (0.7, 0.6)}
    rows = [row(model, task, value) for model, pair in values.items() for task, value in zip("xy", pair, strict=True)]
    columns = grid(rows)
    # The fall is perfectly even (a CV of 0), which is nothing to praise.
    assert mains(columns["CV of gains"]) == ["–", "0.0", "0.5"]
    assert bests(columns["CV of gains"]) == [False, False, True]


def test_the_foot_shows_items_and_chance(row, grid):
    rows = [row("base", "x", 0.4, n=100, chance=1 / 3), row("a", "x", 0.5, n=97), row("base", "y", 0.4, n=50)]
    columns = grid(rows)
    assert (columns["x"].items, columns["x"].chance) == ("≥97", "33.3")
    assert (columns["y"].items, columns["y"].chance) == ("50", "–")
    assert (columns["mean"].items, columns["mean"].chance) == ("", "")
