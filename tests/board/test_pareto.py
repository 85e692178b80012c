from __future__ import annotations

import random

from workbench.board.pareto import TradeOff, front, front_of, sentence, trade_offs
from workbench.board.select import Rule
from workbench.board.summary import summarise


def test_who_is_equalled_everywhere_and_beaten_somewhere_is_not_on_the_front():
    points = {"low": (0.1, 0.1), "left": (0.9, 0.1), "right": (0.1, 0.9), "middle": (0.5, 0.5), "below": (0.5, 0.4)}
    assert front(points) == ["left", "right", "middle"]


def test_equal_points_are_all_on_the_front_rounding_aside():
    assert front({"a": (0.5, 0.5), "b": (0.5, 0.5), "c": (0.5 - 1e-15, 0.5 + 1e-15)}) == ["a", "b", "c"]


def test_one_point_is_its_own_front_and_none_has_none():
    assert front({"only": (0.0, 0.0)}) == ["only"]
    assert front({}) == []


def test_the_front_of_one_measure_is_its_best():
    assert front({"a": (0.1,), "b": (0.3,), "c": (0.2,)}) == ["b"]


def test_the_front_is_that_of_a_sweep_from_the_highest_first_measure():
    rng = random.Random(5)
    points = {f"c{i}": (rng.random(), rng.random()) for i in range(200)}
    swept, highest = set(), -1.0
    for name in sorted(points, key=lambda name: -points[name][0]):
        if points[name][1] > highest:
            swept.add(name)
            highest = points[name][1]
    assert set(front(points)) == swept
    assert len(swept) > 2


def test_mean_against_the_largest_fall_below_the_baseline(frame):
    scores = frame(base=[0.40, 0.40], high=[0.70, 0.30], even=[0.48, 0.44], between=[0.60, 0.35], worse=[0.55, 0.30])
    found = front_of(scores, "base", ["even", "worse", "high", "between"], Rule())
    assert [(one.model, round(one.mean, 3), round(one.fall, 3)) for one in found] == [
        ("high", 0.500, 0.100),
        ("between", 0.475, 0.050),
        ("even", 0.460, 0.000),
    ]


def test_a_candidate_that_gains_everywhere_falls_nowhere_by_however_much_it_gains(frame):
    scores = frame(base=[0.4, 0.4], a=[0.5, 0.41], b=[0.45, 0.45])
    assert [one.model for one in front_of(scores, "base", ["b", "a"], Rule())] == ["a"]


def test_who_lacks_a_task_or_misses_the_rule_is_not_compared(frame):
    scores = frame(base=[0.4, 0.4], part=[0.9, None], rash=[0.8, 0.2], a=[0.5, 0.4], b=[0.41, 0.42])
    names = ["part", "rash", "a", "b"]
    assert [one.model for one in front_of(scores, "base", names, Rule())] == ["rash", "a"]
    assert [one.model for one in front_of(scores, "base", names, Rule(max_drop=0.1))] == ["a"]


def test_a_task_that_the_baseline_lacks_counts_in_the_mean_alone(frame):
    scores = frame(base=[0.4, None], a=[0.5, 0.1], b=[0.3, 0.5])
    found = front_of(scores, "base", ["a", "b"], Rule())
    assert [(one.model, round(one.fall, 3)) for one in found] == [("b", 0.1), ("a", 0.0)]


def test_models_outside_the_choice_are_not_on_it(frame):
    scores = frame(base=[0.4], expert=[0.9], a=[0.5], b=[0.3])
    assert [one.model for one in front_of(scores, "base", ["a", "b"], Rule())] == ["a"]


def test_there_is_no_front_of_fewer_than_two(frame):
    assert front_of(frame(base=[0.4], a=[0.5]), "base", ["a"], Rule()) == ()
    assert front_of(frame(base=[0.4, 0.4], a=[0.5, 0.5], b=[0.6, None]), "base", ["a", "b"], Rule()) == ()


def test_models_without_a_common_task_are_left_out(frame):
    summaries = summarise(frame(base=[0.4, None], a=[None, 0.5], b=[0.5, None]), "base")
    found = trade_offs(summaries, {"base": {"t0": 0.0}, "a": {}, "b": {"t0": 0.1}})
    assert [one.model for one in found] == ["b"]


def test_the_sentence_has_both_numbers_of_each():
    found = (TradeOff("high", 0.5, 0.1), TradeOff("close", 0.49, 0.0001), TradeOff("even", 0.46, 0.0))
    assert sentence(found, "high", "base") == (
        "Pareto front (mean, largest fall below base on a task): high (0.500, 0.100), close (0.490, 0.0001), "
        "even (0.460, no fall)"
    )


def test_the_sentence_says_when_one_is_alone_when_the_chosen_is_off_and_when_there_are_many():
    alone = (TradeOff("a", 0.5, 0.0),)
    assert sentence(alone, "a", "base").endswith("a (0.500, no fall), alone: no other has a higher mean or falls less")
    assert sentence(alone, "b", "base").endswith("falls less; b, which was chosen, is not on it")
    many = tuple(TradeOff(f"m{i}", 0.5 - i / 100, 0.1 - i / 100) for i in range(10))
    assert "m7 (0.430, 0.030) and 2 more" in sentence(many, "m9", "base")
    assert "not on it" not in sentence(many, "m9", "base")
    assert sentence((), "a", "base") == ""
