from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.text import Text

from workbench.board.render import Board, to_csv, to_markdown, to_rich
from workbench.errors import UserError
from workbench.records import Rejection, Selection, Unavailable

MINI = ["mini_nli", "mini_medication_qa", "mini_error_detection", "mini_question_summary", "mini_headings", "icd10cm"]
CLUE = [*MINI, "MeDiSumQA", "MeDiSumCode", "LongHealth", "PLS", "SDoH", "ACI-Bench"]
MODELS = ["smollm2-135m", *(f"slerp-guidelines-0.{i}5" for i in range(1, 9)), "breadcrumbs-evolved"]


def show(board: Board, width: int = 120, color: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=color, color_system="standard" if color else None)
    console.print(to_rich(board))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def board(row):
    """`board(tasks)`: ten models with test scores 10.1, 10.2, ... and one perplexity."""

    def build(tasks, **other):
        rows = [
            row(model, task, 0.101 + 0.01 * i + 0.001 * j, 0.045, role="test", chance=0.25)
            for i, model in enumerate(MODELS)
            for j, task in enumerate(tasks)
        ]
        beside = {"in_mean": False, "higher_is_better": False, "role": "test", "metric": "bits_per_byte"}
        rows += [row(model, "mini_notes_perplexity", 1.5 + 0.01 * i, None, **beside) for i, model in enumerate(MODELS)]
        return Board("mediphi", MODELS[0], tuple(rows), **other)

    return build


@pytest.mark.parametrize("width", [60, 80, 100, 120, 160, 240])
@pytest.mark.parametrize("tasks", [MINI, CLUE], ids=["mini", "clue"])
def test_no_number_and_no_name_is_cut_at_any_width(board, tasks, width):
    page = show(board(tasks), width)
    assert "…" not in page
    assert max(len(line) for line in page.splitlines()) <= width
    for i, model in enumerate(MODELS):
        assert model in page
        for j in range(len(tasks)):
            assert f"{10.1 + i + 0.1 * j:.1f}" in page
        assert f"{1.5 + 0.01 * i:.3f}" in page
    assert f"{len(tasks)}/{len(tasks)}" in page


def tables(page: str) -> int:
    return sum(line.startswith("  breadcrumbs-evolved ") for line in page.splitlines())


def test_seven_tasks_take_one_table_at_120_columns(board):
    page = show(board(MINI))
    assert tables(page) == 1
    assert "items" in page
    assert "25.0" in page


def test_a_wide_terminal_keeps_headers_whole_and_errors_beside_values(board):
    page = show(board(MINI), 240)
    assert "mini_medication_qa" in page
    assert "10.1 ±4.5" in page


def test_a_narrow_terminal_repeats_the_models_in_several_tables(board):
    page = show(board(CLUE), 80)
    assert tables(page) > 1
    assert sum(line.startswith("  model ") for line in page.splitlines()) == tables(page)


def test_a_name_longer_than_its_column_goes_on_below(row):
    name = "x" * 50 + "END"
    page = show(Board("t", name, (row(name, "nli", 0.4),)), 80)
    assert "END" in page
    assert "40.0" in page


def test_names_give_way_to_numbers(row):
    rows = (row("a-rather-long-name-of-a-model", "nli", 0.4, 0.045), row("b", "nli", 0.5, 0.045))
    assert "40.0 ±4.5" in show(Board("t", "b", rows), 16)


def test_brackets_in_names_are_no_markup(row):
    names = ["[bold]base[/bold]", "[/]", "[link=http://x]m[/link]"]
    rows = tuple(row(name, "[red]nli", 0.4 + 0.1 * i) for i, name in enumerate(names))
    choice = Selection(names[2], "id", 0.5, ("[i]good[/i]",), (Rejection(names[1], "[/b]"),))
    unavailable = (Unavailable("[u]", "test", "[blink]"),)
    page = show(Board("[title]", names[0], rows, unavailable, choice, ("[note]",), {names[1]: "[label]"}))
    for text in [*names, "[red]nli", "[i]good[/i]", "[/b]", "[u]", "[blink]", "[title]", "[note]", "[label]"]:
        assert text in page


def test_escape_sequences_in_names_do_not_reach_the_terminal(row):
    rows = (row("a\x1b[2Jb", "nli", 0.4),)
    assert "\x1b" not in show(Board("t\x1b", "a\x1b[2Jb", rows, notes=("n\x1b",), labels={"a\x1b[2Jb": "\x1b"}))


def test_the_chosen_has_a_star_and_the_best_is_bold(row):
    rows = (row("base", "nli", 0.4), row("merge", "nli", 0.5))
    choice = Selection("merge", "id-merge", 0.5, ("it is good",), ())
    page = show(Board("t", "base", rows, selection=choice), color=True)
    plain = Text.from_ansi(page).plain
    assert "★ merge" in plain
    assert "○ base" in plain
    assert "\x1b[1m50.0\x1b[0m" in page
    assert "\x1b[1m40.0\x1b[0m" not in page


def test_the_page_ends_with_what_is_missing_the_choice_and_the_notes(row):
    choice = Selection("merge", "id-merge", 0.5, ("it is good",), (Rejection("other", "it is worse"),))
    rows = (row("base", "nli", 0.4), row("merge", "nli", 0.5))
    page = show(Board("t", "base", rows, (Unavailable("sdoh", "test", "no licence"),), choice, ("synthetic",)))
    tail = [line.strip() for line in page[page.index("Unavailable") :].splitlines() if line.strip()]
    assert tail == [
        *("Unavailable", "sdoh (test)  no licence"),
        *("Chosen: merge", "·  it is good"),
        *("Not chosen", "other  it is worse"),
        *("Notes", "·  synthetic"),
    ]


def test_an_empty_board_says_that_nothing_is_scored_yet():
    page = show(Board("t", "base", ()))
    assert "No test score yet" in page
    assert "No validation score yet" in page


def test_mistakes_show_when_the_board_is_built_not_while_it_prints(row):
    with pytest.raises(UserError, match="baseline 'phi' has no score here"):
        to_rich(Board("t", "phi", (row("base", "nli", 0.4),)))


def test_csv_holds_both_roles_unrounded(row):
    lines = to_csv(Board("t", "base", (row("base", "nli", 1 / 3), row("base", "nli", 0.4, role="test")))).splitlines()
    assert len(lines) == 3
    assert repr(1 / 3) in lines[1]
    assert ",test," in lines[2]


def test_markdown_has_the_same_door(row):
    assert to_markdown(Board("t", "base", (row("base", "nli", 0.4),))).startswith("# t\n")
