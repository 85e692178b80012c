"""Races over small tables: who is asked what, who is stopped, and what is on record of it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict

import pytest

from workbench.errors import Incompatible, StepFailed, UserError
from workbench.scoring.racing.race import Race, race
from workbench.scoring.racing.schedule import schedule
from workbench.scoring.racing.settings import Settings
from workbench.scoring.racing.simulated import Simulation

EXHAUSTIVE = Settings(first=1.0)
STRICT = Settings(mode="strict")
APART = Simulation([60, 100, 40], [0.0, 0.02, 0.04, 0.06, 0.20]).table(1)


class Asked:
    """Answers from a table, and remembers what it was asked; `broken` fails at the named item."""

    def __init__(self, table, broken: dict[str, int] | None = None) -> None:
        self.table, self.broken = table, broken or {}
        self.items: list[tuple[str, str, int]] = []

    def __call__(self, candidate: str, wanted: Mapping[str, Sequence[int]]) -> dict[str, list[float]]:
        self.items += [(candidate, task, item) for task, items in wanted.items() for item in items]
        if any(self.broken.get(candidate) in items for items in wanted.values()):
            raise StepFailed(f"{candidate} has a NaN")
        return {task: [self.table[candidate][task][item] for item in items] for task, items in wanted.items()}


def run(table, settings: Settings = EXHAUSTIVE, broken: dict[str, int] | None = None) -> tuple[Race, Asked]:
    asked = Asked(table, broken)
    sizes = {task: len(values) for task, values in next(iter(table.values())).items()}
    return race(list(table), sizes, asked, settings), asked


def score(table, candidate: str) -> float:
    return math.fsum(math.fsum(values) / len(values) for values in table[candidate].values()) / len(table[candidate])


def entry(done: Race, candidate: str):
    [found] = [one for one in done.record.entries if one.candidate == candidate]
    return found


def test_exhaustive_scoring_asks_everyone_everything_once():
    done, asked = run(APART)
    assert len(asked.items) == len(set(asked.items)) == done.record.asked == done.record.exhaustive == 5 * 200
    assert done.record.winner == max(APART, key=lambda name: score(APART, name))
    assert {one.status for one in done.record.entries} == {"winner", "finished"}
    for name in APART:
        last = entry(done, name).last
        assert last is not None
        assert last.score == pytest.approx(score(APART, name))
        assert last.bound == pytest.approx(score(APART, name) - done.record.score)


@pytest.mark.parametrize("settings", [Settings(), STRICT])
def test_the_winner_is_scored_on_every_item_and_nobody_is_asked_twice(settings):
    done, asked = run(APART, settings)
    winner = done.record.winner
    assert done.record.score == pytest.approx(score(APART, winner))
    assert entry(done, winner).items == {"t0": 60, "t1": 100, "t2": 40}
    assert len(asked.items) == len(set(asked.items)) == done.record.asked < done.record.exhaustive
    assert done.record.share == done.record.asked / 1000


@pytest.mark.parametrize("settings", [Settings(), STRICT])
def test_values_hold_what_was_answered_by_the_items_own_numbers(settings):
    done, asked = run(APART, settings)
    assert sum(len(of) for values in done.values.values() for of in values.values()) == len(asked.items)
    for name, values in done.values.items():
        for task, answers in values.items():
            assert answers == {item: APART[name][task][item] for item in answers}
            assert len(answers) == entry(done, name).items[task]


def test_all_candidates_are_asked_the_same_items_in_a_round():
    done, _ = run(APART, Settings(seed=5))
    plan = schedule({"t0": 60, "t1": 100, "t2": 40}, Settings(seed=5))
    for values in done.values.values():
        for task, answers in values.items():
            assert set(answers) == set(plan.order[task][: len(answers)])


def test_the_record_is_json_and_holds_every_decision():
    done, _ = run(APART, STRICT)
    text = json.loads(json.dumps(asdict(done.record)))
    assert text["settings"]["mode"] == "strict"
    assert [one["number"] for one in text["rounds"]] == list(range(1, len(text["rounds"]) + 1))
    for one in done.record.rounds:
        for comparison in one.comparisons:
            assert (comparison.verdict == "leads") == (comparison.candidate == one.leader)
            assert comparison.verdict != "stopped by bound" or comparison.bound < 0
    stopped = [one for one in done.record.entries if one.status == "stopped"]
    assert stopped
    for one in stopped:
        assert one.last is not None
        leader = done.record.rounds[one.round - 1].leader
        assert one.reason == (
            f"stopped by bound in round {one.round}, {-one.last.difference:.4f} behind {leader}; "
            f"over all items the bound puts the difference at {one.last.bound:+.4f} at most"
        )


def test_halving_keeps_its_budget_where_candidates_are_all_alike():
    table = Simulation([50] * 6, [0.0] * 16, taste=0).table(0)
    done, _ = run(table, Settings(budget=0.4))
    verdicts = [one.last.verdict for one in done.record.entries if one.last]
    assert done.record.share <= 0.4
    assert verdicts.count("stopped by budget") > 8
    assert sum(one.status in ("winner", "finished") for one in done.record.entries) >= 2


def test_two_that_no_bound_separates_are_taken_to_the_end_whatever_the_budget():
    done, _ = run(Simulation([50] * 6, [0.0] * 4, taste=0).table(0), Settings(budget=0.2))
    assert [one.status for one in done.record.entries].count("stopped") == 2
    assert done.record.share == pytest.approx(0.15 + 2 * 0.85 / 4, abs=0.02)


def test_strict_stops_nobody_where_candidates_are_all_alike():
    table = {name: {"t0": [1.0, 0.0] * 50} for name in "abc"}
    done, _ = run(table, STRICT)
    assert done.record.share == 1
    assert done.record.winner == "a"


def test_a_tie_goes_to_the_first_listed():
    done, _ = run({"a": {"t": [0.0] * 3}, "b": {"t": [0.1, 0.2, 0.3]}, "c": {"t": [0.3, 0.2, 0.1]}})
    assert done.record.winner == "b"


def test_tasks_count_the_same_whatever_their_length():
    done, _ = run({"long": {"t": [1.0] * 90, "u": [0.0] * 10}, "even": {"t": [0.6] * 90, "u": [0.6] * 10}})
    assert (done.record.winner, done.record.score) == ("even", pytest.approx(0.6))


def test_another_seed_asks_other_items_and_the_same_seed_the_same():
    first, again, other = (run(APART, Settings(seed=seed))[1].items for seed in (0, 0, 1))
    assert first == again != other


def test_a_failed_candidate_is_recorded_and_the_race_goes_on():
    loser = min(APART, key=lambda name: score(APART, name))
    done, _ = run(APART, EXHAUSTIVE, {loser: 99})
    failed = entry(done, loser)
    assert (failed.status, failed.reason, failed.round, failed.last) == ("failed", f"{loser} has a NaN", 0, None)
    assert failed.items == {"t0": 0, "t1": 0, "t2": 0}, "a round is asked as a whole"
    assert done.record.exhaustive == 4 * 200
    assert done.record.winner != loser


@pytest.mark.parametrize("settings", [Settings(), STRICT])
def test_whom_a_failed_leader_had_stopped_is_taken_back(settings):
    table = {"best": {"t": [1.0] * 100}, "good": {"t": [0.6] * 100}, "bad": {"t": [0.1] * 100}}
    last_item = schedule({"t": 100}, settings).order["t"][-1]
    whole, _ = run(table, settings)
    assert entry(whole, "good").status == "stopped"
    done, asked = run(table, settings, {"best": last_item})
    assert (entry(done, "best").status, done.record.winner) == ("failed", "good")
    assert done.record.score == pytest.approx(0.6)
    assert len(asked.items) == len(set(asked.items))


def test_when_everyone_fails_the_first_reason_is_given():
    with pytest.raises(StepFailed, match=r"^None of the 5 candidates could be scored\. The first, c0: c0 has a NaN$"):
        run(APART, Settings(), dict.fromkeys(APART, schedule({"t0": 60}, Settings()).order["t0"][0]))


def test_weights_that_do_not_fit_are_the_candidates_failure():
    def ask(candidate, wanted):
        if candidate == "a":
            raise Incompatible("layer 3 has another shape")
        return {task: [0.5] * len(items) for task, items in wanted.items()}

    done = race(["a", "b"], {"t": 10}, ask, Settings())
    assert entry(done, "a").reason == "layer 3 has another shape"


def test_a_value_that_is_no_number_is_the_candidates_failure():
    done, _ = run({"a": {"t": [0.5, math.nan, 0.5]}, "b": {"t": [0.5] * 3}})
    assert entry(done, "a").reason == "its value on item 1 of t is nan"
    assert done.record.winner == "b"


def test_a_value_outside_0_to_1_is_refused_with_the_way_out():
    with pytest.raises(UserError, match=r"^t, item 2: a has 1\.7, but .* Set in_mean to false for this task"):
        run({"a": {"t": [0.5, 0.5, 1.7]}})


def test_too_few_values_are_our_bug():
    with pytest.raises(ValueError, match="a: 1 values for 3 items of t"):
        race(["a"], {"t": 3}, lambda *_: {"t": [0.5]}, EXHAUSTIVE)


def test_other_errors_end_the_race():
    def ask(candidate, wanted):
        raise UserError("the task's data are not here")

    with pytest.raises(UserError, match="data are not here"):
        race(["a", "b"], {"t": 3}, ask, Settings())


def test_a_single_candidate_is_asked_everything():
    done, _ = run({"a": {"t": [1.0, 0.0] * 20}}, Settings())
    assert (done.record.winner, done.record.share) == ("a", 1)


def test_tiny_tasks_are_known_early_and_do_no_harm():
    table = {name: {"t": [float(name == "b")] * 80, "u": [0.5], "v": [0.2, 0.4]} for name in "abc"}
    for settings in (Settings(), STRICT):
        done, _ = run(table, settings)
        assert (done.record.winner, done.record.score) == ("b", pytest.approx((1 + 0.5 + 0.3) / 3))
        assert entry(done, "a").status == "stopped"


def test_nothing_to_race_is_the_users_mistake():
    with pytest.raises(UserError, match="no candidate to race"):
        race([], {"t": 3}, Asked({}), Settings())
    with pytest.raises(UserError, match="there is no task"):
        race(["a"], {}, Asked({}), Settings())
    with pytest.raises(UserError, match="task 'u' has no item"):
        race(["a"], {"t": 3, "u": 0}, Asked({}), Settings())


@pytest.mark.parametrize(
    ("name", "value"),
    [("mode", "fast"), ("first", 0.0), ("first", 1.1), ("factor", 1.0), ("budget", 0.0), ("risk", 0.5), ("alpha", 1.0)],
)
def test_settings_that_mean_nothing_are_refused(name, value):
    with pytest.raises(UserError, match=rf"^racing: `{name}` is {value!r}, but has to be "):
        Settings(**{name: value})


def test_no_round_is_left_for_the_last_few_items() -> None:
    assert [one["t"] for one in schedule({"t": 100}, Settings(first=0.33, factor=3)).rounds] == [33, 100]
    assert [one["t"] for one in schedule({"t": 100}, Settings(first=0.28, factor=3)).rounds] == [28, 84, 100]


def test_rounds_ask_the_same_share_of_each_task_rounded_up():
    plan = schedule({"a": 100, "b": 30, "c": 2}, Settings(first=0.1, factor=2))
    assert plan.rounds == [
        {"a": 10, "b": 3, "c": 2},
        {"a": 20, "b": 6, "c": 2},
        {"a": 40, "b": 12, "c": 2},
        {"a": 80, "b": 24, "c": 2},
        {"a": 100, "b": 30, "c": 2},
    ]
    assert sorted(plan.order["a"]) == list(range(100))
