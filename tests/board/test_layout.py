from __future__ import annotations

import pytest

from workbench.board.layout import Look, column_text, split_header
from workbench.board.page import Cell, Column

COLUMN = Column("mini_nli", (Cell("41.2", "±4.5"), Cell("100.0", "±10.2"), Cell("–")))


@pytest.mark.parametrize(
    ("header", "width", "lines"),
    [
        ("nli", 9, ["nli"]),
        ("mini_nli", 9, ["mini_nli"]),
        ("mini_error_detection", 10, ["mini_error", "detection"]),
        ("mini_error_detection", 9, ["mini", "error", "detection"]),
        ("mini_medication_qa", 13, ["mini", "medication_qa"]),
        ("MeDiSumCode", 9, ["MeDiSum", "Code"]),
        ("ICD10CM", 4, ["ICD10CM"]),
        ("ACI-Bench", 5, ["ACI", "Bench"]),
        ("CV of gains", 3, ["CV of", "gains"]),
        ("notes_perplexity ↓", 5, ["notes", "perplexity", "↓"]),
        ("___", 3, ["___"]),
    ],
)
def test_headers_break_where_words_do(header, width, lines):
    assert split_header(header, width).split("\n") == lines


def test_no_letter_of_a_header_is_lost():
    for width in range(1, 12):
        text = split_header("mini_question-summary MeDiSum", width)
        assert "".join(text.replace("\n", "").replace("_", "").replace("-", "").split()) == "miniquestionsummaryMeDiSum"


def test_errors_beside_their_values_line_up():
    text = column_text(COLUMN, ["120", "33.3"], Look(split_headers=False, errors_below=False))
    lines = [value + error for value, error in zip(text.values, text.errors, strict=True)]
    assert lines == [" 41.2 ±4.5 ", "100.0 ±10.2", "    –      "]
    assert text.foot == "  120      \n 33.3      "
    assert text.header == "mini_nli"


def test_errors_below_leave_the_column_as_narrow_as_its_values():
    text = column_text(COLUMN, ["120"], Look(split_headers=True, errors_below=True))
    assert text.errors == ("\n±4.5", "\n±10.2", "")
    assert text.foot == "  120"
    assert text.header == "mini\nnli"
