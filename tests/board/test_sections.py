from __future__ import annotations

import pytest

from workbench.board.page import Board, Item, Listing
from workbench.board.sections import listings, sections
from workbench.errors import UserError
from workbench.records import Rejection, Selection, Unavailable

CHOICE = Selection("a", "id-a", 0.5, ("it is good",), (Rejection("b", "it is worse"),))


@pytest.fixture
def rows(row):
    return tuple(row(m, "nli", v, role=r) for r in ("validation", "test") for m, v in {"base": 0.4, "a": 0.5}.items())


def test_test_comes_first_and_headings_say_what_the_choice_read(rows):
    headings = [section.heading for section in sections(Board("t", "base", rows, selection=CHOICE))]
    assert headings == ["Test, not read by the choice", "Validation, read by the choice"]


def test_without_a_choice_headings_claim_nothing(rows):
    assert [section.heading for section in sections(Board("t", "base", rows))] == ["Test", "Validation"]


def test_rows_keep_their_order_and_carry_marks_and_labels(rows):
    board = Board("t", "base", rows, selection=CHOICE, labels={"a": "shortened run"})
    base, a = sections(board)[0].names
    assert (base.model, base.baseline, base.chosen, base.label) == ("base", True, False, "")
    assert (a.model, a.baseline, a.chosen, a.label) == ("a", False, True, "shortened run")


def test_a_role_without_scores_says_so(row):
    test, validation = sections(Board("t", "base", (row("base", "nli", 0.4),)))
    assert (test.remark, test.columns) == ("No test score yet", ())
    assert validation.columns


def test_the_remark_counts_tasks_also_those_that_are_unavailable(rows):
    unavailable = (Unavailable("sdoh", "test", "no licence"), Unavailable("mednli", "validation", "no file"))
    test, _ = sections(Board("t", "base", rows, unavailable))
    assert test.remark == "Mean of 1 task (1 more unavailable), gains over base"


def test_footnotes_name_metrics_partial_means_and_unscored_items(row):
    rows = (row("base", "x", 0.4), row("base", "y", 0.4), row("a", "x", 0.5, n=97, unscored=3))
    assert sections(Board("t", "base", rows))[1].footnotes == (
        "Metrics: acc (x, y)",
        "† Covers fewer tasks and does not compare with the other means: a 1 of 2 tasks.",
        "Items that could not be scored: a 3 of 100 on x.",
    )


def test_footnotes_are_few_when_all_is_well(rows):
    assert sections(Board("t", "base", rows))[0].footnotes == ("Metrics: acc (nli)",)


def test_control_characters_of_names_stay_out(row):
    rows = (row("ba\x1bse", "n\x1bli", 0.4, metric="a\x1bcc"),)
    section = sections(Board("t", "ba\x1bse", rows))[1]
    assert "\x1b" not in repr(section).replace("\\x1b", "\x1b")


def test_listings_come_in_reading_order(rows):
    unavailable = (Unavailable("sdoh", "test", "no licence"),)
    board = Board("t", "base", rows, unavailable, CHOICE, notes=("synthetic",))
    assert listings(board) == [
        Listing("Unavailable", (Item("sdoh (test)", "no licence"),)),
        Listing("Chosen: a", (Item("", "it is good"),)),
        Listing("Not chosen", (Item("b", "it is worse"),)),
        Listing("Notes", (Item("", "synthetic"),)),
    ]


def test_empty_listings_are_left_out(rows):
    assert listings(Board("t", "base", rows)) == []


def test_a_missing_baseline_is_refused_with_a_sentence(rows):
    with pytest.raises(UserError, match="baseline 'phi' has no score here"):
        sections(Board("t", "phi", rows))


def test_footnotes_count_unread_answers_and_cut_prompts_by_task(row):
    rows = (
        row("base", "x", 0.4, n=40, unparsable=3),
        row("base", "y", 0.4, n=40, unparsable=0),
        row("a", "x", 0.5, n=40, unparsable=1, cut=2),
        row("a", "y", 0.5, n=40),
    )
    section = sections(Board("t", "base", rows))[1]
    assert "Answers that could not be read, scored 0: x (of 40): base 3, a 1." in section.footnotes
    assert "Prompts cut from the left to fit the model's context: x (of 40): a 2." in section.footnotes
