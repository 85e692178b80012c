from __future__ import annotations

import subprocess
import sys

import pytest

from workbench.board.table import COLUMNS, csv_text, for_role, score_rows, tidy
from workbench.errors import UserError


def test_round_trip_keeps_every_field_and_none(row):
    rows = [
        row("base", "nli", 0.5, n=3, unscored=2, chance=1 / 3, dirty=True, commit="abc"),
        row("base", "notes", None, None, role="test", in_mean=False, higher_is_better=False),
    ]
    frame = tidy(rows)
    assert list(frame.columns) == COLUMNS
    assert score_rows(frame) == rows
    assert type(score_rows(frame)[0].n) is int
    assert score_rows(frame)[1].value is None


def test_nan_counts_as_undefined(row):
    assert score_rows(tidy([row("base", "nli", float("nan"))]))[0].value is None


def test_no_rows_make_an_empty_table_with_all_columns():
    frame = tidy([])
    assert frame.empty
    assert list(frame.columns) == COLUMNS
    assert score_rows(frame) == []


def test_for_role_keeps_order_and_renumbers(row):
    frame = tidy([row("b", "x", 0.1, role="test"), row("a", "x", 0.2), row("b", "x", 0.3)])
    kept = for_role(frame, "validation")
    assert list(kept["model"]) == ["a", "b"]
    assert list(kept.index) == [0, 1]


def test_a_repeated_score_is_refused_with_its_place(row):
    with pytest.raises(UserError, match=r"'base' \(id id-base\): 2 validation scores of nli \(acc\)"):
        tidy([row("base", "nli", 0.5), row("base", "other", 0.5), row("base", "nli", 0.6)])


def test_the_same_weights_under_two_names_are_refused_with_both_names(row):
    with pytest.raises(UserError, match=r"'a' and 'b' \(id same\).*same weights"):
        tidy([row("a", "nli", 0.5, model_id="same"), row("b", "nli", 0.5, model_id="same")])


def test_other_task_role_or_metric_is_no_repetition(row):
    rows = [
        row("base", "nli", 0.5),
        row("base", "nli", 0.5, role="test"),
        row("base", "nli", 0.5, metric="f1", in_mean=False),
        row("base", "qa", 0.5),
    ]
    assert len(tidy(rows)) == 4


def test_two_models_of_one_name_are_refused_even_across_roles(row):
    with pytest.raises(UserError, match=r"2 different models are called 'm' \(ids one, two\)"):
        tidy([row("m", "nli", 0.5, model_id="one"), row("m", "nli", 0.5, model_id="two", role="test")])


def test_csv_leaves_undefined_fields_empty(row):
    header, line = csv_text(tidy([row("a,b", "nli", None, None, model_id="id")])).splitlines()
    assert header.split(",") == COLUMNS
    assert line.startswith('"a,b",id,nli,1.0,acc,,,100,0,validation')


def test_the_package_itself_imports_neither_pandas_nor_rich():
    code = "import sys, workbench.board; assert not {'pandas', 'rich'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
