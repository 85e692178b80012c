from __future__ import annotations

from workbench.board.markdown import to_markdown
from workbench.board.page import Board
from workbench.records import Rejection, Selection, Unavailable


def test_a_whole_page(row):
    rows = (
        row("base", "nli", 0.4, chance=1 / 3),
        row("base", "notes", 1.2, None, in_mean=False, higher_is_better=False, metric="bpb", n=40),
        row("merge", "nli", 0.5),
        row("merge", "notes", None, None, in_mean=False, higher_is_better=False, metric="bpb", n=40),
    )
    choice = Selection("merge", "id-merge", 0.5, ("it is good",), (Rejection("other", "it is worse"),))
    unavailable = (Unavailable("sdoh", "test", "no licence"),)
    page = to_markdown(Board("Board", "base", rows, unavailable, choice, ("synthetic",), {"merge": "shortened run"}))
    assert page.split("\n") == [
        "# Board",
        "",
        "## Test, not read by the choice",
        "",
        "No test score yet.",
        "",
        "## Validation, read by the choice",
        "",
        "Mean of 1 task, gains over base.",
        "",
        "| model | nli | mean | gain | #DG | CV of gains | notes ↓ |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
        "| ○ base | 40.0 ±2.0 | 40.0 ±2.0 | – | – | – | 1.200 |",
        "| ★ merge *(shortened run)* | **50.0** ±2.0 | **50.0** ±2.0 | +10.0 ±2.8 | 1/1 | – | – |",
        "| *items* | *100* |  |  |  |  | *40* |",
        "| *chance* | *33.3* |  |  |  |  | *–* |",
        "",
        "Metrics: acc (nli); bpb (notes)",
        "",
        "★ chosen, ○ baseline. Tables: percent ± standard error, best of a column in bold; sentences: scores from 0 to "
        "1. ± of gains: paired, by the items that model and base both answered. #DG: tasks gained on. "
        "CV of gains: std / \\|mean\\| of the gains, lower is more even. ↓ lower is better.",
        "",
        "## Unavailable",
        "",
        "- **sdoh (test)**: no licence",
        "",
        "## Chosen: merge",
        "",
        "- it is good",
        "",
        "## Not chosen",
        "",
        "- **other**: it is worse",
        "",
        "## Notes",
        "",
        "- synthetic",
        "",
    ]


def test_every_row_has_as_many_cells_whatever_a_name_holds(row):
    rows = (row("base|x", "n|li", 0.4, metric="a|cc"), row("a\n| b |", "n|li", 0.5, metric="a|cc"))
    page = to_markdown(Board("t", "base|x", rows, labels={"base|x": "l|abel"}))
    table = [line for line in page.split("\n") if line.startswith("|")]
    assert len(table) == 2 + 2 + 1
    assert {line.replace("\\|", "").count("|") for line in table} == {7}
    assert "base\\|x *(l\\|abel)*" in page


def test_names_become_neither_html_nor_emphasis(row):
    page = to_markdown(Board("<b>t", "<script>", (row("<script>", "nli", 0.4),), notes=("*loud*",)))
    assert "<" not in page
    assert "&lt;script&gt;" in page
    assert "\\*loud\\*" in page


def test_the_chance_row_is_left_out_when_no_task_has_one(row):
    assert "*chance*" not in to_markdown(Board("t", "base", (row("base", "nli", 0.4),)))
