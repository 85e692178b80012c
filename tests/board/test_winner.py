"""The winner's number against formulas, an independent bootstrap, and many simulated choices whose truth is known."""

from __future__ import annotations

import math
import statistics
from dataclasses import asdict

import numpy as np
import pytest

from workbench.board.winner import RunnerUp, Values, Winner, sentences, winner
from workbench.errors import UserError


def table(**candidates: list[list[float]]) -> dict[str, dict[str, dict[int, float]]]:
    """`table(a=[[1, 0], [1]])`: the values of candidate a on tasks t0 and t1."""
    return {
        name: {f"t{i}": dict(enumerate(map(float, values))) for i, values in enumerate(tasks)}
        for name, tasks in candidates.items()
    }


def coins(seed: int, ahead: list[float], sizes: tuple[int, ...] = (60, 100), shared: float = 0.0) -> Values:
    """Right or wrong answers of c0, c1, ... with chances 0.5 + ahead, an item being drawn as a whole so often."""
    rng = np.random.default_rng(seed)
    tasks = []
    for size in sizes:
        same = rng.random(size) < shared
        drawn = np.where(same, rng.random(size), rng.random((len(ahead), size)))
        tasks.append(drawn < 0.5 + np.array(ahead)[:, None])
    return table(**{f"c{i}": [task[i].tolist() for task in tasks] for i in range(len(ahead))})


def stderr(tasks: list[list[float]]) -> float:
    return math.sqrt(math.fsum(statistics.variance(task) / len(task) for task in tasks)) / len(tasks)


def test_the_highest_mean_over_tasks_wins_whatever_their_length():
    found = winner(table(long=[[1, 1, 1, 1, 1, 0], [0, 0]], even=[[1, 1, 1, 0, 0, 0], [1, 0]]), draws=50)
    assert (found.model, found.estimate) == ("even", 0.5)
    assert (found.tried, found.compared) == (2, 2)


def test_a_tie_goes_to_the_one_named_first():
    tied = table(a=[[1, 0, 1]], b=[[0, 1, 1]], c=[[0, 0, 1]])
    assert winner(tied, draws=50).model == "a"
    assert winner(tied, ["b", "a", "c"], draws=50).model == "b"


def test_only_the_eligible_can_win_and_all_count_as_tried():
    values = table(best=[[1, 1, 1, 0]], good=[[1, 1, 0, 0]], bad=[[1, 0, 0, 0]])
    found = winner(values, ["bad", "good"], draws=50)
    assert (found.model, found.tried, found.compared) == ("good", 3, 2)


def test_a_lone_candidate_has_the_usual_interval_and_no_correction():
    values = coins(0, [0.1])
    found = winner(values, draws=4000)
    error = stderr([list(of.values()) for of in values["c0"].values()])
    assert found.interval[1] - found.estimate == pytest.approx(1.96 * error, rel=0.05)
    assert found.corrected == pytest.approx(found.estimate, abs=0.003)
    assert found.runners_up == ()


def test_the_interval_widens_with_the_number_tried():
    widths = [np.ptp(winner(coins(1, [0.0] * tried), draws=1000).interval) for tried in (1, 4, 30)]
    assert widths == sorted(widths)
    # Of 30 independent ones the largest of 30 normal deviations: 1 - 0.05 / 60 one-sided, nearly.
    assert widths[2] / widths[0] == pytest.approx(3.14 / 1.96, rel=0.1)


def test_candidates_that_a_race_stopped_are_counted_but_not_compared():
    values = dict(coins(2, [0.3, 0.0, 0.0, 0.0]))
    stopped = {name: {"t0": {3: 1.0}, "t1": {}} if name in ("c2", "c3") else of for name, of in values.items()}
    found = winner(stopped, draws=500)
    assert (found.model, found.tried, found.compared) == ("c0", 4, 2)
    error = stderr([list(of.values()) for of in values["c0"].values()])
    assert found.interval[1] - found.estimate == pytest.approx(statistics.NormalDist().inv_cdf(1 - 0.05 / 8) * error)


def test_the_corrected_estimate_is_that_of_an_independent_bootstrap():
    values = coins(3, [0.0, 0.02, 0.04, 0.0, 0.02], sizes=(30, 20))
    lists = {name: [list(of.values()) for of in tasks.values()] for name, tasks in values.items()}
    rng = np.random.default_rng(11)
    unseen = []
    for _ in range(3000):
        picks = [rng.integers(0, n, n) for n in (30, 20)]
        best = max(lists, key=lambda n: sum(np.mean(np.take(t, p)) for t, p in zip(lists[n], picks, strict=True)))
        outside = [np.setdiff1d(np.arange(n), p) for n, p in zip((30, 20), picks, strict=True)]
        unseen.append(np.mean([np.mean(np.take(t, o)) for t, o in zip(lists[best], outside, strict=True)]))
    found = winner(values, draws=6000)
    assert found.corrected == pytest.approx(np.mean(unseen), abs=0.006)
    assert found.corrected < found.estimate - 0.02


def test_over_many_choices_the_correction_removes_the_optimism_and_the_interval_covers():
    # 20 candidates of which none is better: the best of them is worth 0.5, whichever it is.
    found = [winner(coins(seed, [0.0] * 20), draws=300, seed=seed) for seed in range(150)]
    naive = statistics.fmean(one.estimate for one in found)
    corrected = statistics.fmean(one.corrected for one in found)
    covered = statistics.fmean(one.interval[0] <= 0.5 <= one.interval[1] for one in found)
    uncorrected = statistics.fmean(
        abs(one.estimate - 0.5) <= 1.96 * 0.5 * math.hypot(60**-0.5, 0.1) / 2 for one in found
    )
    assert naive > 0.56
    assert corrected == pytest.approx(0.5, abs=0.01)
    assert covered >= 0.92
    assert uncorrected < 0.75


def test_the_truly_best_is_the_winner_or_a_runner_up_in_95_of_100():
    ahead = [0.04, 0.03, 0.02, 0.0, 0.0, 0.0]
    found = [winner(coins(seed, ahead, shared=0.5), draws=300, seed=seed) for seed in range(200)]
    among = statistics.fmean("c0" in (one.model, *(r.model for r in one.runners_up)) for one in found)
    assert among >= 0.94
    assert statistics.fmean(one.model == "c0" for one in found) < 0.7  # it was not easy


def test_who_is_far_behind_is_no_runner_up_and_who_answers_alike_is_one():
    rng = np.random.default_rng(5)
    good, close = (rng.random(400) < 0.8).tolist(), None
    close = [not right if i in (3, 40) else right for i, right in enumerate(good)]
    found = winner(table(good=[good], twin=[good], close=[close], bad=[(rng.random(400) < 0.5).tolist()]), draws=1000)
    assert found.model == "good"
    assert sorted(one.model for one in found.runners_up) == ["close", "twin"]
    [twin] = [one for one in found.runners_up if one.model == "twin"]
    assert twin == RunnerUp("twin", 0.0, 0.0)


def test_runners_up_come_nearest_first_with_their_paired_error():
    a, b, c = [1, 1, 1, 0, 1, 0, 1, 1], [1, 1, 0, 0, 1, 0, 1, 1], [1, 0, 0, 0, 1, 0, 1, 1]
    found = winner(table(c=[c], b=[b], a=[a]), draws=500)
    assert [one.model for one in found.runners_up] == ["b", "c"]
    assert found.runners_up[0].behind == pytest.approx(1 / 8)
    assert found.runners_up[0].stderr == pytest.approx(stderr([[x - y for x, y in zip(a, b, strict=True)]]))


def test_a_constant_lead_is_certain():
    found = winner(table(a=[[0.6] * 9], b=[[0.5] * 9]), draws=100)
    assert (found.model, found.runners_up, found.interval) == ("a", (), (0.6, 0.6))


def test_tasks_of_one_item_are_allowed():
    found = winner(table(a=[[1], [1, 0, 1, 1]], b=[[1], [1, 0, 0, 1]]), draws=200)
    assert found.estimate == pytest.approx(0.875)
    assert all(math.isfinite(number) for number in (*found.interval, found.corrected))


def test_the_same_seed_gives_the_same_record_and_it_is_plain():
    values = coins(6, [0.0, 0.01, 0.02])
    assert winner(values, seed=1) == winner(values, seed=1) != winner(values, seed=2)
    assert set(asdict(winner(values))) >= {"model", "estimate", "interval", "corrected", "tried", "runners_up"}


def test_the_order_of_items_does_not_matter():
    forward = table(a=[[1, 0, 1, 1]], b=[[0, 0, 1, 1]])
    backward = {**forward, "b": {"t0": dict(reversed(forward["b"]["t0"].items()))}}
    assert winner(forward) == winner(backward)


def test_nobody_with_all_items_is_the_users_mistake():
    values: Values = {"a": {"t": {0: 1.0}}, "b": {"t": {1: 1.0}}}
    with pytest.raises(
        UserError, match=r"^None of 2 candidates has answered all 2 validation items; .* one has is 1\."
    ):
        winner(values)
    with pytest.raises(UserError, match="None of 1 candidate has answered"):
        winner({}, ["a"])


def test_sentences_name_the_number_tried_and_who_is_as_good():
    ups = tuple(RunnerUp(name, 0.01, 0.02) for name in "bcde")
    found = Winner("a", 0.5, (0.41, 0.59), 0.482, 0.95, 16, 9, ups)
    assert sentences(found) == (
        "95% interval of its mean, corrected for 16 candidates tried: 0.410 to 0.590",
        "a choice like this one scores 0.482 on validation items that it has not seen",
        "4 of the 8 others cannot be told apart from it: b, c, d and 1 more",
    )
    assert len(sentences(Winner("a", 0.5, (0.4, 0.6), 0.5, 0.95, 1, 1, ()))) == 1
