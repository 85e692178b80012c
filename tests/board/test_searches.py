from __future__ import annotations

import csv
import io

import pytest
from rich.console import Console

from workbench.board.candidates import candidates_csv
from workbench.board.page import Board
from workbench.board.pareto import TradeOff
from workbench.board.render import to_markdown, to_rich
from workbench.board.searched import searched
from workbench.board.searches import report
from workbench.board.sections import listings
from workbench.records import Selection
from workbench.specs.search import SearchSpec

SPEC = {
    "merge_method": "ties",
    "models": {"each": "experts"},
    "space": {"weight": {"low": 0.2, "high": 1.5}},
    "budget": 9,
    "seed": 1,
}
TWO = {"sampler": "nsga2", "objectives": ["mean", "nli"]}


def tried(number, state="scored", *values, items=100, **other):
    fields = {"seconds": 20.0, "reason": "", "spread": None}
    return {"number": number, "point": {"weight": 0.5 + number}, "state": state, "values": list(values), "items": items,
            **fields, **other}  # fmt: skip


def search(*candidates, best=None, score=None, baselines=None, name="evolved", **changes):
    """A search of 100 items; what it came to is the best that may be chosen, unless it is given."""
    allowed = [one for one in candidates if one["state"] == "scored" and not one.get("breaks")]
    top = max(allowed, key=lambda one: (one["values"][0], -one["number"]), default=None)
    found = {
        "name": best or f"candidate {top['number']}",
        "score": top["values"][0] if score is None else score,
        "recipe": {"merge_method": "ties", "models": [{"model": "a"}, {"model": "b"}], "parameters": {"weight": 0.731}},
        "tried": list(candidates),
        "baselines": baselines or {},
        "asked": sum(one["items"] for one in candidates),
        "exhaustive": 100 * sum(one["state"] != "failed" for one in candidates),
    }
    return searched(name, SearchSpec.model_validate({**SPEC, **changes}), found)


def told(one):
    return {item.subject: item.text for item in report(one).items}


STOPPED = tried(1, "stopped", 0.38, items=20, seconds=5.0, reason="behind")
BASELINES = {"linear": 0.371, "task_arithmetic, weight 0.5": 0.389}


def test_a_whole_search():
    failed = tried(3, "failed", items=0, seconds=0.5, reason="model.norm.weight is no number")
    one = search(tried(0, "scored", 0.35), STOPPED, tried(2, "scored", 0.412), failed, baselines=BASELINES)
    shown = report(one)
    assert shown.heading == "Search evolved: ties by tpe"
    assert shown.table is None
    assert [(item.subject, item.text) for item in shown.items] == [
        (
            "tried",
            "4 candidates in 46 s, baselines not counted: 2 scored on every item, 1 stopped early (their scores are "
            "estimates), 1 failed",
        ),
        ("asked", "220 of the 300 items that asking everything of those that did not fail takes (73 %)"),
        ("best", "candidate 2, validation mean 0.412: ties of a, b: weight 0.731"),
        (
            "baselines",
            "linear: 0.371; task_arithmetic, weight 0.5: 0.389. All but the highest may be estimates: those that were "
            "behind were stopped early",
        ),
        (
            "against them",
            "candidate 2 is 0.023 ahead of the best of them, 'task_arithmetic, weight 0.5': optimistic, as it was "
            "chosen by these items",
        ),
        ("best so far", "candidate 0: 0.350, 2: 0.412; none better in 1 more"),
        ("failed", "once: model.norm.weight is no number"),
    ]


def test_one_candidate_without_baselines():
    assert told(search(tried(0, "scored", 0.35))) == {
        "tried": "1 candidate in 20 s, baselines not counted: 1 scored on every item",
        "asked": "100 of the 100 items that asking everything takes (100 %)",
        "best": "candidate 0, validation mean 0.350: ties of a, b: weight 0.731",
        "best so far": "candidate 0: 0.350",
    }


def test_items_of_failed_candidates_do_not_make_the_share_larger_than_all():
    failed = tried(1, "failed", items=70, reason="no number")
    assert told(search(tried(0, "scored", 0.35), failed))["asked"].startswith("100 of the 100 items")


def test_all_failed_and_a_baseline_is_what_it_came_to():
    failures = [
        tried(i, "failed", items=0, reason=f"gamma (0.{i}) and density (0.9) add up to more than 1") for i in range(3)
    ]
    one = told(search(*failures, best="linear", score=0.371, baselines={"linear": 0.371, "other": 0.3}))
    assert one["tried"].endswith(": 3 failed")
    assert "asked" not in one
    assert one["best"].startswith("linear, a baseline, validation mean 0.371: ")
    assert one["against them"] == "no candidate is ahead of 'linear': none answered every item"
    assert one["failed"] == "3 times with differing numbers: gamma (0.0) and density (0.9) add up to more than 1"
    assert "best so far" not in one


@pytest.mark.parametrize(
    ("value", "wanted"),
    [(0.35, "the best that answered every item, candidate 0, is 0.021 behind"), (0.371, "candidate 0, equals it")],
)
def test_a_baseline_that_nobody_beats(value, wanted):
    candidates = (tried(0, "scored", value), tried(1, "scored", value))
    one = told(search(*candidates, best="linear", score=0.371, baselines={"linear": 0.371}))
    assert one["against them"].startswith("no candidate is ahead of 'linear': the best that")
    assert one["against them"].endswith(wanted)


def test_a_higher_baseline_can_only_be_one_that_the_rule_forbids():
    assert told(search(tried(0, "scored", 0.35), baselines={"linear": 0.371}))["against them"] == (
        "candidate 0 is 0.021 behind 'linear', which breaks the run's rule and may not be chosen"
    )


def test_baselines_are_called_estimates_only_where_a_race_may_have_stopped_them():
    for changes in ({"race": False}, TWO):
        one = told(search(tried(0, "scored", 0.4, 0.5), baselines=BASELINES, **changes))
        assert one["baselines"] == "linear: 0.371; task_arithmetic, weight 0.5: 0.389"
    for alike in ({"linear": 0.371}, {"linear": 0.371, "other": 0.371}):
        assert "estimates" not in told(search(tried(0, "scored", 0.4), baselines=alike))["baselines"]


def test_the_curve_holds_improvements_of_whole_scores_alone_and_is_cut_in_the_middle():
    values = [0.30, 0.31, 0.31, 0.32, 0.33, 0.34, 0.35, 0.36, 0.37, 0.2]
    candidates = [tried(i, "scored", value) for i, value in enumerate(values)]
    one = search(*candidates, tried(10, "stopped", 0.9), tried(11, "scored", 0.95, breaks="fell too far"))
    assert told(one)["best so far"] == (
        "candidate 0: 0.300, 1: 0.310, 3: 0.320, 2 more, 6: 0.350, 7: 0.360, 8: 0.370; none better in 3 more"
    )


def test_candidates_that_may_not_be_chosen_are_counted_with_the_most_frequent_reason():
    fell = [
        tried(i, "scored", 0.4 + i / 100, breaks=f"fell 0.0{i} below base on nli; the rule allows 0.02")
        for i in (3, 4, 5)
    ]
    other = tried(6, "scored", 0.3, breaks="gained on 0 of 2 tasks; the rule asks for at least 1")
    one = told(search(tried(0, "scored", 0.35), *fell, other))
    assert one["may not be chosen"] == (
        "4 of those scored on every item (the highest, candidate 5, has 0.450). 3 times with differing numbers: fell "
        "0.03 below base on nli; the rule allows 0.02; once: gained on 0 of 2 tasks; the rule asks for at least 1"
    )
    assert one["best"].startswith("candidate 0,")
    nobody = search(*fell, best="linear", score=0.371, baselines={"linear": 0.371})
    assert told(nobody)["against them"] == (
        "no candidate is ahead of 'linear': none that answered every item may be chosen"
    )


def test_reasons_come_by_frequency_and_a_number_in_a_name_tells_them_apart():
    reasons = ["on t1", "on t2", "on t2", "on t3", "on t4"]
    failures = [tried(1 + i, "failed", reason=reason) for i, reason in enumerate(reasons)]
    one = told(search(tried(0, "scored", 0.35), *failures))
    assert one["failed"] == "2 times: on t2; once: on t1; once: on t3; 1 for other reasons"


def test_a_method_that_draws_shows_the_spread_of_the_winner():
    one = search(tried(0, "scored", 0.35, spread=0.0125), merge_method="dare_linear", space={"weight": [0.1, 1.0]})
    assert told(one)["tried"].endswith("; each is the mean of 3 draws")
    assert "mean 0.350 (standard deviation between its 3 draws 0.013): " in told(one)["best"]
    assert "draws" not in " ".join(told(search(tried(0, "scored", 0.35))).values())


def test_names_do_not_steer_the_terminal():
    one = search(tried(0, "scored", 0.35), tried(1, "failed", reason="a\x1b[2Jb\nc"), name="ev")
    assert told(one)["failed"] == "once: a [2Jb c"


# Several objectives


def test_the_pareto_front_is_a_table_with_what_the_search_came_to_marked():
    points = [(0.40, 0.50), (0.30, 0.60), (0.30, 0.55), (0.35, 0.60)]
    shown = report(search(*(tried(i, "scored", *point) for i, point in enumerate(points)), **TWO)).table
    assert shown is not None
    assert (shown.heading, shown.of) == ("Pareto front of evolved", "candidate")
    assert shown.remark == (
        "2 of the 4 that answered every item: no other is as good on every objective and better on one. "
        "★ marks what the search came to"
    )
    assert [(name.model, name.chosen) for name in shown.names] == [("candidate 0", True), ("candidate 3", False)]
    assert [(c.header, [cell.main for cell in c.cells]) for c in shown.columns] == [
        ("mean", ["40.0", "35.0"]),
        ("nli", ["50.0", "60.0"]),
    ]
    assert [[cell.best for cell in column.cells] for column in shown.columns] == [[True, False], [False, True]]
    assert shown.footnotes == ()


def test_a_long_front_is_thinned_out_and_keeps_both_ends():
    points = [(0.5 - i / 100, 0.3 + i / 100) for i in range(25)]
    shown = report(search(*(tried(i, "scored", *point) for i, point in enumerate(points)), **TWO)).table
    assert len(shown.names) == 10
    assert (shown.names[0].model, shown.names[-1].model) == ("candidate 0", "candidate 24")
    assert shown.footnotes == (
        "10 of 25 are shown, from the highest mean to the lowest; all are in search-evolved.csv.",
    )


def test_a_winner_that_is_not_on_the_front_is_explained():
    tied = report(search(tried(0, "scored", 0.4, 0.5), tried(1, "scored", 0.4, 0.6), **TWO)).table
    assert [(name.model, name.chosen) for name in tied.names] == [("candidate 1", False)]
    assert tied.footnotes == (
        "candidate 0, which the search came to, is not on it: one with the same mean is better on another.",
    )
    base = report(search(tried(0, "scored", 0.3, 0.5), best="linear", score=0.37, baselines={"linear": 0.37}, **TWO))
    assert base.table.footnotes == (
        "linear, which the search came to, is a baseline, of which the mean alone is on record.",
    )


def test_who_may_not_be_chosen_is_on_no_front():
    broken = tried(1, "scored", 0.9, 0.9, breaks="fell too far")
    shown = report(search(tried(0, "scored", 0.4, 0.5), broken, **TWO)).table
    assert [name.model for name in shown.names] == ["candidate 0"]
    assert shown.remark.startswith("1 of the 1 that answered every item and may be chosen: ")


def test_without_any_score_there_is_no_front():
    one = search(tried(0, "failed", reason="no"), best="linear", score=0.37, baselines={"linear": 0.37}, **TWO)
    assert report(one).table is None


# CSV


def rows(one):
    return list(csv.DictReader(io.StringIO(candidates_csv(one))))


def test_all_candidates_are_in_the_csv_with_estimates_apart():
    failed = tried(2, "failed", items=0, reason='no number, "NaN"\nthere')
    broken = tried(3, "scored", 1 / 3, breaks="fell too far", spread=0.01)
    found = rows(search(tried(0, "scored", 0.35), STOPPED, failed, broken))
    assert list(found[0]) == [
        *("number", "state", "mean", "estimate", "items", "seconds", "reason", "breaks", "spread", "weight")
    ]
    assert [(row["state"], row["mean"], row["estimate"]) for row in found] == [
        ("scored", "0.35", ""),
        ("stopped", "", "0.38"),
        ("failed", "", ""),
        ("scored", repr(1 / 3), ""),
    ]
    assert found[1]["reason"] == "behind"
    assert found[2]["reason"] == 'no number, "NaN"\nthere'
    assert (found[3]["breaks"], found[3]["spread"], found[3]["weight"]) == ("fell too far", "0.01", "3.5")


def test_the_csv_of_several_objectives_has_all_of_them_and_says_who_is_on_the_front():
    points = [(0.40, 0.50), (0.30, 0.40), (0.35, 0.60)]
    found = rows(search(*(tried(i, "scored", *point) for i, point in enumerate(points)), **TWO))
    assert [(row["mean"], row["nli"], row["front"]) for row in found] == [
        ("0.4", "0.5", "yes"),
        ("0.3", "0.4", ""),
        ("0.35", "0.6", "yes"),
    ]


def test_every_axis_has_a_column_even_if_the_first_candidate_lacks_it():
    one = tried(0, "scored", 0.4)
    other = {**tried(1, "scored", 0.3), "point": {"weight": 0.1, "use a": True}}
    found = rows(search(one, other))
    assert [row["use a"] for row in found] == ["", "True"]


# On the board


@pytest.fixture
def board(row):
    """A board with a choice, its Pareto front, and a search with several objectives."""
    rows = tuple(row(model, "nli", value) for model, value in {"base": 0.4, "a": 0.5, "b": 0.45}.items())
    several = search(tried(0, "scored", 0.4, 0.5), tried(1, "scored", 0.35, 0.6), baselines={"lin|ear": 0.3}, **TWO)
    choice = Selection("a", "id-a", 0.5, ("it is good",), ())
    return Board("t", "base", rows, selection=choice, front=(TradeOff("a", 0.5, 0.0),), searches=(several,))


def test_markdown_shows_the_list_the_front_and_its_table(board):
    page = to_markdown(board)
    assert page[page.index("## Chosen") :].split("\n") == [
        "## Chosen: a",
        "",
        "- it is good",
        "- Pareto front (mean, largest fall below base on a task): a (0.500, no fall), alone: no other has a higher "
        "mean or falls less",
        "",
        "## Search evolved: ties by nsga2",
        "",
        "- **tried**: 2 candidates in 40 s, baselines not counted: 2 scored on every item",
        "- **asked**: 200 of the 200 items that asking everything takes (100 %)",
        "- **best**: candidate 0, validation mean 0.400: ties of a, b: weight 0.731",
        "- **baselines**: lin\\|ear: 0.300",
        "- **against them**: candidate 0 is 0.100 ahead of the best of them, 'lin\\|ear': optimistic, as it was chosen "
        "by these items",
        "- **best so far**: candidate 0: 0.400; none better in 1 more",
        "",
        "### Pareto front of evolved",
        "",
        "2 of the 2 that answered every item: no other is as good on every objective and better on one. ★ marks what "
        "the search came to.",
        "",
        "| candidate | mean | nli |",
        "| :-- | --: | --: |",
        "| ★ candidate 0 | **40.0** | 50.0 |",
        "| candidate 1 | 35.0 | **60.0** |",
        "",
    ]


@pytest.mark.parametrize("width", [50, 80, 120])
def test_the_terminal_shows_the_same_words(board, width):
    console = Console(file=io.StringIO(), width=width)
    console.print(to_rich(board))
    page = console.file.getvalue()
    assert max(map(len, page.splitlines())) <= width
    words = " ".join(page.split())
    for listing in listings(board)[:2]:
        for item in listing.items:
            assert all(word in words for word in item.text.split())
    [table] = [listing.table for listing in listings(board) if listing.table]
    assert table.remark in words
    assert "★ candidate 0 40.0 50.0 candidate 1 35.0 60.0" in words


def test_searches_stand_between_the_choice_and_the_notes(row):
    board = Board("t", "base", (row("base", "nli", 0.4),), notes=("n",), searches=(search(tried(0, "scored", 0.35)),))
    assert [listing.heading for listing in listings(board)] == ["Search evolved: ties by tpe", "Notes"]
