from __future__ import annotations

import dataclasses

import pytest

from workbench.board.paired import Pairs, ScoredItems
from workbench.board.select import Rule, choose, rule_of
from workbench.board.table import tidy
from workbench.errors import UserError
from workbench.records import Rejection


def test_the_highest_mean_wins_and_every_other_gets_one_sentence(frame):
    scores = frame(base=[0.40, 0.40], a=[0.41, 0.42], b=[0.45, 0.40], c=[0.20, 0.20])
    selection = choose(scores, "base", ["a", "b", "c"], Rule())
    assert (selection.model, selection.model_id) == ("b", "id-b")
    assert selection.value == pytest.approx(0.425)
    assert selection.rejected == (
        Rejection(
            "a", "mean 0.415 is 0.010 below the winner's 0.425 (standard error of the difference 0.020: within noise)"
        ),
        Rejection(
            "c", "mean 0.200 is 0.225 below the winner's 0.425 (standard error of the difference 0.020: beyond noise)"
        ),
    )


def test_differences_are_judged_by_the_items_that_both_answered(row):
    given = {"base": [0.0, 0.0, 0.0, 1.0], "a": [1.0, 1.0, 1.0, 1.0], "b": [1.0, 1.0, 0.0, 1.0]}
    rows = {model: [row(model, "t", sum(values) / 4, 0.3, n=4)] for model, values in given.items()}
    items = {
        model: [{"task": "t", "doc_hash": str(n), "acc": value} for n, value in enumerate(values)]
        for model, values in given.items()
    }
    pairs = Pairs({model: ScoredItems(rows[model], items[model]) for model in given})
    selection = choose(tidy(rows["base"] + rows["a"] + rows["b"]), "base", ["a", "b"], Rule(), pairs=pairs)
    assert selection.reasons[1].startswith("gain over base +0.750 ± 0.250 (beyond noise)")
    assert selection.rejected[0].reason.endswith("(standard error of the difference 0.250: within noise)")


def test_reasons_say_how_many_were_compared_and_that_the_best_of_them_is_optimistic(frame):
    scores = frame(base=[0.40, 0.40], a=[0.41, 0.42], b=[0.45, 0.40])
    assert choose(scores, "base", ["a", "b"], Rule()).reasons == (
        "validation mean 0.425 ± 0.014 over 2 tasks, the highest of 2 candidates",
        "gain over base +0.025 ± 0.020 (within noise), higher on 1 of 2 tasks, CV of gains 1.4",
        "the only other that meets the rule is within noise of it: other items could have chosen another",
        "2 candidates were compared on the same items, and the best of 2 looks better there than it is: "
        "its validation mean is optimistic, so judge it by its test scores",
    )


def test_the_number_within_noise_counts_only_those_that_met_the_rule(frame):
    scores = frame(base=[0.4], a=[0.50], b=[0.49], c=[0.48], far=[0.41], worse=[0.3])
    selection = choose(scores, "base", ["a", "b", "c", "far", "worse"], Rule(datasets_gained_at_least=1))
    sentence = "2 of the 3 others that meet the rule are within noise of it: other items could have chosen another"
    assert sentence in selection.reasons


def test_a_single_candidate_is_not_called_the_best_of_anything(frame):
    reasons = choose(frame(base=[0.4], a=[0.3]), "base", ["a"], Rule()).reasons
    assert reasons[0].endswith("over 1 task; it is the only candidate")
    assert "it does not beat base" in reasons[1]
    assert not any("optimistic" in reason for reason in reasons)


def test_test_scores_are_refused_as_our_bug(row):
    rows = [row("base", "a", 0.4), row("m", "a", 0.5), row("m", "a", 0.9, role="test")]
    with pytest.raises(ValueError, match="handed rows of role test"):
        choose(tidy(rows), "base", ["m"], Rule())


def test_models_that_are_no_candidates_cannot_win(frame):
    assert choose(frame(base=[0.4], expert=[0.9], a=[0.5]), "base", ["a"], Rule()).model == "a"


def test_too_few_gains_are_rejected_though_the_mean_is_best(frame):
    scores = frame(base=[0.4, 0.4, 0.4], peak=[0.9, 0.4, 0.4], even=[0.45, 0.45, 0.40])
    selection = choose(scores, "base", ["peak", "even"], Rule(datasets_gained_at_least=2))
    assert selection.model == "even"
    assert selection.rejected == (Rejection("peak", "gained on 1 of 3 tasks; the rule asks for at least 2"),)
    assert "of 2 candidates it is the only one that meets the rule" in selection.reasons[0]


def test_a_deep_fall_is_rejected_and_named(frame):
    scores = frame(base=[0.4, 0.4], deep=[0.9, 0.359], flat=[0.40, 0.38])
    selection = choose(scores, "base", ["deep", "flat"], Rule(max_drop=0.02))
    # flat falls by 0.02 as far as floats can tell, which is allowed.
    assert selection.model == "flat"
    assert selection.rejected == (Rejection("deep", "fell 0.041 below base on t1; the rule allows 0.02"),)


def test_both_constraints_are_named(frame):
    scores = frame(base=[0.4, 0.4, 0.4], bad=[0.3, 0.2, 0.9], good=[0.5, 0.5, 0.5])
    selection = choose(scores, "base", ["bad", "good"], Rule(datasets_gained_at_least=2, max_drop=0.05))
    assert selection.rejected[0].reason == (
        "gained on 1 of 3 tasks; the rule asks for at least 2; "
        "fell 0.200 below base on t1 and too far on 1 other task; the rule allows 0.05"
    )


def test_a_candidate_cannot_win_by_lacking_the_hard_task(frame):
    scores = frame(base=[0.8, 0.1], lacking=[0.9, None], whole=[0.85, 0.15])
    selection = choose(scores, "base", ["lacking", "whole"], Rule())
    assert selection.model == "whole"
    reason = "has no score on t1, which others have, so its mean does not compare with theirs"
    assert selection.rejected == (Rejection("lacking", reason),)


def test_a_candidate_without_scores_is_rejected_and_not_counted_as_compared(frame):
    selection = choose(frame(base=[0.4], a=[0.5], b=[0.3]), "base", ["failed", "a", "b"], Rule())
    assert selection.rejected[-1] == Rejection("failed", "has no validation score")
    assert "the highest of the 2 candidates that meet the rule, out of 3" in selection.reasons[0]
    assert selection.reasons[-1].startswith("2 candidates were compared")


def test_a_tie_goes_to_the_lower_cv_of_gains(frame):
    scores = frame(base=[0.4, 0.4], peak=[0.6, 0.4], even=[0.5, 0.5])
    selection = choose(scores, "base", ["peak", "even"], Rule())
    assert selection.model == "even"
    assert "its mean ties with peak, and its CV of gains is lower" in selection.reasons
    reason = "ties with the winner on the mean of 0.500, but its CV of gains, 1.414, is above the winner's 0.000"
    assert selection.rejected == (Rejection("peak", reason),)


def test_a_tie_goes_to_more_tasks_gained_when_the_rule_says_so(frame):
    # `few` has the lower CV of gains (0.71 against 0.87), `many` gains on more tasks.
    scores = frame(base=[0.4, 0.4, 0.4], few=[0.55, 0.55, 0.40], many=[0.62, 0.42, 0.46])
    by_cv = choose(scores, "base", ["few", "many"], Rule())
    by_count = choose(scores, "base", ["few", "many"], Rule(tie_break="datasets_gained"))
    assert (by_cv.model, by_count.model) == ("few", "many")
    reason = "ties with the winner on the mean of 0.500, but its number of tasks gained, 2, is below the winner's 3"
    assert by_count.rejected == (Rejection("few", reason),)


@pytest.mark.parametrize("order", [["x", "y"], ["y", "x"]])
def test_a_full_tie_goes_to_the_first_listed(frame, order):
    # Both gain 0.1, 0.2 and 0.3, but in floating point their CVs differ in the last digits.
    scores = frame(base=[0.4, 0.3, 0.2], x=[0.5, 0.5, 0.5], y=[0.7, 0.4, 0.4])
    selection = choose(scores, "base", order, Rule())
    assert selection.model == order[0]
    assert f"its mean and its CV of gains tie with {order[1]}, and it is listed first" in selection.reasons
    reason = "ties with the winner on the mean of 0.500 and on CV of gains; the winner is listed first"
    assert selection.rejected == (Rejection(order[1], reason),)


@pytest.mark.parametrize("order", [["x", "y"], ["y", "x"]])
def test_float_rounding_of_a_mean_does_not_beat_the_listed_order(frame, order):
    assert choose(frame(base=[0.1], x=[0.1 + 0.2], y=[0.3]), "base", order, Rule()).model == order[0]


def test_means_that_differ_by_more_than_rounding_do_not_tie(frame):
    scores = frame(base=[0.4, 0.4], peak=[0.6 + 1e-9, 0.4], even=[0.5, 0.5])
    selection = choose(scores, "base", ["even", "peak"], Rule())
    assert selection.model == "peak"
    assert "is 5e-10 below the winner's" in selection.rejected[0].reason


def test_unknown_errors_are_called_unknown(frame):
    selection = choose(frame(stderr=None, base=[0.4], a=[0.5], b=[0.4]), "base", ["a", "b"], Rule())
    assert selection.reasons[0].startswith("validation mean 0.500 over 1 task, ")
    assert "noise" not in " ".join(selection.reasons)
    assert selection.rejected[0].reason.endswith("(standard error unknown)")


def test_the_baseline_may_win_and_says_so(frame):
    selection = choose(frame(base=[0.5], a=[0.4]), "base", ["base", "a"], Rule())
    assert selection.model == "base"
    assert "it is the baseline itself: no candidate that meets the rule does better" in selection.reasons


def test_rejections_are_ranked_then_as_listed(frame):
    scores = frame(base=[0.4, 0.4], c=[0.1, 0.9], b=[0.41, 0.41], a=[0.42, 0.42], d=[0.5, 0.5], e=[0.2, 0.9])
    selection = choose(scores, "base", ["e", "b", "a", "c", "d"], Rule(max_drop=0.1))
    assert selection.model == "d"
    assert [loser.model for loser in selection.rejected] == ["a", "b", "e", "c"]


def test_a_candidate_listed_twice_counts_once(frame):
    selection = choose(frame(base=[0.4], a=[0.5], b=[0.3]), "base", ["a", "b", "a"], Rule())
    assert [loser.model for loser in selection.rejected] == ["b"]


def test_no_candidates_is_the_users_mistake(frame):
    with pytest.raises(UserError, match="no candidate to choose from"):
        choose(frame(base=[0.4]), "base", [], Rule())


def test_a_missing_baseline_is_the_users_mistake(frame):
    with pytest.raises(UserError, match="baseline 'phi' has no score"):
        choose(frame(a=[0.4]), "phi", ["a"], Rule())


def test_nobody_gaining_enough_names_the_constraint_and_a_value_that_works(frame):
    scores = frame(base=[0.4, 0.4, 0.4], a=[0.5, 0.3, 0.3], b=[0.5, 0.5, 0.3])
    with pytest.raises(UserError) as error:
        choose(scores, "base", ["a", "b"], Rule(datasets_gained_at_least=3))
    assert str(error.value) == (
        "None of the 2 candidates can be chosen. Too few tasks gained: 2 candidates; the nearest, b, gained on "
        "2 of 3 tasks; the rule asks for at least 3. Lower the least number of datasets gained to 2, or add candidates."
    )
    assert choose(scores, "base", ["a", "b"], Rule(datasets_gained_at_least=2)).model == "b"


def test_nobody_within_the_drop_names_a_drop_that_works(frame):
    scores = frame(base=[0.4, 0.4], a=[0.9, 0.3644], b=[0.9, 0.2])
    with pytest.raises(UserError, match=r"the nearest, a, fell 0\.036 .* Raise the allowed drop to 0\.036, or"):
        choose(scores, "base", ["a", "b"], Rule(max_drop=0.02))
    assert choose(scores, "base", ["a", "b"], Rule(max_drop=0.036)).model == "a"


def test_the_suggested_drop_is_rounded_up(frame):
    scores = frame(base=[0.4], a=[0.3592])
    with pytest.raises(UserError, match=r"Raise the allowed drop to 0\.041, or"):
        choose(scores, "base", ["a"], Rule(max_drop=0.02))
    scores = frame(base=[0.4], a=[0.3598])
    with pytest.raises(UserError, match=r"fell 0\.040 .* Raise the allowed drop to 0\.041, or"):
        choose(scores, "base", ["a"], Rule(max_drop=0.02))


def test_advice_prefers_a_candidate_that_misses_nothing_else(frame):
    # a gains on more tasks than b, but falls too far: lowering the number to 2 would still leave nobody.
    scores = frame(base=[0.4, 0.4, 0.4], a=[0.5, 0.5, 0.1], b=[0.5, 0.4, 0.4])
    rule = Rule(datasets_gained_at_least=3, max_drop=0.05)
    with pytest.raises(UserError, match=r"the nearest, b, .* datasets gained to 1, or add candidates"):
        choose(scores, "base", ["a", "b"], rule)
    assert choose(scores, "base", ["a", "b"], dataclasses.replace(rule, datasets_gained_at_least=1)).model == "b"


def test_advice_admits_when_loosening_one_constraint_is_not_enough(frame):
    scores = frame(base=[0.4, 0.4], a=[0.5, 0.1])
    with pytest.raises(UserError, match=r"\(every candidate misses another constraint as well\)\.$"):
        choose(scores, "base", ["a"], Rule(datasets_gained_at_least=2, max_drop=0.05))


def test_a_lone_candidate_that_fails_is_spoken_of_in_the_singular(frame):
    with pytest.raises(UserError, match=r"^The only candidate cannot be chosen\. Too few tasks gained: 1 candidate;"):
        choose(frame(base=[0.4], a=[0.3]), "base", ["a"], Rule(datasets_gained_at_least=1))


def test_nobody_scored_asks_for_scores(frame):
    with pytest.raises(UserError, match="Scores are missing for 2 candidates; the nearest, a, has no validation"):
        choose(frame(base=[0.4]), "base", ["a", "b"], Rule())


def test_a_rule_cannot_be_changed_after_the_fact():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Rule().max_drop = 0.5  # type: ignore[misc]


def test_with_what_every_item_gave_the_reasons_say_what_the_mean_is_worth(frame):
    scores = frame(base=[0.4], a=[0.5], b=[0.75])
    values = {"a": {"t": {0: 1, 1: 0, 2: 0, 3: 1}}, "b": {"t": {0: 1, 1: 1, 2: 0, 3: 1}}, "search, candidate 0": {}}
    reasons = choose(scores, "base", ["a", "b"], Rule(), values).reasons
    assert not any("optimistic" in reason for reason in reasons)
    assert any(reason.startswith("95% interval of its mean, corrected for 3 candidates tried:") for reason in reasons)
    assert any("on validation items that it has not seen" in reason for reason in reasons)


def test_where_the_mean_is_not_that_of_the_items_no_interval_is_made_up(frame):
    scores = frame(base=[0.4], a=[0.5], b=[0.75])
    values = {"a": {"t": {0: 1, 1: 1}}, "b": {"t": {0: 1, 1: 0}}}
    reasons = choose(scores, "base", ["a", "b"], Rule(), values).reasons
    assert any("its validation mean is optimistic" in reason for reason in reasons)
    assert not any("interval" in reason for reason in reasons)


def test_the_rule_is_that_of_a_run_file_or_of_a_pick():
    declared = {"by": "mean", "at_least": {"datasets_gained": 4}, "max_drop": 0.02, "tie_break": "datasets_gained"}
    assert rule_of(declared) == Rule("mean", 4, 0.02, "datasets_gained")
    assert rule_of({"by": "mean"}) == Rule()
